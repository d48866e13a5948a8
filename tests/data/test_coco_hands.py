"""The reader of hands in COCO's form, on real files of four sets where they are, and on files written here."""

import json

import cv2
import numpy as np
import pytest

import handpose.data
from handpose import skeleton
from handpose.data import DataError, SyntheticHands
from handpose.data.readers import coco_json
from handpose.data.readers.coco_hands import CocoHands

SETS = {"freihand": 8, "onehand10k": 4, "panoptic": 4, "rhd": 3}


def mean_length(points, pairs):
    """Mean distance over hands (N, 21, 2) and pairs of joints."""
    a, b = np.array(pairs).T
    return np.linalg.norm(points[:, a] - points[:, b], axis=-1).mean()


def is_in_order(points):
    """Whether pictures of hands (N, 21, 2), taken together, have a hand's anatomy in the canonical order."""
    fingers = [[4 * f + k for k in (1, 2, 3, 4)] for f in range(5)]
    along = mean_length(points, [pair for f in fingers for pair in zip(f, f[1:], strict=False)])
    straight = along < mean_length(points, [pair for f in fingers for pair in zip(f, f[2:], strict=False)])
    bases, tips = ([f[k] for f in fingers] for k in (0, 3))
    to_base, to_tip = (mean_length(points, [(0, j) for j in joints]) for joints in (bases, tips))
    thumb_first = mean_length(points, [(0, 1)]) < min(mean_length(points, [(0, j)]) for j in bases[1:])
    longest_first = mean_length(points, [(f[0], f[1]) for f in fingers[1:]]) > mean_length(
        points, [(f[2], f[3]) for f in fingers[1:]]
    )
    # No crossing: from the index finger's base, and from the little finger's, the others come one after the other.
    rows = [[mean_length(points, [(end, j)]) for j in way] for end, way in ((5, (9, 13, 17)), (17, (13, 9, 5)))]
    row = all(list(lengths) == sorted(lengths) for lengths in rows)
    return bool(straight and to_base < to_tip and thumb_first and longest_first and row)


@pytest.mark.parametrize("name", SETS)
def test_real_files(real_data, name):
    file = real_data / "format-samples" / name / f"test_{name}.json"
    hands = handpose.data.open(f"coco-hands:{file}", "val")
    assert len(hands) == SETS[name]
    content = json.loads(file.read_text())
    samples = [hands[i] for i in range(len(hands))]
    for sample, annotation in zip(samples, content["annotations"], strict=True):
        assert sample.id.endswith(f"#{annotation['id']}") and sample.image.dtype == np.uint8
        v = np.array(annotation["keypoints"], float).reshape(21, 3)[:, 2]
        assert sample.visible.sum() == (v > 0).sum() and sample.occluded is None
        assert (np.isnan(sample.keypoints).any(1) == ~sample.visible).all() and np.isfinite(sample.box).all()
        if name != "rhd":
            assert (sample.visible == (v > 0)).all()
        x, y, w, h = annotation["bbox"]
        inside = sample.keypoints[sample.visible]
        assert (inside >= [x - 1, y - 1]).all() and (inside <= [x + w + 1, y + h + 1]).all()


@pytest.mark.parametrize("name", SETS)
def test_orders_of_real_files_by_anatomy(real_data, name):
    hands = CocoHands(real_data / "format-samples" / name / f"test_{name}.json")
    points = np.stack([hands[i].keypoints for i in range(len(hands)) if hands[i].visible.all()])
    assert len(points) and is_in_order(points)
    reversed_fingers = [0] + [j for finger in skeleton.FINGERS for j in reversed(skeleton.FINGER_JOINTS[finger])]
    little_first = [0] + [j for finger in reversed(skeleton.FINGERS) for j in skeleton.FINGER_JOINTS[finger]]
    both = [little_first[j] for j in reversed_fingers]
    crossed = [*range(5), *range(9, 13), *range(5, 9), *range(13, 21)]  # index and middle finger changed over
    for wrong in (reversed_fingers, little_first, both, crossed, list(range(20, -1, -1))):
        assert not is_in_order(points[:, wrong])


def test_rhd_conversion_keeps_its_own_order(real_data):
    """Though its categories name the joints base first, as the others' do."""
    file = real_data / "format-samples" / "rhd" / "test_rhd.json"
    assert json.loads(file.read_text())["categories"][0]["keypoints"][1:3] == ["thumb1", "thumb2"]
    as_it_stands = CocoHands(file, order="canonical")
    assert not is_in_order(np.stack([as_it_stands[i].keypoints for i in range(3)]))
    assert [CocoHands(file)[i].hand for i in range(3)] == ["left", "left", "right"]


