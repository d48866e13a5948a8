"""The reader of Rendered Hand Pose, on small folders written in its published layout, and its pickles."""

import decimal
import itertools
import json
import pickle
import sys

import cv2
import numpy as np
import pytest

import handpose.data
from handpose import skeleton
from handpose.data import DataError, SyntheticHands
from handpose.data.readers import unpickle
from handpose.data.readers.rhd import Rhd, read_labels

# Rows of one hand as the set's own description has them: the wrist, then each finger from its tip, thumb first.
TIPS_FIRST = [0] + [j for finger in skeleton.FINGERS for j in reversed(skeleton.FINGER_JOINTS[finger])]
FAR = np.full((21, 2), -500.0)


def entry(left, right, flags=None):
    """An entry from two hands (pixels, mm) in the canonical order."""
    flags = np.ones(42) if flags is None else flags
    order = [*TIPS_FIRST, *(21 + j for j in TIPS_FIRST)]
    uv = np.concatenate([left[0], right[0]])
    values = np.column_stack([uv, flags])[order]
    xyz = np.concatenate([left[1], right[1]])[order] / 1000
    camera = np.array([[300.0, 0, 160], [0, 300, 160], [0, 0, 1]])
    return {"uv_vis": values.astype(np.float32), "xyz": xyz.astype(np.float32), "K": camera.astype(np.float32)}


@pytest.fixture(scope="module")
def drawn():
    """Four rendered hands at the set's size."""
    hands = (SyntheticHands(seed=3, size=320)[i] for i in range(20))
    return list(itertools.islice((s for s in hands if (s.visible & ~s.occluded).sum() >= 5), 4))


def make(root, drawn, folder="training", protocol=2):
    """Picture i shows hand i as the left hand for an even i; the other hand is out of the picture."""
    split_folder = root / "RHD_published_v2" / folder
    for kind in ("color", "mask"):
        (split_folder / kind).mkdir(parents=True, exist_ok=True)
    entries = {}
    for i, sample in enumerate(drawn):
        flags = np.ones(42)
        own = slice(0, 21) if i % 2 == 0 else slice(21, 42)
        flags[own] = sample.visible & ~sample.occluded
        flags[21 - own.start : 42 - own.start] = 0
        labels, away = (sample.keypoints, sample.keypoints3d), (FAR, np.full((21, 3), 1000.0))
        entries[i] = entry(labels, away, flags) if i % 2 == 0 else entry(away, labels, flags)
        entries[i]["K"] = sample.camera
        cv2.imwrite(str(split_folder / "color" / f"{i:05d}.png"), sample.image[..., ::-1])
        parts = np.ones((320, 320), np.uint8)  # the person
        parts[sample.mask > 127] = 2 + 16 * (i % 2) + i
        cv2.imwrite(str(split_folder / "mask" / f"{i:05d}.png"), parts)
    (split_folder / f"anno_{folder}.pickle").write_bytes(pickle.dumps(entries, protocol))
    return root


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_written_set_is_read_back(tmp_path, drawn, protocol):
    hands = handpose.data.open(f"rhd:{make(tmp_path, drawn, protocol=protocol)}", "train")
    assert len(hands) == len(Rhd(tmp_path / "RHD_published_v2")) == 4
    for i, sample in enumerate(drawn):
        read = hands[i]
        assert read.hand == ("left", "right")[i % 2] and read.id == f"training/{i:05d}-{read.hand}"
        assert (read.image == sample.image).all() and np.allclose(read.keypoints, sample.keypoints, atol=1e-3)
        assert (read.visible == sample.visible).all()
        assert (read.occluded == (sample.occluded & sample.visible)).all()
        assert np.allclose(read.keypoints3d, sample.keypoints3d, atol=0.01) and read.keypoints3d.dtype == np.float32
        assert ((read.mask == 255) == (sample.mask > 127)).all() and np.allclose(read.camera, sample.camera)
        projected = read.keypoints3d @ read.camera.T
        assert np.abs(projected[:, :2] / projected[:, 2:] - read.keypoints).max() < 0.05


