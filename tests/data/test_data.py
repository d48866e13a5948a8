import csv
import dataclasses
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch

import handpose.data
from handpose.data import DataError, common, crops
from handpose.data.readers import asl_letters, hand_keypoints, massey, pointlist
from tests.conftest import label_line


def image(path, array=None):
    array = np.full((40, 60, 3), 128, np.uint8) if array is None else array
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), array)
    return path


# Pictures


def test_grey_transparent_and_16_bit_pictures_are_converted(tmp_path):
    grey = image(tmp_path / "grey.png", np.full((20, 30), 77, np.uint8))
    assert (common.read_image(grey) == 77).all() and common.read_image(grey).shape == (20, 30, 3)
    deep = image(tmp_path / "deep.png", np.full((20, 30, 3), 0x8000, np.uint16))
    assert abs(int(common.read_image(deep).mean()) - 128) <= 1 and common.read_image(deep).dtype == np.uint8
    deep_grey = image(tmp_path / "deepgrey.png", np.full((20, 30), 0x8000, np.uint16))
    assert common.read_image(deep_grey).shape == (20, 30, 3)
    rgba = np.zeros((20, 30, 4), np.uint8)
    rgba[:, 15:] = (10, 20, 30, 255)  # BGR and opaque on the right, transparent black on the left
    read = common.read_image(image(tmp_path / "rgba.png", rgba))
    assert (read[:, :15] == 255).all() and (read[:, 15:] == (30, 20, 10)).all()


