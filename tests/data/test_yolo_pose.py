"""The reader of YOLO-pose sets, on folders written here with rendered hands."""

import cv2
import numpy as np
import pytest
from PIL import Image

import handpose.data
from handpose import skeleton
from handpose.data import DataError, SyntheticHands
from handpose.data.readers import simple_yaml, turned, yolo_pose
from handpose.data.readers.yolo_pose import YoloPose
from handpose.train.heldout import open_sets

PALM = [f"{f}{k}" for f in ("thumb", "index", "middle", "ring", "little") for k in range(1, 5)]


@pytest.fixture(scope="module")
def drawn():
    hands = SyntheticHands(seed=7, size=96)
    return [hands[i] for i in range(5)]


def line(sample, *, v=2, order=range(21), kind=0):
    """A hand as a line; the pictures are wider than high, so x and y have different units."""
    at = (sample.keypoints + 0.5) / sample.image.shape[1::-1]
    rows = np.column_stack([at, np.full(21, v)]) if v else at
    return f"{kind} 0.5 0.5 0.9 0.9 " + " ".join(f"{n:.6f}".removesuffix(".000000") for n in rows[list(order)].ravel())


def put(root, where, name, image, *lines, end="\r\n"):
    """A picture in images/PLACE, and its label file unless `lines` are missing."""
    folders = [root / kind / where for kind in ("images", "labels")]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(folders[0] / name), image[..., ::-1])
    if lines:
        (folders[1] / name).with_suffix(".txt").write_text(end.join([*lines, ""]))


def agree(read, sample):
    assert (read.visible == sample.visible).all() and (read.image == sample.image).all()
    assert np.allclose(read.keypoints[read.visible], sample.keypoints[sample.visible], atol=1e-3)
    return True


@pytest.fixture
def folder(tmp_path, drawn):
    for i, sample in enumerate(drawn):
        put(tmp_path, "train" if i < 3 else "val", f"my photo {i}.png", sample.image, line(sample))
    return tmp_path


def test_splits_stand_as_they_are(folder, drawn):
    train, val = (handpose.data.open(f"yolo-pose:{folder}", split) for split in ("train", "val"))
    assert (len(train), len(val), len(YoloPose(folder, "all"))) == (3, 2, 5)
    read = [train[0], train[1], train[2], val[0], val[1]]
    assert all(agree(hand, sample) for hand, sample in zip(read, drawn, strict=True))
    assert "ours" in train.notes[0] and len({train[i].group for i in range(3)}) == 3 and train.grouping == "photograph"
    with pytest.raises(DataError, match="has no pictures of split 'test', only of train, val"):
        YoloPose(folder, "test")


def test_several_hands_hidden_joints_sides_and_what_is_left_out(tmp_path, drawn):
    hidden = line(drawn[1], kind=1).split(" ")
    hidden[7] = "1"
    put(tmp_path, "train", "a.bmp", drawn[0].image, line(drawn[0]), "", " ".join(hidden), "0 0.5 0.5 0.1 0.1")
    put(tmp_path, "train", "b.png", drawn[0].image)  # nothing labelled
    put(tmp_path, "train", "c.png", drawn[0].image, "0 0.5 0.5 0.1 0.1 " + "0 0 0 " * 21)
    (tmp_path / "labels" / "train" / "d.txt").write_text("")
    (tmp_path / "data.yaml").write_text("names: {0: left hand, 1: Right_Hand}\ntrain: images/train\n")
    hands = YoloPose(tmp_path)
    assert [hands[i].hand for i in range(len(hands))] == ["left", "right"] and hands[0].group == hands[1].group
    assert [hands[i].id for i in range(2)] == ["a#0", "a#1"]
    assert hands[1].occluded.tolist() == [True] + [False] * 20 and hands[1].visible[0]
    assert np.allclose(hands[1].keypoints, drawn[1].keypoints, atol=1e-3)
    assert hands.notes[1:] == ["left out: 1 line without key-points, 1 line without a labelled joint",
                               "left out: 1 label file without a picture",
                               "left out: 1 picture without a label file"]  # fmt: skip