def test_two_hands_of_a_picture(tmp_path, drawn):
    """Left and right are not mixed up; the hand that is mostly hidden or outside does not count."""
    make(tmp_path, drawn[:1])
    split_folder = tmp_path / "RHD_published_v2" / "training"
    rng = np.random.default_rng(0)
    left, right, xyz = rng.uniform(10, 150, (21, 2)), rng.uniform(160, 300, (21, 2)), np.full((21, 3), 700.0)
    flags = np.ones(42)
    (split_folder / "anno_training.pickle").write_bytes(
        pickle.dumps({0: entry((left, xyz), (right, xyz + 1), flags)}, 2)
    )
    parts = np.ones((320, 320), np.uint8)
    parts[:100, :100], parts[200:, 200:], parts[150, 150] = 17, 18, 34
    cv2.imwrite(str(split_folder / "mask" / "00000.png"), parts)
    both = Rhd(tmp_path)
    assert [both[i].hand for i in range(len(both))] == ["left", "right"]
    assert np.allclose(both[0].keypoints, left, atol=1e-3) and np.allclose(both[1].keypoints, right, atol=1e-3)
    assert both[1].keypoints3d[0] == pytest.approx([701] * 3, abs=1e-2)
    assert (both[0].mask > 0).sum() == 100 * 100 and (both[1].mask > 0).sum() == 120 * 120
    larger = Rhd(tmp_path, hands="larger")
    assert len(larger) == 1 and larger[0].hand == "right"
    flags[21:] = np.arange(21) < 4
    (split_folder / "anno_training.pickle").write_bytes(pickle.dumps({0: entry((left, xyz), (right, xyz), flags)}, 2))
    assert [Rhd(tmp_path)[0].hand, len(Rhd(tmp_path)), len(Rhd(tmp_path, min_seen=4))] == ["left", 1, 2]
    with pytest.raises(DataError, match="no hand with 22 seen joints"):
        Rhd(tmp_path, min_seen=22)


def test_hidden_joints(tmp_path, drawn):
    sample, flags = drawn[0], np.ones(42)
    flags[[5, 6]] = 0
    make(tmp_path, [sample])
    labels = tmp_path / "RHD_published_v2" / "training" / "anno_training.pickle"
    keypoints = np.full((21, 2), 100.0)
    keypoints[7] = (330, 100)  # to the right of the picture, though flagged as seen
    labels.write_bytes(pickle.dumps({0: entry((keypoints, np.ones((21, 3))), (FAR, np.ones((21, 3))), flags)}, 2))
    read, strict = Rhd(tmp_path)[0], Rhd(tmp_path, occluded_as_invisible=True)[0]
    assert np.flatnonzero(read.occluded).tolist() == np.flatnonzero(strict.occluded).tolist() == [5, 6]
    assert np.flatnonzero(~read.visible).tolist() == [7] and np.flatnonzero(~strict.visible).tolist() == [5, 6, 7]


def test_splits_are_the_published_folders(tmp_path, drawn):
    make(make(tmp_path, drawn), drawn[:2], "evaluation")
    sets = {split: Rhd(tmp_path, split) for split in ("train", "val", "all")}
    assert {split: len(hands) for split, hands in sets.items()} == {"train": 4, "val": 2, "all": 6}
    groups = {split: {hands[i].group for i in range(len(hands))} for split, hands in sets.items()}
    assert groups == {"train": {"training-0"}, "val": {"evaluation-0"}, "all": {"training-0", "evaluation-0"}}
    for wrong in (dict(split="test"), dict(hands="left")):
        with pytest.raises(DataError, match="choose one of"):
            Rhd(tmp_path, **wrong)


def test_without_masks(tmp_path, drawn):
    root = make(tmp_path, drawn[:1])
    (root / "RHD_published_v2" / "training" / "mask").rename(root / "elsewhere")
    assert Rhd(root)[0].mask is None
    with pytest.raises(DataError, match=r"mask.00000\.png"):
        Rhd(root, hands="larger")[0]


def test_real_labels_in_the_published_layout(tmp_path, real_data):
    """Three real frames, known by their conversion to COCO's form, written as published: both readers agree."""
    file = real_data / "format-samples" / "rhd" / "test_rhd.json"
    converted = handpose.data.open(f"coco:{file}", "all")
    content = json.loads(file.read_text())
    split_folder = tmp_path / "training"
    (split_folder / "color").mkdir(parents=True)
    entries = {}
    for image, annotation in zip(content["images"], content["annotations"], strict=True):
        rows = slice(0, 21) if annotation["hand_type"] == "left" else slice(21, 42)
        uv, xyz = np.zeros((42, 3), np.float32), np.zeros((42, 3), np.float32)
        uv[rows], xyz[rows] = annotation["keypoints"], np.array(annotation["joint_cam"]) / 1000
        (fx, fy), (cx, cy) = image["cam_param"]["focal"], image["cam_param"]["princpt"]
        camera = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], np.float32)
        entries[image["id"]] = {"uv_vis": uv, "xyz": xyz, "K": camera}
        (split_folder / "color" / image["file_name"]).write_bytes((file.parent / image["file_name"]).read_bytes())
    (split_folder / "anno_training.pickle").write_bytes(pickle.dumps(entries, 2))
    published = Rhd(tmp_path)
    assert len(published) == len(converted) == 3
    for i in range(3):
        a, b = published[i], converted[i]
        assert np.allclose(a.keypoints, b.keypoints) and (a.visible == b.visible).all() and a.hand == b.hand
        assert (a.image == b.image).all() and np.allclose(a.box, b.box)
        projected = a.keypoints3d @ a.camera.T
        assert np.abs(projected[:, :2] / projected[:, 2:] - a.keypoints).max() < 0.1  # the set's own rounding