def test_groups_of_real_files(real_data):
    folder = real_data / "format-samples"
    groups = {}
    for name in SETS:
        hands = CocoHands(folder / name / f"test_{name}.json")
        groups[name] = [hands[i].group for i in range(len(hands))]
    assert len(set(groups["freihand"])) == 2  # two photographs in four versions each
    assert groups["panoptic"] == ["005880453"] * 2 + ["ex2_2.flv"] * 2
    hands = CocoHands(folder / "panoptic" / "test_panoptic.json")
    assert [hands[i].hand for i in range(4)] == ["left", "right"] * 2


# Files written here


@pytest.fixture(scope="module")
def drawn():
    hands = SyntheticHands(seed=7, size=96)
    return [hands[i] for i in range(4)]


def joints(sample, hidden=(3,)):
    """63 numbers; the given joints have no label and stand at (0, 0)."""
    return [n for j, (x, y) in enumerate(sample.keypoints.tolist()) for n in ((0, 0, 0) if j in hidden else (x, y, 1))]


def picture(folder, name, image):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(folder / name), image[..., ::-1])


def content(drawn, **info):
    return {
        "info": info,
        "images": [{"id": 10 * i, "file_name": f"{i}.png", "width": 96, "height": 96} for i in range(len(drawn))],
        "annotations": [{"id": 100 + i, "image_id": 10 * i, "keypoints": joints(s)} for i, s in enumerate(drawn)],
    }


def make(folder, drawn, name="labels.json", **changes):
    folder.mkdir(parents=True, exist_ok=True)
    for i, sample in enumerate(drawn):
        picture(folder, f"{i}.png", sample.image)
    (folder / name).write_text(json.dumps(content(drawn) | changes))
    return folder / name


def agree(read, sample, hidden=(3,)):
    expected = sample.visible & ~np.isin(np.arange(21), hidden)
    assert (read.visible == expected).all() and np.isnan(read.keypoints[list(hidden)]).all()
    assert np.allclose(read.keypoints[expected], sample.keypoints[expected], atol=1e-4)
    assert (read.image == sample.image).all() and read.keypoints.dtype == np.float32
    return True


def test_written_file_is_read_back(tmp_path, drawn):
    hands = handpose.data.open(f"coco-hands:{make(tmp_path, drawn)}", "train")
    assert len(hands) == 4 and all(agree(hands[i], sample) for i, sample in enumerate(drawn))
    assert [hands[i].group for i in range(4)] == ["labels-0"] * 3 + ["labels-1"]  # ids 0, 10, 20 and 30
    assert hands[1].id == "1.png#101" and hands[1].hand is None
    for split in ("val", "all"):
        assert len(CocoHands(tmp_path / "labels.json", split)) == 4


def test_joints_outside_and_hands_without_labels(tmp_path, drawn):
    annotations = content(drawn)["annotations"][:2]
    annotations[0]["keypoints"][:6] = [-0.6, 10, 2, 95.5, 10, 2]  # half a pixel belongs to the picture, no more
    annotations[1]["keypoints"] = [0] * 63
    hands = CocoHands(make(tmp_path, drawn, annotations=annotations))
    assert len(hands) == 1 and not hands[0].visible[0] and hands[0].visible[1]
    assert hands[0].keypoints[0] == pytest.approx([-0.6, 10])  # it has a place, but not in the picture