def test_two_numbers_a_joint(tmp_path, drawn):
    words = line(drawn[0], v=None).split(" ")
    words[5 + 2 * 3 : 5 + 2 * 4] = ["0", "0"]  # joint 3 has no label
    put(tmp_path, "train", "a.png", drawn[0].image, " ".join(words))
    (tmp_path / "data.yaml").write_text("kpt_shape: [21, 2]\n")
    hand = YoloPose(tmp_path)[0]
    assert hand.occluded is None and not hand.visible[3] and hand.visible.sum() == drawn[0].visible.sum() - 1
    (tmp_path / "data.yaml").write_text("kpt_shape:\n- 21\n- 3\n")
    with pytest.raises(DataError, match=r"a\.txt, line 1: 47 numbers, not 68"):
        YoloPose(tmp_path)
    (tmp_path / "data.yaml").write_text("kpt_shape: [17, 3]\n")
    with pytest.raises(DataError, match=r"kpt_shape is \[17, 3\], not"):
        YoloPose(tmp_path)


@pytest.mark.parametrize("marker", ["0", "-1"])
def test_joints_that_are_marked_and_repeated_lines(tmp_path, drawn, marker):
    """With three numbers a joint as with two: what stands there is missing. A line twice is two hands, and said."""
    words = line(drawn[0]).split(" ")
    words[5 + 3 * 3 : 5 + 3 * 4] = [marker, marker, "2"]
    put(tmp_path, "train", "a.png", drawn[0].image, " ".join(words), line(drawn[1]), line(drawn[1]))
    hands = YoloPose(tmp_path)
    assert len(hands) == 3 and not hands[0].visible[3] and np.isnan(hands[0].keypoints[3]).all()
    assert hands[0].visible.sum() == drawn[0].visible.sum() - 1 and hands[1].visible[3]
    assert hands.notes[1:] == [
        "1 joint stands at (0, 0) or (-1, -1) with a label, and is masked as missing; such a joint should have v = 0",
        "1 line with the picture and joints of another, and counted as a hand each",
    ]


def test_joints_as_parts_of_their_box(tmp_path, drawn):
    for i, sample in enumerate(drawn):
        low, high = sample.keypoints.min(0), sample.keypoints.max(0)
        inside = (sample.keypoints - low) / (high - low)
        center, size = ((low + high) / 2 + 0.5) / 96, (high - low) / 96
        numbers = [*center, *size, *np.column_stack([inside, np.full(21, 2)]).ravel()]
        put(tmp_path, "train", f"{i}.png", sample.image, "0 " + " ".join(f"{n:.6f}" for n in numbers))
    with pytest.raises(DataError, match=r"the joints of 5 of 5 hands do not fit .*first in 0; parts of the box\?"):
        YoloPose(tmp_path)


def test_names_or_the_user_decide_the_order(folder, drawn):
    order = [0, *(4 * f + k for f in (4, 3, 2, 1, 0) for k in range(1, 5))]
    for i, sample in enumerate(drawn[:3]):
        put(folder, "train", f"my photo {i}.png", sample.image, line(sample, order=order))
    joints = "".join(f"    - {['wrist', *PALM][j]}\n" for j in order)
    (folder / "data.yaml").write_text(f"path: .\ntrain: images/train\nkpt_shape: [21, 3]\nkpt_names:\n  0:\n{joints}")
    hands = YoloPose(folder / "data.yaml")
    assert all(agree(hands[i], drawn[i]) for i in range(3)) and "by their names" in hands.notes[0]
    listed = ",".join(["wrist", *PALM][j] for j in order)
    (folder / "data.yaml").unlink()
    assert agree(handpose.data.open(f"yolo-pose:{folder}", joint_order=listed)[0], drawn[0])
    for i in range(12):
        sample = SyntheticHands(seed=3, size=96)[i]
        put(folder, "train", f"more {i}.png", sample.image, line(sample, order=skeleton.RHD_ORDER))
    for i, sample in enumerate(drawn[:3]):
        put(folder, "train", f"my photo {i}.png", sample.image, line(sample, order=skeleton.RHD_ORDER))
    with pytest.raises(DataError, match="lie from tip to palm"):
        YoloPose(folder)
    assert agree(YoloPose(folder, joint_order="rhd")[12], drawn[0])