# What cannot be used


def refused(file, content):
    """The one line that refuses a label file."""
    file.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, 2))
    with pytest.raises(DataError) as error:
        read_labels(file)
    message = str(error.value)
    assert file.name in message and "\n" not in message and len(message) < 600
    return message


GOOD = entry((FAR, np.ones((21, 3))), (FAR, np.ones((21, 3))))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({}, "no entries"),
        ([GOOD], "not a table"),
        ({"0": GOOD}, "not a table"),
        ({7: None}, "entry 7 has no uv_vis of 42 x 3"),
        ({3: GOOD, 7: {k: v for k, v in GOOD.items() if k != "K"}}, "entry 7 has no K of 3 x 3"),
        ({7: GOOD | {"xyz": np.ones((21, 3))}}, "entry 7 has no xyz of 42 x 3"),
        ({7: GOOD | {"xyz": [[1.0] * 3] * 42}}, "entry 7 has no xyz"),
        ({3: GOOD, 7: GOOD | {"uv_vis": np.full((42, 3), np.nan)}}, "uv_vis of entry 7"),
        ({7: GOOD | {"xyz": np.full((42, 3), np.inf)}}, "xyz of entry 7"),
        ({7: GOOD | {"K": np.zeros((3, 3))}}, "K of entry 7"),
        ({7: GOOD | {"K": np.full((3, 3), None)}}, "something else than numbers"),
        ({7: GOOD | {"K": np.full((3, 3), "a")}}, "something else than numbers"),
        (b"", "not a pickle"),
        (b"no pickle", "not a pickle"),
        (pickle.dumps({7: GOOD}, 2)[:-300], "not a pickle"),
    ],
)
def test_broken_labels_are_named(tmp_path, content, words):
    assert words in refused(tmp_path / "anno_training.pickle", content)