def test_two_hands_of_a_person(tmp_path, drawn):
    images = [{"id": 785, "file_name": "000000000785.png", "width": 96, "height": 96}]
    person = {"image_id": 785, "category_id": 1, "keypoints": [1] * 51, "lefthand_box": [0, 0, 0, 0],
              "righthand_box": [0, 0, 9, 9]}  # fmt: skip
    left, right, none = joints(drawn[0]), joints(drawn[1], (4, 8)), [0.0] * 63
    annotations = [
        person | {"id": 1, "lefthand_kpts": left, "righthand_kpts": right, "lefthand_valid": True,
                  "righthand_valid": True},
        person | {"id": 2, "lefthand_kpts": none, "righthand_kpts": right, "lefthand_valid": False,
                  "righthand_valid": True},
        person | {"id": 3, "lefthand_kpts": none, "righthand_kpts": none, "lefthand_valid": False,
                  "righthand_valid": False},
        person | {"id": 4, "lefthand_kpts": left, "righthand_kpts": right, "lefthand_valid": False,
                  "righthand_valid": False},
    ]  # fmt: skip
    file = tmp_path / "annotations" / "coco_wholebody_val_v1.0.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"images": images, "annotations": annotations}))
    picture(tmp_path / "val2017", images[0]["file_name"], drawn[0].image)
    hands = handpose.data.open(f"coco-wholebody:{tmp_path}", "val")
    assert [hands[i].id.split("#")[1] for i in range(len(hands))] == ["1-left", "1-right", "2-right"]
    assert [hands[i].hand for i in range(3)] == ["left", "right", "right"]
    assert {hands[i].group for i in range(3)} == {"coco_wholebody_val_v1.0-31"}
    assert agree(hands[0], drawn[0])
    for i in (1, 2):
        shown = ~np.isin(np.arange(21), (4, 8))
        assert np.allclose(hands[i].keypoints[shown], drawn[1].keypoints[shown], atol=1e-4)
        assert not hands[i].visible[[4, 8]].any()


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("onehand10k", ("onehand10k_train.json", "onehand10k_test.json")),
        ("panoptic", ("panoptic_train.json", "panoptic_test.json")),
        ("coco-wholebody", ("coco_wholebody_train_v1.0.json", "coco_wholebody_val_v1.0.json")),
    ],
)
def test_folders_of_named_sets(tmp_path, drawn, name, files, monkeypatch):
    """The published files, in `annotations` beside the pictures, or with them."""
    root = tmp_path / name
    (root / "annotations").mkdir(parents=True)
    make(root, drawn[:3], f"annotations/{files[0]}")
    make(root, drawn[:1], files[1])
    assert (len(handpose.data.open(f"{name}:{root}")), len(handpose.data.open(f"{name}:{root}", "val"))) == (3, 1)
    assert len(handpose.data.open(f"{name}:{root / files[1]}", "all")) == 1
    monkeypatch.setenv("HANDPOSE_DATA", str(tmp_path))
    assert len(handpose.data.open(name)) == 3
    with pytest.raises(DataError, match="has no split 'all', only train and val"):
        handpose.data.open(name, "all")
    with pytest.raises(DataError, match="has no split 'test'"):
        handpose.data.open(name, "test")
    (root / files[1]).unlink()
    with pytest.raises(DataError, match=f"annotations.{files[1]}: cannot be read"):
        handpose.data.open(name, "val")
    monkeypatch.delenv("HANDPOSE_DATA")
    with pytest.raises(DataError, match="HANDPOSE_DATA"):
        handpose.data.open(name)


@pytest.mark.parametrize(
    ("said", "order"), [({}, "canonical"), ({"description": "RHD"}, "rhd"), ({"description": "rhd mixed"}, "rhd")]
)
def test_order_is_read_or_given(tmp_path, drawn, said, order):
    back = {"canonical": list(range(21)), "rhd": list(skeleton.RHD_ORDER)}
    file = make(tmp_path, drawn, info=said)
    raw = CocoHands(file, order="canonical")[0].keypoints
    assert np.array_equal(CocoHands(file)[0].keypoints, raw[back[order]], equal_nan=True)
    assert np.array_equal(CocoHands(file, order="rhd")[0].keypoints, raw[back["rhd"]], equal_nan=True)
    with pytest.raises(DataError, match="no order 'openpose'; choose one of canonical, rhd"):
        CocoHands(file, order="openpose")


# What cannot be used