@pytest.mark.parametrize("train", ["../train/images", "train\\images", "/content/set/train/images", "train.txt"])
def test_places_that_tools_write(tmp_path, drawn, train):
    """As Roboflow exports them, also where the yaml file was made elsewhere."""
    put(tmp_path, "x", "a.png", drawn[0].image, line(drawn[0]))
    for kind in ("images", "labels"):
        (tmp_path / "train").mkdir(exist_ok=True)
        (tmp_path / kind / "x").rename(tmp_path / "train" / kind)
    (tmp_path / "train.txt").write_text("./train/images/a.png\r\n")
    (tmp_path / "data.yaml").write_text(f"train: {train}\nval: ../valid/images\ntest: ../test/images\nnc: 1\n"
                                        "names: ['hand']\nroboflow:\n  version: 1\n")  # fmt: skip
    for split in ("train", "all"):
        assert agree(YoloPose(tmp_path, split)[0], drawn[0])
    with pytest.raises(DataError, match=r"there is no \.\./valid/images"):
        YoloPose(tmp_path, "val")
    (tmp_path / "data.yaml").unlink()
    assert agree(YoloPose(tmp_path)[0], drawn[0])


@pytest.mark.parametrize("folder", ["", "default", "mine/2024", "beside"])
def test_a_folder_without_parts_is_every_split(tmp_path, drawn, folder):
    put(tmp_path, "" if folder == "beside" else folder, "a.png", drawn[0].image, line(drawn[0]))
    if folder == "beside":
        for file in ("images/a.png", "labels/a.txt"):
            (tmp_path / file).rename(tmp_path / file.split("/")[1])
        (tmp_path / "images").rmdir()
        (tmp_path / "labels").rmdir()
    for split in ("train", "val", "all"):
        hands = YoloPose(tmp_path, split)
        assert agree(hands[0], drawn[0]) and hands.undivided


@pytest.mark.parametrize("only", ["train", "val", "test", "Training"])
def test_one_part_alone_is_a_set_without_splits(tmp_path, drawn, only):
    """It is divided to be trained on, as a label file alone is."""
    part = {"Training": "train"}.get(only, only)
    for i in range(3):
        put(tmp_path, only, f"{i}.png", drawn[i].image, line(drawn[i]))
    for split in ("train", "val", "all"):
        hands = YoloPose(tmp_path, split)
        assert len(hands) == 3 and hands.undivided and hands.file == tmp_path
        notes = [note for note in hands.notes if note.startswith(f"there is no split but {part}, which is taken as")]
        assert len(notes) == (split not in (part, "all"))
    opened, held_out = open_sets([f"yolo-pose:{tmp_path}"], ("train", "val"), f"yolo-pose:{tmp_path}", [], None, {},
                                 progress=False)  # fmt: skip
    assert len(opened[0]) == 2 and len(held_out.divided.val) == 1


def test_train_and_val_that_are_the_same_are_one_set(folder):
    (folder / "data.yaml").write_text("train: images/train\nval: images/train\n")
    for split in ("train", "val"):
        hands = YoloPose(folder, split)
        assert len(hands) == 3 and hands.undivided and "the same pictures" in hands.notes[-1]
    (folder / "data.yaml").write_text("train: images/train\nval: images/val\n")
    assert not YoloPose(folder, "val").undivided


def test_lists_of_names_as_cvat_writes_them(tmp_path, drawn):
    put(tmp_path, "train", "a.png", drawn[0].image, line(drawn[0]))
    (tmp_path / "train.txt").write_text("data/images/train/a.png\n")
    (tmp_path / "data.yaml").write_text("kpt_shape: [21, 3]\ntrain: train.txt\nnames:\n  0: hand\npath: .\n")
    assert agree(YoloPose(tmp_path)[0], drawn[0])
    (tmp_path / "train.txt").write_text("data/images/train/b.png\n")
    with pytest.raises(DataError, match=r"train\.txt: there is no picture .*b\.png"):
        YoloPose(tmp_path)


