"""The reader of FreiHAND, on small folders written in its published layout."""

import functools
import json

import cv2
import numpy as np
import pytest

import handpose.data
from handpose.data import DataError, SyntheticHands
from handpose.data.readers import freihand
from handpose.data.readers.freihand import UNIQUE, FreiHand

CAMERA = [[480.0, 0, 112], [0, 480, 112], [0, 0, 1]]


def image(root, number, image, part="training", kind="rgb"):
    (root / part / kind).mkdir(parents=True, exist_ok=True)
    file = root / part / kind / f"{number:08d}.jpg"
    assert cv2.imwrite(str(file), image, (cv2.IMWRITE_JPEG_QUALITY, 100))
    return file


def labels(root, cameras, keypoints, part="training"):
    root.mkdir(exist_ok=True)
    for name, values in (("K", cameras), ("xyz", keypoints)):
        (root / f"{part}_{name}.json").write_text(json.dumps(values if isinstance(values, list) else values.tolist()))
    return root


@pytest.fixture(scope="module")
def drawn():
    """Three rendered hands at the set's size."""
    hands = SyntheticHands(seed=5, size=224)
    return [hands[i] for i in range(3)]


def make(root, drawn, part="training", versions=(0, 1, 2, 3)):
    """Each hand in the given versions, each version a little darker than the one before."""
    labels(root, np.stack([s.camera for s in drawn]), np.stack([s.keypoints3d for s in drawn]) / 1000, part)
    for i, sample in enumerate(drawn):
        image(root, i, np.repeat(sample.mask[..., None], 3, 2), part, "mask")
        for v in versions:
            image(root, i + v * UNIQUE, sample.image[..., ::-1] // (v + 1), part)
    return root


def test_written_set_is_read_back(tmp_path, drawn):
    hands = handpose.data.open(f"freihand:{make(tmp_path, drawn)}", "train")
    assert len(hands) == 12 and hands.numbers == [i + v * UNIQUE for v in range(4) for i in range(3)]
    for row in range(12):
        version, i = divmod(row, 3)
        read, sample = hands[row], drawn[i]
        assert np.abs(read.image.astype(int) - sample.image // (version + 1)).mean() < 3
        assert np.allclose(read.keypoints, sample.keypoints, atol=0.01) and (read.visible == sample.visible).all()
        assert np.allclose(read.keypoints3d, sample.keypoints3d, atol=0.01) and np.allclose(read.camera, sample.camera)
        assert (read.mask != (sample.mask > 127) * 255).mean() < 0.01 and set(np.unique(read.mask)) == {0, 255}
        assert read.hand == "right" and read.occluded is None and read.id == f"training/{i + version * UNIQUE:08d}"
        assert read.group == "training-0"  # neighbours, and all versions of them


def test_a_part_of_the_pictures(tmp_path, drawn):
    make(tmp_path, drawn, versions=(1,))
    (tmp_path / "training" / "rgb" / f"{UNIQUE + 1:08d}.jpg").unlink()
    (tmp_path / "training" / "mask" / "00000002.jpg").unlink()
    (tmp_path / "training" / "rgb" / "Thumbs.db").write_text("no picture")
    hands = FreiHand(tmp_path, "all")
    assert hands.numbers == [UNIQUE, UNIQUE + 2] and hands[0].mask is not None and hands[1].mask is None
    assert np.allclose(hands[1].keypoints, drawn[2].keypoints, atol=0.01)
    with pytest.raises(DataError, match="no pictures such as 00000000.jpg for split 'val'"):
        FreiHand(tmp_path, "val")


def test_evaluation(tmp_path, drawn):
    make(tmp_path, drawn[:2], "evaluation", versions=(0,))
    hands = FreiHand(tmp_path, "evaluation")
    assert [hands[i].id for i in range(2)] == ["evaluation/00000000", "evaluation/00000001"]
    assert hands[1].group == "evaluation-0"
    image(tmp_path, UNIQUE, np.zeros((224, 224, 3), np.uint8), "evaluation")  # no versions here
    with pytest.raises(DataError, match=r"00032560\.jpg: has no label among the 2"):
        FreiHand(tmp_path, "evaluation")
    with pytest.raises(DataError, match="no split 'test'"):
        FreiHand(tmp_path, "test")


def test_no_photograph_is_on_both_sides(tmp_path, monkeypatch):
    """The whole set's labels, and pictures at the ends of the two blocks."""
    monkeypatch.setattr(freihand, "read_list", functools.cache(freihand.read_list))  # they take a moment
    labels(tmp_path, [[[1, 0, 1], [0, 1, 1], [0, 0, 1]]] * UNIQUE, [[[0, 0, 1]] * 21] * UNIQUE)
    for i in (0, 29_299, 29_300, 29_324, 29_325, UNIQUE - 1):
        for version in range(4):
            image(tmp_path, i + version * UNIQUE, np.zeros((224, 224, 3), np.uint8))
    sets = {split: FreiHand(tmp_path, split) for split in ("train", "val", "all")}
    shown = {split: {s.photograph(n) for n in s.numbers} for split, s in sets.items()}
    assert shown["train"] == {0, 29_299} and shown["val"] == {29_300, 29_324, 29_325, UNIQUE - 1}
    assert {split: len(s) for split, s in sets.items()} == {"train": 8, "val": 16, "all": 24}
    groups = {split: {s[i].group for i in range(len(s))} for split, s in sets.items()}
    assert not groups["train"] & groups["val"] and groups["all"] == groups["train"] | groups["val"]
    assert len(groups["val"]) == 3  # 29,300 and 29,324 are of one block
    image(tmp_path, 4 * UNIQUE, np.zeros((224, 224, 3), np.uint8))
    with pytest.raises(DataError, match=r"00130240\.jpg: has no label"):
        FreiHand(tmp_path)


def test_real_pictures_in_the_published_layout(tmp_path, real_data):
    """Real frames, known by their conversion to COCO's form, written as published: both readers agree."""
    file = real_data / "format-samples" / "freihand" / "test_freihand.json"
    converted = handpose.data.open(f"coco:{file}", "all")
    samples = {int(s.id[:8]): s for s in (converted[i] for i in range(len(converted)))}
    rng = np.random.default_rng(0)
    keypoints = np.tile([0.0, 0.0, 1.0], (17_621, 21, 1))
    for number in (355, 17_620):
        depth = rng.uniform(0.6, 0.8, (21, 1))
        keypoints[number] = np.hstack([(samples[number].keypoints - 112) / 480, np.ones((21, 1))]) * depth
    labels(tmp_path, [CAMERA] * len(keypoints), keypoints.round(9))
    for number in samples:
        image(tmp_path, number, np.zeros((224, 224, 3), np.uint8)).write_bytes(
            (file.parent / f"{number:08d}.jpg").read_bytes()
        )
    published = FreiHand(tmp_path)
    assert published.numbers == sorted(samples)
    for i, number in enumerate(published.numbers):
        a, b = published[i], samples[number]
        assert np.allclose(a.keypoints, b.keypoints, atol=1e-3) and (a.image == b.image).all()
        assert a.visible.all() and np.allclose(a.box, b.box, atol=1e-3)
    assert len({published[i].group for i in range(8)}) == len({s.group for s in samples.values()}) == 2


POINTS = [[[0.0, 0.0, 1.0]] * 21] * 3


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("xyz", None, "cannot be read .* unpack"),
        ("K", None, "cannot be read .* unpack"),
        ("xyz", "", "damaged"),
        ("xyz", json.dumps(POINTS)[:-9], "damaged"),
        ("xyz", "[" * 100_000, "damaged"),
        ("xyz", "\xff\xfe".encode("latin1") + b"[]", "damaged|empty"),
        ("xyz", [], "empty"),
        ("xyz", {"0": POINTS[0]}, "not a list"),
        ("xyz", POINTS[:2] + [POINTS[0][:20]], "entry 2 is not 21 x 3"),
        ("xyz", [POINTS[0], [[0, 0]] * 21, POINTS[0]], "entry 1 is not 21 x 3"),
        ("xyz", [POINTS[0], [["0", "0", "1"]] * 21, POINTS[0]], "entry 1 is not 21 x 3"),
        ("xyz", [POINTS[0], POINTS[0], [[0, 0, None]] * 21], "entry 2 is not 21 x 3"),
        ("xyz", [POINTS[0], [[0, 0, 10**400]] * 21, POINTS[0]], "entry 1 is not 21 x 3"),
        ("xyz", POINTS[:2] + [[[0, 0, float("nan")]] * 21], "entry 2 holds a number"),
        ("xyz", POINTS[:2] + [[[0, 0, float("inf")]] * 21], "entry 2 holds a number"),
        ("xyz", POINTS[:2] + [[[0, 0, 1e300]] * 21], "entry 2 holds a number"),
        ("xyz", POINTS[:2] + [[[0, 0, -1]] * 21], "entry 2 has a joint that is not before the camera"),
        ("xyz", POINTS[:2] + [[[1, 0, 1e-12]] * 21], "entry 2 has a joint"),
        ("xyz", POINTS[:2], "3 cameras, but 2 hands in training_xyz.json"),
        ("K", [CAMERA, CAMERA, CAMERA[:2]], "entry 2 is not 3 x 3"),
        ("K", [CAMERA, [[-480, 0, 112], *CAMERA[1:]], CAMERA], "entry 1 is not the matrix"),
        ("K", [CAMERA, CAMERA, [[480, 0, 112], [0, 480, 112], [0, 0, 2]]], "entry 2 is not the matrix"),
    ],
)  # fmt: skip
def test_broken_labels_are_named(tmp_path, name, content, words):
    labels(tmp_path, [CAMERA] * 3, POINTS)
    image(tmp_path, 0, np.zeros((224, 224, 3), np.uint8))
    file = tmp_path / f"training_{name}.json"
    file.unlink()
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else
                         (content if isinstance(content, str) else json.dumps(content)).encode())  # fmt: skip
    with pytest.raises(DataError, match=words) as error:
        FreiHand(tmp_path)
    assert "training_" in str(error.value) and "\n" not in str(error.value)


def test_missing_and_wrong_pictures_are_named(tmp_path, monkeypatch):
    labels(tmp_path, [CAMERA] * 3, POINTS)
    with pytest.raises(DataError, match=r"rgb: no pictures such as 00000000\.jpg"):
        FreiHand(tmp_path)
    file = image(tmp_path, 1, np.zeros((240, 320, 3), np.uint8))
    with pytest.raises(DataError, match=r"00000001\.jpg: is 320x240, not 224x224"):
        FreiHand(tmp_path)[0]
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(DataError, match=r"00000001\.jpg: "):
        FreiHand(tmp_path)[0]
    image(tmp_path, 3, np.zeros((224, 224, 3), np.uint8))
    with pytest.raises(DataError, match=r"00000003\.jpg: has no label among the 3 of training_xyz\.json"):
        FreiHand(tmp_path)
    monkeypatch.delenv("HANDPOSE_DATA", raising=False)
    with pytest.raises(DataError, match="HANDPOSE_DATA"):
        handpose.data.open("freihand")
    assert freihand.UNIQUE * freihand.VERSIONS == 130_240