class Call:
    """Pickled, it asks the reader to call something."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class Word:
    """Pickled, it is a name that the reader is to look up."""


def asks(module, name, more=b""):
    """A pickle of protocol 2 that looks up a name, and does more with it."""
    return b"\x80\x02c" + f"{module}\n{name}\n".encode() + more + b"."


ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR"  # an empty array, to be filled


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (asks("os", "system", b"(X\x02\x00\x00\x00ls\x85R"), "os.system"),
        (asks("posix", "system", b"(X\x02\x00\x00\x00lstR"), "posix.system"),
        (asks("builtins", "eval", b"(X\x01\x00\x00\x001tR"), "builtins.eval"),
        (asks("builtins", "getattr"), "builtins.getattr"),
        (asks("numpy", "load"), "numpy.load"),
        (asks("numpy", "zeros", b"(J\xff\xff\xff\x7ftR"), "numpy.zeros"),
        (asks("numpy.core.multiarray", "fromfile"), "fromfile"),
        (asks("numpy.f2py.capi_maps", "eval"), "capi_maps"),
        (asks("numpy", "ndarray", b"(J\xff\xff\xff\x7f\x85tR"), "not a pickle"),  # would make room for 2 GB
        (asks("numpy", "ndarray", b"J\xff\xff\xff\x7f\x85\x81"), "not a pickle"),
        (asks("_codecs", "decode"), "_codecs.decode"),
        (asks("_codecs", "encode", b"(X\x01\x00\x00\x00aX\x05\x00\x00\x00bz2_ctR"), "bz2_c"),
        (asks("numpy.core.multiarray", "_reconstruct", b"}X\x05\x00\x00\x00valueNsb"), "something else than an array"),
        (asks("numpy", "dtype", b"(X\x02\x00\x00\x00V9tR"), "something else than numbers"),
        # Sizes that the file does not hold: of an array, of words, of the table of what was read before.
        (b"\x80\x02" + ARRAY + b"(K\x01J\xff\xff\xff\x7f\x85cnumpy\ndtype\n(U\x02f8tR\x89U\x00tb.", "do not agree"),
        (b"\x80\x04\x8d" + (1 << 60).to_bytes(8, "little") + b"a.", "not a pickle"),
        (b"\x80\x04\x8e" + (1 << 36).to_bytes(8, "little") + b"a.", "not a pickle"),
        (b"\x80\x05\x96" + (1 << 36).to_bytes(8, "little") + b"a.", "not a pickle"),
        (b"\x80\x04\x95" + (1 << 36).to_bytes(8, "little") + b"N.", "not a table"),
        (b"\x80\x02Nr\xff\xff\xff\xff.", "not a table"),
        (b"\x80\x02" + b"(" * 100_000 + b".", "not a pickle"),
        # Deep tuples, whose hash would exhaust the stack.
        (b"\x80\x02)" + b"\x85" * 300_000 + b".", "not a table"),
        (b"\x80\x02})" + b"\x85" * 300_000 + b"Ns.", "neither word nor number"),
        (b"\x80\x02}()" + b"\x85" * 300_000 + b"Nu.", "neither word nor number"),
        (b"\x80\x02()" + b"\x85" * 300_000 + b"Nd.", "neither word nor number"),
        (b"\x80\x04\x8f()" + b"\x85" * 300_000 + b"\x90.", "not a pickle"),
    ],
)  # fmt: skip
def test_hostile_pickles_are_refused(tmp_path, content, words):
    resource = pytest.importorskip("resource")  # not on Windows
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert words in refused(tmp_path / "anno_training.pickle", content)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < (200e6 if sys.platform == "darwin" else 200e3)  # bytes there, KiB on Linux


def test_nothing_is_called(tmp_path):
    """Classes and functions by every way that a pickle has to name and call one."""
    victim = tmp_path / "made"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        message = refused(tmp_path / "a.pickle", pickle.dumps({0: Call(open, str(victim), "w")}, protocol))
        assert "open" in message
        assert "Word" in refused(tmp_path / "a.pickle", pickle.dumps({0: Word}, protocol))
        assert "Decimal" in refused(tmp_path / "a.pickle", pickle.dumps({0: decimal.Decimal(1)}, protocol))
    assert not victim.exists()
    refused(tmp_path / "a.pickle", b"(S'ls'\nios\nsystem\n.")
    refused(tmp_path / "a.pickle", b"(cos\nsystem\nS'ls'\no.")
    refused(tmp_path / "a.pickle", b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02ls\x85R.")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_of_every_kind(protocol):
    rng = np.random.default_rng(0)
    for kind in ("f8", ">f4", "<i2", "u1", "?", "f2", "i8"):
        for array in (rng.uniform(0, 9, (4, 5)).astype(kind), np.asfortranarray(rng.uniform(0, 9, (4, 5)).astype(kind)),
                      np.zeros((0, 3), kind)):  # fmt: skip
            read = unpickle.load(pickle.dumps({"a": [array, array[:1]], "b": (1, "x", None)}, protocol))
            assert np.array_equal(read["a"][0].value, array) and read["a"][0].value.dtype == array.dtype
            assert np.array_equal(read["a"][1].value, array[:1]) and read["b"] == (1, "x", None)
    assert unpickle.load(pickle.dumps(np.float32(1.5), protocol)) == 1.5


def test_a_pickle_of_python_2():
    """Its words are bytes: written by hand, since no Python here writes them so."""
    data = np.arange(6, dtype="<f4").tobytes()
    content = (b"\x80\x02}U\x01a" + ARRAY + b"(K\x01K\x02K\x03\x86cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NNN"
               b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U" + bytes([len(data)]) + data + b"tbs.")  # fmt: skip
    assert np.array_equal(unpickle.load(content)["a"].value, np.arange(6).reshape(2, 3))


def test_missing_and_wrong_files_are_named(tmp_path, drawn, monkeypatch):
    with pytest.raises(DataError, match=r"anno_training\.pickle: cannot be read .* unpack"):
        Rhd(tmp_path)
    split_folder = make(tmp_path, drawn[:2]) / "RHD_published_v2" / "training"
    cv2.imwrite(str(split_folder / "mask" / "00001.png"), np.zeros((64, 32), np.uint8))
    cv2.imwrite(str(split_folder / "color" / "00000.png"), np.zeros((240, 320, 3), np.uint8))
    hands = Rhd(tmp_path)
    with pytest.raises(DataError, match=r"color.00000\.png: is 320x240, not 320x320"):
        hands[0]
    with pytest.raises(DataError, match=r"mask.00001\.png: is 32x64"):
        hands[1]
    (split_folder / "color" / "00001.png").unlink()
    with pytest.raises(DataError, match=r"00001\.png: missing, though it has an entry"):
        Rhd(tmp_path)
    with pytest.raises(DataError, match=r"evaluation.anno_evaluation\.pickle"):
        Rhd(tmp_path, "val")
    monkeypatch.delenv("HANDPOSE_DATA", raising=False)
    with pytest.raises(DataError, match="HANDPOSE_DATA"):
        handpose.data.open("rhd")