def test_rotation_is_said_and_can_be_undone(tmp_path, drawn):
    put(tmp_path, "train", "a.jpg", drawn[0].image, line(drawn[0]))
    exif = Image.Exif()
    exif[turned.ORIENTATION] = 6
    Image.fromarray(drawn[0].image).save(tmp_path / "images" / "train" / "a.jpg", exif=exif, quality=100)
    assert "--unturned" in YoloPose(tmp_path).notes[-1]
    back = handpose.data.open(f"yolo-pose:{tmp_path}", unturned=True)
    assert np.abs(back[0].image.astype(int) - drawn[0].image).mean() < 8
    assert np.abs(YoloPose(tmp_path)[0].image.astype(int) - drawn[0].image).mean() > 8


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0 0.5 0.5 0.1", "line 1: 4 numbers, not 47 or 68"),
        ("0 0.5 0.5 0.1 0.1 " + "x 0 0 " * 21, "could not convert"),
        ("0 0.5 0.5 0.1 0.1 " + "nan 0 2 " * 21, "not finite"),
        ("0.5 0.5 0.5 0.1 0.1 " + "0.5 0.5 2 " * 21, "class no whole number"),
        ("\n0 120 130 50 50 " + "120 130 2 " * 21, "line 2: a joint lies far outside .*for pixels use coco:"),
        ("0 0.5 0.5 0.1 0.1 " + "0.5 0.5 -1 " * 21, "a v that is not from 0 to 10"),
    ],
)
def test_broken_lines_are_named(tmp_path, drawn, text, words):
    put(tmp_path, "train", "a.png", drawn[0].image, text, end="\n")
    with pytest.raises(DataError, match=rf"a\.txt, .*{words}"):
        YoloPose(tmp_path)


def test_what_is_missing_is_named(tmp_path, drawn):
    with pytest.raises(DataError, match="yolo-pose needs its data.yaml or folder"):
        handpose.data.open("yolo-pose")
    with pytest.raises(DataError, match="has no pictures of split 'train' in images/SPLIT or SPLIT/images"):
        YoloPose(tmp_path)
    with pytest.raises(DataError, match=r"none\.yaml: cannot be read"):
        YoloPose(tmp_path / "none.yaml")
    put(tmp_path, "train", "a.png", drawn[0].image, line(drawn[0]))
    put(tmp_path, "train", "a.bmp", drawn[0].image)
    with pytest.raises(DataError, match=r"a\.txt: belongs to two pictures, a\.bmp and a\.png"):
        YoloPose(tmp_path)


def test_the_published_set_is_told_from_others(folder, drawn):
    with pytest.raises(DataError, match=r"expected a name like IMG_00000001\.jpg; .*yolo-pose:PATH"):
        for file in (folder / "images").rglob("*.png"):
            Image.open(file).save(file.with_name(f"IMG_{file.stem[-1]:0>4}.jpg"))
        handpose.data.open(f"hand-keypoints:{folder}")
    with pytest.raises(DataError, match="2 label lines; .*yolo-pose:PATH"):
        handpose.data.readers.hand_keypoints.parse_label("0 0\n0 0\n", "x")


def test_yaml_is_read_or_refused(tmp_path):
    """What tools write, beside what a YAML library makes of it; the rest in a line."""
    file = tmp_path / "data.yaml"
    file.write_text(
        "# made by a tool\npath: ../sets/hands # root\ntrain: images/train\nval:\n- a/b\n- 'c: d'\ntest:\n"
        'kpt_shape: [21,\n  3] # x, y, v\nflip_idx:\n  [0, 1, -2]\nnames:\n  0: hand\n  1: "two # hands"\n'
        "more: {0: a b, 'k': [1.5, true, null]}\nlist:\n  - a: 1\n    b: C:\\data\n  - x\n"
    )
    assert simple_yaml.read(file) == {
        "path": "../sets/hands", "train": "images/train", "val": ["a/b", "c: d"], "test": None, "kpt_shape": [21, 3],
        "flip_idx": [0, 1, -2], "names": {0: "hand", 1: "two # hands"}, "more": {0: "a b", "k": [1.5, True, None]},
        "list": [{"a": 1, "b": "C:\\data"}, "x"],
    }  # fmt: skip
    for text in ("a: |\n  b", "a: &x 1", "a: [1, 2", "- 1", "a: 1\na: 2", "a: 1\n   b: 2", "\ta: 1", "", "a", "a: 'b"):
        file.write_text(text)
        with pytest.raises(DataError, match=r"data\.yaml: ") as error:
            simple_yaml.read(file)
        assert "\n" not in str(error.value)


def test_label_text_alone():
    hands, left_out = yolo_pose.parse("\ufeff0 0.5 0.5 0.1 0.1\r\n\r\n", "x")
    assert hands == [] and left_out == {"without key-points": 1}