def test_exif_rotation_is_applied(tmp_path):
    array = np.zeros((40, 60, 3), np.uint8)
    array[:, :30] = 255
    plain = image(tmp_path / "plain.jpg", array).read_bytes()
    for orientation, corner in ((6, "top"), (8, "bottom")):
        tag = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + bytes([orientation]) + b"\0\0\0\0\0\0\0"
        segment = b"\xff\xe1" + (len(tag) + 8).to_bytes(2, "big") + b"Exif\0\0" + tag
        read = common.decode_image(plain[:2] + segment + plain[2:], "turned.jpg")
        assert read.shape == (60, 40, 3)
        top, bottom = read[:25].mean(), read[35:].mean()
        assert bool(top > bottom) is (corner == "top")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.jpg", None, "cannot be read"),
        ("empty.jpg", b"", "empty"),
        ("text.jpg", b"this is no picture", "not a picture"),
        ("cut.png", "png", "not a picture|truncated"),
        ("cut.jpg", "jpg", "truncated"),
    ],
)
def test_broken_pictures_are_named(tmp_path, name, content, words):
    file = tmp_path / name
    if content in ("png", "jpg"):
        noise = np.random.default_rng(0).integers(0, 255, (80, 80, 3), dtype=np.uint8)
        complete = image(tmp_path / f"whole.{content}", noise).read_bytes()
        file.write_bytes(complete[: len(complete) // 2])
    elif content is not None:
        file.write_bytes(content)
    with pytest.raises(DataError, match=words) as error:
        common.read_image(file)
    assert name in str(error.value) and "\n" not in str(error.value)


def test_jpeg_with_a_thumbnail_or_with_more_behind_it(tmp_path):
    """A phone's moving photo has a film behind the picture; a thumbnail in the header has an end of its own."""
    noise = np.random.default_rng(0).integers(0, 255, (80, 80, 3), dtype=np.uint8)
    complete = image(tmp_path / "whole.jpg", noise).read_bytes()
    read = common.decode_image(complete, "a.jpg")
    assert (common.decode_image(complete + bytes(300_000), "a.jpg") == read).all()
    small = image(tmp_path / "small.jpg", noise[:16, :16]).read_bytes()
    with_thumbnail = complete[:2] + b"\xff\xe1" + (len(small) + 2).to_bytes(2, "big") + small + complete[2:]
    assert (common.decode_image(with_thumbnail, "a.jpg") == read).all()
    with pytest.raises(DataError, match="truncated"):
        common.decode_image(with_thumbnail[: len(small) + len(complete) // 2], "a.jpg")


# The Hand Keypoints layout


def test_block_split_is_index_csv(real_data):
    with open(real_data / "hand-keypoints" / "index.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 7717
    for row in rows:
        number = int(row["id"])
        assert (hand_keypoints.part_of(number), hand_keypoints.block_split(number)) == (row["part"], row["block_split"])


def test_real_hand_keypoints(real_data):
    train, val = (hand_keypoints.HandKeypoints(real_data / "hand-keypoints", s) for s in ("train", "val"))
    assert (len(train), len(val)) == (6897, 820) and not set(train.numbers) & set(val.numbers)
    assert [val.parts.count(p) for p in "ABC"] == [136, 444, 240]
    published = [hand_keypoints.HandKeypoints(real_data / "hand-keypoints", f"published-{s}") for s in ("train", "val")]
    assert sum(map(len, published)) == 7717
    for i in range(0, 820, 40):
        sample = val[i]
        assert sample.image.shape == (224, 224, 3) and sample.keypoints.dtype == np.float32
        inside = sample.keypoints[sample.visible]
        assert (inside >= -0.5).all() and (inside <= 223.5).all()
        assert np.allclose(sample.box, [*inside.min(0), *inside.max(0)])


def test_real_massey_and_letters(real_data):
    hands = massey.Massey(real_data / "massey-asl", "all")
    assert len(hands) == 2514 and {r[3] for r in hands.rows} == set("12345")
    sample = hands[100]
    x, y = sample.keypoints.round().astype(int).T
    assert sample.mask[y.clip(0, len(sample.mask) - 1), x.clip(0, sample.mask.shape[1] - 1)].mean() > 200
    letters = asl_letters.AslLetters(real_data / "asl-letters", "all")
    assert len(letters) == 676
    for i in range(0, 676, 97):
        sample = letters[i]
        boxes = asl_letters.read_boxes(letters.label_file(i), *sample.image.shape[1::-1])
        assert sample.shape in {letter for letter, _ in boxes}


def test_written_set_is_read_back(small_set):
    from handpose.data import SyntheticHands

    train, val = (hand_keypoints.HandKeypoints(small_set, s) for s in ("train", "val"))
    assert (len(train), len(val)) == (24, 8) and train.parts == ["A"] * 8 + ["B"] * 8 + ["C"] * 8
    drawn = SyntheticHands(size=96)[0]
    assert np.allclose(train[0].keypoints[drawn.visible], drawn.keypoints[drawn.visible], atol=0.01)
    assert (train[0].visible == drawn.visible).all()


def test_v_zero_is_masked():
    keypoints = np.full((21, 2), 30.0)
    visible = np.arange(21) % 2 == 0
    read, labelled = hand_keypoints.parse_label(label_line(keypoints, visible, 96), "x")
    assert (labelled == visible).all() and np.allclose(read[labelled] * 96 - 0.5, 30, atol=1e-3)


GOOD = " ".join(["0"] + ["0.5"] * 4 + ["0.5 0.5 2"] * 21)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "0 label lines"),
        (GOOD + "\n" + GOOD, "2 label lines"),
        (GOOD + " 1", "69 numbers"),
        (" ".join(GOOD.split()[:40]), "40 numbers"),
        (GOOD.replace("0.5", "half", 1), "half"),
        (GOOD.replace("0.5 0.5 2", "nan 0.5 2", 1), "not finite"),
        (GOOD.replace("0.5 0.5 2", "inf 0.5 2", 1), "not finite"),
        (GOOD.replace("0.5 0.5 2", "112 98 2", 1), "outside"),
    ],
)
def test_broken_label_lines_are_named(small_set, tmp_path, text, words):
    with pytest.raises(DataError, match=words):
        hand_keypoints.parse_label(text, "IMG.txt")
    image(tmp_path / "images" / "train" / "IMG_00000001.jpg")
    label = tmp_path / "labels" / "train" / "IMG_00000001.txt"
    label.parent.mkdir(parents=True)
    label.write_text(text)
    with pytest.raises(DataError, match=words) as error:
        hand_keypoints.HandKeypoints(tmp_path)[0]
    assert "IMG_00000001.txt" in str(error.value)


def test_missing_label_and_broken_picture_are_named(tmp_path):
    image(tmp_path / "images" / "train" / "IMG_00000001.jpg")
    with pytest.raises(DataError, match="no label for IMG_00000001.jpg"):
        hand_keypoints.HandKeypoints(tmp_path)[0]
    (tmp_path / "images" / "train" / "IMG_00000001.jpg").write_bytes(b"\xff\xd8 nothing")
    (tmp_path / "labels" / "train").mkdir(parents=True)
    (tmp_path / "labels" / "train" / "IMG_00000001.txt").write_text(GOOD)
    with pytest.raises(DataError, match=r"IMG_00000001\.jpg"):
        hand_keypoints.HandKeypoints(tmp_path)[0]


HEADER = ["path", "score", *(f"{axis}{joint}" for joint in range(21) for axis in "xy")]
ROW = ["a/x.jpg", "0.9", *map(str, range(42))]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("a/x.jpg,0.9,1,2", "4 fields"),
        ("a/x.jpg,high" + ",1" * 42, "high"),
        ("a/x.jpg,0.9,nan" + ",1" * 41, "finite"),
        ("a/x.jpg,0.9" + ",0.5" * 42, "all points lie between 0 and 1: they are parts of the picture's size"),
        ('"' + "a/x.jpg,0.9" * 20_000, "no row of a CSV file .*quotation mark"),
    ],
)
def test_broken_rows_are_named(tmp_path, row, words):
    file = tmp_path / "keypoints.csv"
    file.write_text(",".join(HEADER) + "\n" + row + "\n")
    with pytest.raises(DataError, match=words) as error:
        pointlist.read(file, 0.5)
    assert f"{file}, line 2" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("head", ["", ",".join(HEADER) + "\n", "\ufeff" + ",".join(HEADER).upper() + "\n\n"])