IMAGE = {"id": 0, "file_name": "0.png", "width": 96, "height": 96}
HAND = {"id": 5, "image_id": 0, "keypoints": [10, 10, 1] * 21}
PERSON = {"id": 5, "image_id": 0, "lefthand_kpts": [10, 10, 1] * 21, "righthand_kpts": [10, 10, 1] * 21}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (b"", "damaged"),
        (b'{"images": [', "damaged"),
        (b"[" * 100_000, "damaged"),
        (b"[1, 2]", "no list of images"),
        (dict(images=None), "no list of images"),
        (dict(annotations={}), "no list of annotations"),
        (dict(annotations=[]), "no hand with a labelled joint"),
        (dict(images=[3]), r"images\[0\]: has no whole number"),
        (dict(images=[IMAGE, IMAGE]), r"images\[1\]: the id 0 was there before"),
        (dict(images=[IMAGE | {"width": 0}]), r'images\[0\]: "width" is not'),
        (dict(images=[IMAGE | {"height": "96"}]), r'images\[0\]: "height" is not'),
        (dict(images=[IMAGE | {"file_name": "a\0.png"}]), r'images\[0\]: "file_name"'),
        (dict(images=[IMAGE | {"file_name": ".."}]), r'images\[0\]: "file_name"'),
        (dict(images=[IMAGE | {"file_name": "\ud800.png"}]), r"images\[0\]: .*surrogates not allowed"),
        (dict(images=[IMAGE | {"file_name": "no\nwhere.png"}]), r"there is no picture 'no\\nwhere\.png'"),
        (dict(images=[IMAGE | {"file_name": "a" * 300}]), "there is no picture"),
        (dict(annotations=[HAND, None]), r"annotations\[1\]: has no whole number"),
        (dict(annotations=[HAND | {"image_id": 1}]), r"annotations\[0\]: there is no picture with the id 1"),
        (dict(annotations=[HAND | {"image_id": True}]), r"annotations\[0\]: has no whole number"),
        (dict(annotations=[HAND | {"keypoints": None}]), r'annotations\[0\]: "keypoints" is not 21 times'),
        (dict(annotations=[HAND | {"keypoints": [1] * 51}]), r'"keypoints" is not 21 times'),
        (dict(annotations=[HAND | {"keypoints": [[1, 2]] * 21}]), r'"keypoints" is not 21 times'),
        (dict(annotations=[HAND | {"keypoints": [[1, 2, 1]] * 20 + [[1, 2]]}]), r'"keypoints" is not 21 times'),
        (dict(annotations=[HAND | {"keypoints": ["1", 2, 1] * 21}]), r'"keypoints" is not 21 times'),
        (dict(annotations=[HAND | {"keypoints": [10**400, 2, 1] * 21}]), r'"keypoints" is not 21 times'),
        (dict(annotations=[HAND | {"keypoints": [float("nan"), 2, 1] * 21}]), "a number that cannot be"),
        (dict(annotations=[HAND | {"keypoints": [1e300, 2, 1] * 21}]), "a number that cannot be"),
        (dict(annotations=[HAND | {"keypoints": [1, 2, 30] * 21}]), "a v that is not from 0 to 10"),
        (dict(annotations=[HAND | {"keypoints": [1, 2, -1] * 21}]), "a v that is not from 0 to 10"),
        (dict(annotations=[HAND | {"keypoints": [1, 2, float("nan")] * 21}]), "a v that is not from 0 to 10"),
        (dict(annotations=[{k: v for k, v in PERSON.items() if k != "lefthand_kpts"}]), '"lefthand_kpts" is not'),
        (dict(annotations=[PERSON | {"righthand_kpts": [0] * 62}]), '"righthand_kpts" is not'),
    ],
)
def test_broken_files_are_named(tmp_path, drawn, changes, words):
    file = make(tmp_path, drawn[:1])
    if isinstance(changes, bytes):
        file.write_bytes(changes)
    else:
        file.write_text(json.dumps({"images": [IMAGE], "annotations": [HAND]} | changes))
    with pytest.raises(DataError, match=words) as error:
        CocoHands(file)
    assert "labels.json" in str(error.value) and "\n" not in str(error.value)


def test_missing_and_wrong_files_are_named(tmp_path, drawn):
    for wrong in ("coco-hands", f"coco-hands:{tmp_path}"):
        with pytest.raises(DataError, match=r"coco-hands needs its file: coco-hands:.*labels\.json"):
            handpose.data.open(wrong)
    with pytest.raises(DataError, match=r"none\.json: cannot be read"):
        handpose.data.open(f"coco-hands:{tmp_path / 'none.json'}")
    file = make(tmp_path, drawn)
    picture(tmp_path, "1.png", np.zeros((50, 40, 3), np.uint8))
    with pytest.raises(DataError, match=r"1\.png: is 40x50, but labels\.json says 96x96"):
        CocoHands(file)[1]
    (tmp_path / "1.png").unlink()
    with pytest.raises(DataError, match=r"labels\.json: there is no picture '1\.png' in"):
        CocoHands(file)
    assert coco_json.read(file)[0] == ""  # the labels alone need no pictures