def test_a_list_of_points_may_lack_its_header(tmp_path, head):
    file = tmp_path / "keypoints.csv"
    file.write_text(head + "".join(f"{n}.jpg,0.9" + ",2" * 42 + "\n" for n in range(3)), encoding="utf-8")
    assert [name for name, _ in pointlist.read(file, 0.5)] == ["0.jpg", "1.jpg", "2.jpg"]


@pytest.mark.parametrize(
    "names",
    [
        ["path", "score", *(f"{axis}{joint}" for axis in "xy" for joint in range(21))],
        ["path", "score", *(f"{axis}{joint}" for joint in range(21) for axis in "yx")],
        [*HEADER[2:], "who", "score", "path"],
    ],
)
def test_the_header_names_the_columns(tmp_path, names):
    file, row = tmp_path / "keypoints.csv", dict(zip(HEADER, ROW, strict=True)) | {"who": "me"}
    file.write_text(",".join(names) + "\n" + ",".join(row[name] for name in names) + "\n")
    ((path, keypoints),) = pointlist.read(file, 0.5)
    assert path == "a/x.jpg" and np.array_equal(keypoints, np.arange(42).reshape(21, 2))


def test_a_list_of_points_that_cannot_be_meant(tmp_path):
    """A column that is missing or there twice, a picture twice, a byte of another encoding."""
    file, body = tmp_path / "keypoints.csv", ",".join(ROW) + "\n"
    file.write_text(",".join(HEADER[:-1]) + "\n" + body)
    with pytest.raises(
        DataError, match=r"keypoints\.csv, line 1: no column y20; its names must be path, score, x0, y0"
    ):
        pointlist.read(file, 0.5)
    file.write_text(",".join([*HEADER, "x0"]) + "\n" + body)
    with pytest.raises(DataError, match=r"keypoints\.csv, line 1: twice column x0; "):
        pointlist.read(file, 0.5)
    file.write_text(body + body.replace("a/x", "./a/x"))
    with pytest.raises(DataError, match=r"keypoints\.csv, line 2: '\./a/x\.jpg' was there before, in line 1"):
        pointlist.read(file, 0.5)
    file.write_bytes(body.encode() + b"h\xe4nde.jpg" + body[7:].encode())
    with pytest.raises(DataError, match=r"keypoints\.csv: is not UTF-8 .*; save it as UTF-8"):
        pointlist.read(file, 0.5)


@pytest.mark.parametrize(
    "line", ["27 .5 .5 .1 .1", "x .5 .5 .1 .1", "1 .5 .5 .1", "1 nan .5 .1 .1", "1.5 .5 .5 .1 .1", "1 .5 .5 0 .1"]
)
def test_broken_boxes_are_named(tmp_path, line):
    (tmp_path / "a.txt").write_text("0 .5 .5 .2 .2\n" + line)
    with pytest.raises(DataError, match="line 2"):
        asl_letters.read_boxes(tmp_path / "a.txt", 100, 100)


# Opening by name


@pytest.mark.parametrize("source", ["hand-keypoints", "massey", "asl-letters"])
def test_where_data_is_looked_for(monkeypatch, tmp_path, source):
    monkeypatch.delenv("HANDPOSE_DATA", raising=False)
    with pytest.raises(DataError, match="HANDPOSE_DATA"):
        handpose.data.open(source)
    with pytest.raises(DataError, match="no such folder"):
        handpose.data.open(f"{source}:{tmp_path / 'nowhere'}")
    with pytest.raises(DataError, match="no split 'tset'"):
        handpose.data.open(f"{source}:{tmp_path}", "tset")


def test_unknown_name_lists_the_known():
    with pytest.raises(DataError, match="hand-keypoints"):
        handpose.data.open("handkeypoints")
    for wrong in ("synthetic:many", "synthetic:0"):
        with pytest.raises(DataError, match="number of hands"):
            handpose.data.open(wrong)


def test_synthetic_needs_nothing():
    hands = handpose.data.open("synthetic:3", "test")
    assert len(hands) == 3 and hands[2].image.dtype == np.uint8


# Kept crops


def test_kept_crops_agree_with_the_samples(small_set):
    train = hand_keypoints.HandKeypoints(small_set)
    loaded = crops.load_crops("hand-keypoints", train, 64, progress=False)
    assert loaded.images.shape == (24, crops.kept_side(64), crops.kept_side(64), 4) and not loaded.masked
    assert loaded.parts.bincount().tolist() == [8, 8, 8]
    again = crops.load_crops("hand-keypoints", train, 64, progress=False)
    assert loaded.fingerprint() == again.fingerprint()
    moved = dataclasses.replace(again, keypoints=again.keypoints + 1, digest=None)
    assert loaded.fingerprint() != moved.fingerprint()


def test_sources_are_joined_without_a_copy(small_set):
    hands, drawn = hand_keypoints.HandKeypoints(small_set), handpose.data.SyntheticHands(size=64, length=3)
    sources = [crops.load_crops(name, samples, 32, progress=False) for name, samples in (("a", hands), ("b", drawn))]
    joined, chosen = crops.Joined(sources), torch.tensor([26, 0, 23, 24, 23])
    for i, name in enumerate(("images", "keypoints", "visible")):
        whole = torch.cat([getattr(source, name) for source in sources])
        assert torch.equal(joined[chosen][i], whole[chosen])
        assert joined.sources[1][i].data_ptr() == getattr(sources[1], name).data_ptr()


def test_drawn_hands_are_kept_on_disk_and_masks_come_along(tmp_path, monkeypatch):
    monkeypatch.setenv("HANDPOSE_CACHE", str(tmp_path))
    hands = handpose.data.SyntheticHands(size=64, length=3)
    first = crops.load_crops("synthetic", hands, 32, progress=False)
    (file,) = tmp_path.glob("*.npz")
    assert (
        first.masked and first.fingerprint() == crops.load_crops("synthetic", hands, 32, progress=False).fingerprint()
    )
    file.write_bytes(file.read_bytes()[:100])  # a broken file is drawn anew
    assert first.fingerprint() == crops.load_crops("synthetic", hands, 32, progress=False).fingerprint()


def test_backgrounds_do_not_show_the_labelled_hand(small_set):
    train = hand_keypoints.HandKeypoints(small_set)
    windows = crops.backgrounds(train, 64)
    assert windows.shape[1:] == (crops.kept_side(64), crops.kept_side(64), 3)
    assert crops.drawn_backgrounds(32, number=2).shape == (2, crops.kept_side(32), crops.kept_side(32), 3)


def test_importing_the_package_draws_nothing():
    code = "import handpose, sys; sys.exit('handpose.data.synthetic' in sys.modules)"
    assert subprocess.call([sys.executable, "-c", code], env=os.environ) == 0


def test_where_crops_are_kept_on_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("HANDPOSE_CACHE", str(tmp_path / "mine"))
    assert crops.cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("HANDPOSE_CACHE")
    assert crops.cache_folder().is_absolute() and "handpose" in crops.cache_folder().parts
    if sys.platform == "linux":
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))
        assert crops.cache_folder() == tmp_path / ".cache" / "handpose"
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
        assert crops.cache_folder() == tmp_path / "xdg" / "handpose"
