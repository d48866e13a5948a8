"""The reader of hands in COCO's form, on real files of four sets where they are, and on files written here."""

import gzip
import json

import cv2
import numpy as np
import pytest
from PIL import Image

import handpose.data
from handpose import skeleton
from handpose.data import DataError, SyntheticHands
from handpose.data.readers import coco_json, turned
from handpose.data.readers.coco import Coco

SETS = {"freihand": 8, "onehand10k": 4, "panoptic": 4, "rhd": 3}


def mean_length(keypoints, pairs):
    """Mean distance over hands (N, 21, 2) and pairs of joints."""
    a, b = np.array(pairs).T
    return np.linalg.norm(keypoints[:, a] - keypoints[:, b], axis=-1).mean()


def is_in_order(keypoints):
    """Whether pictures of hands (N, 21, 2), taken together, have a hand's anatomy in the canonical order."""
    fingers = [[4 * f + k for k in (1, 2, 3, 4)] for f in range(5)]
    along = mean_length(keypoints, [pair for f in fingers for pair in zip(f, f[1:], strict=False)])
    straight = along < mean_length(keypoints, [pair for f in fingers for pair in zip(f, f[2:], strict=False)])
    bases, tips = ([f[k] for f in fingers] for k in (0, 3))
    to_base, to_tip = (mean_length(keypoints, [(0, j) for j in joints]) for joints in (bases, tips))
    thumb_first = mean_length(keypoints, [(0, 1)]) < min(mean_length(keypoints, [(0, j)]) for j in bases[1:])
    longest_first = mean_length(keypoints, [(f[0], f[1]) for f in fingers[1:]]) > mean_length(
        keypoints, [(f[2], f[3]) for f in fingers[1:]]
    )
    # No crossing: from the index finger's base, and from the little finger's, the others come one after the other.
    rows = [[mean_length(keypoints, [(end, j)]) for j in way] for end, way in ((5, (9, 13, 17)), (17, (13, 9, 5)))]
    row = all(list(lengths) == sorted(lengths) for lengths in rows)
    return bool(straight and to_base < to_tip and thumb_first and longest_first and row)


@pytest.mark.parametrize("name", SETS)
def test_real_files(real_data, name):
    file = real_data / "format-samples" / name / f"test_{name}.json"
    hands = handpose.data.open(f"coco:{file}", "val")
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
    hands = Coco(real_data / "format-samples" / name / f"test_{name}.json")
    keypoints = np.stack([hands[i].keypoints for i in range(len(hands)) if hands[i].visible.all()])
    assert len(keypoints) and is_in_order(keypoints)
    reversed_fingers = [0] + [j for finger in skeleton.FINGERS for j in reversed(skeleton.FINGER_JOINTS[finger])]
    little_first = [0] + [j for finger in reversed(skeleton.FINGERS) for j in skeleton.FINGER_JOINTS[finger]]
    both = [little_first[j] for j in reversed_fingers]
    crossed = [*range(5), *range(9, 13), *range(5, 9), *range(13, 21)]  # index and middle finger changed over
    for wrong in (reversed_fingers, little_first, both, crossed, list(range(20, -1, -1))):
        assert not is_in_order(keypoints[:, wrong])


def test_rhd_conversion_keeps_its_own_order(real_data):
    """Though its categories name the joints base first, as the others' do: its description and its points say so."""
    file = real_data / "format-samples" / "rhd" / "test_rhd.json"
    assert json.loads(file.read_text())["categories"][0]["keypoints"][1:3] == ["thumb1", "thumb2"]
    as_it_stands = Coco(file, joint_order="canonical")
    assert not is_in_order(np.stack([as_it_stands[i].keypoints for i in range(3)]))
    hands = Coco(file)
    assert [hands[i].hand for i in range(3)] == ["left", "left", "right"]
    assert "order of the joints: Rendered Hand Pose's own, from tip to palm, as the points lie" in hands.notes


def test_groups_of_real_files(real_data):
    folder = real_data / "format-samples"
    hands = Coco(folder / "freihand" / "test_freihand.json")
    assert len({hands[i].group for i in range(len(hands))}) == 2  # two photographs in four versions each
    hands = handpose.data.open(f"panoptic:{folder / 'panoptic' / 'test_panoptic.json'}")
    assert [hands[i].group for i in range(4)] == ["005880453"] * 2 + ["ex2_2.flv"] * 2
    assert [hands[i].hand for i in range(4)] == ["left", "right"] * 2


# Files written here


@pytest.fixture(scope="module")
def drawn():
    hands = SyntheticHands(seed=7, size=96)
    return [hands[i] for i in range(4)]


def joints(sample, hidden=(3,)):
    """63 numbers; the given joints have no label and stand at (0, 0)."""
    return [n for j, (x, y) in enumerate(sample.keypoints.tolist()) for n in ((0, 0, 0) if j in hidden else (x, y, 1))]


def write_image(folder, name, image):
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
        write_image(folder, f"{i}.png", sample.image)
    (folder / name).write_text(json.dumps(content(drawn) | changes))
    return folder / name


def agree(read, sample, hidden=(3,)):
    expected = sample.visible & ~np.isin(np.arange(21), hidden)
    assert (read.visible == expected).all() and np.isnan(read.keypoints[list(hidden)]).all()
    assert np.allclose(read.keypoints[expected], sample.keypoints[expected], atol=1e-4)
    assert (read.image == sample.image).all() and read.keypoints.dtype == np.float32
    return True


def test_written_file_is_read_back(tmp_path, drawn):
    hands = handpose.data.open(f"coco:{make(tmp_path, drawn)}", "train")
    assert len(hands) == 4 and all(agree(hands[i], sample) for i, sample in enumerate(drawn))
    assert len({hands[i].group for i in range(4)}) == 4 and hands.grouping == "photograph"
    assert hands[1].id == "1.png#101" and hands[1].hand is None
    for split in ("val", "all"):
        assert len(Coco(tmp_path / "labels.json", split)) == 4


def test_joints_outside_and_hands_without_labels(tmp_path, drawn):
    annotations = content(drawn)["annotations"][:2]
    annotations[0]["keypoints"][:6] = [-0.6, 10, 2, 95.5, 10, 2]  # half a pixel belongs to the picture, no more
    annotations[1]["keypoints"] = [0] * 63
    hands = Coco(make(tmp_path, drawn, annotations=annotations))
    assert len(hands) == 1 and not hands[0].visible[0] and hands[0].visible[1]
    assert hands[0].keypoints[0] == pytest.approx([-0.6, 10])  # it has a place, but not in the picture


def test_two_hands_of_a_person(tmp_path, drawn):
    images = [{"id": 785, "file_name": "000000000785.png", "width": 96, "height": 96}]
    person = {"image_id": 785, "category_id": 1, "keypoints": [1] * 51, "lefthand_box": [0, 0, 0, 0],
              "righthand_box": [0, 0, 9, 9]}  # fmt: skip
    left, right, none = joints(drawn[0]), joints(drawn[1], (4, 8)), [0.0] * 63
    second = joints(drawn[1], (4, 8, 12))  # the same joints in the same picture would be a repetition
    annotations = [
        person | {"id": 1, "lefthand_kpts": left, "righthand_kpts": right, "lefthand_valid": True,
                  "righthand_valid": True},
        person | {"id": 2, "lefthand_kpts": none, "righthand_kpts": second, "lefthand_valid": False,
                  "righthand_valid": True},
        person | {"id": 3, "lefthand_kpts": none, "righthand_kpts": none, "lefthand_valid": False,
                  "righthand_valid": False},
        person | {"id": 4, "lefthand_kpts": left, "righthand_kpts": right, "lefthand_valid": False,
                  "righthand_valid": False},
    ]  # fmt: skip
    file = tmp_path / "annotations" / "coco_wholebody_val_v1.0.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"images": images, "annotations": annotations}))
    write_image(tmp_path / "val2017", images[0]["file_name"], drawn[0].image)
    hands = handpose.data.open(f"coco-wholebody:{tmp_path}", "val")
    assert [hands[i].id.split("#")[1] for i in range(len(hands))] == ["1-left", "1-right", "2-right"]
    assert [hands[i].hand for i in range(3)] == ["left", "right", "right"]
    assert {hands[i].group for i in range(3)} == {"coco_wholebody_val_v1.0-31"}
    assert agree(hands[0], drawn[0])
    for i in (1, 2):
        shown = ~np.isin(np.arange(21), (4, 8) if i == 1 else (4, 8, 12))
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


PALM = [f"{f}{k}" for f in ("thumb", "index", "middle", "ring", "little") for k in range(1, 5)]
LITTLE_FIRST = [0, *(4 * f + k for f in (4, 3, 2, 1, 0) for k in range(1, 5))]  # ours of each of the file's joints


def named(drawn, names, order=range(21), **info):
    """A file whose joints stand in this order of ours, under these names."""
    value = content(drawn, **info) | {"categories": [{"id": 1, "name": "hand", "keypoints": names}]}
    for annotation in value["annotations"]:
        triples = np.reshape(annotation["keypoints"], (21, 3))[list(order)]
        annotation |= {"keypoints": triples.reshape(-1).tolist(), "category_id": 1}
    return value


def test_names_decide_the_order(tmp_path, drawn):
    """Little finger first, as a tool may list them; by position PCK would be near zero."""
    names = ["wrist", *PALM]
    file = make(tmp_path, drawn, **named(drawn, [names[j] for j in LITTLE_FIRST], LITTLE_FIRST))
    hands = Coco(file)
    assert all(agree(hands[i], sample) for i, sample in enumerate(drawn))
    assert hands.notes[0] == "order of the joints: by their names in categories"
    without = Coco(make(tmp_path, drawn))
    assert "ours" in without.notes[0] and "does not name them" in without.notes[0]


@pytest.mark.parametrize("category_id", [0, "hand", "HAND", "9", None, 1.5, ...])
def test_an_annotation_whose_category_is_not_there(tmp_path, drawn, category_id):
    """Off by one, a name, null, or none at all: the one category that names 21 joints is meant, never our own order."""
    names = ["wrist", *PALM]
    value = named(drawn, [names[j] for j in LITTLE_FIRST], LITTLE_FIRST)
    value["categories"].append({"id": 7, "name": "person", "keypoints": [str(i) for i in range(17)]})
    for annotation in value["annotations"]:
        annotation["category_id"] = category_id
        if category_id is ...:
            del annotation["category_id"]
    hands = Coco(make(tmp_path, drawn, **value))
    assert all(agree(hands[i], sample) for i, sample in enumerate(drawn))
    said = "4 annotations without a category that names joints, taken as 'hand', the only one that does"
    assert any(note.startswith(said) for note in hands.notes) == (category_id not in ("hand", "HAND"))
    assert "order of the joints: by their names in categories" in hands.notes
    value["categories"].append({"id": 8, "name": "left_hand", "keypoints": names})
    file = make(tmp_path, drawn, **value)
    if category_id in ("hand", "HAND"):
        assert agree(Coco(file)[0], drawn[0])
        return
    with pytest.raises(
        DataError, match=r"annotations\[0\]: category_id .* the order of its joints is not clear .*'left"
    ):
        Coco(file)
    listed = ",".join(names[j] for j in LITTLE_FIRST)
    assert agree(Coco(file, joint_order=listed)[0], drawn[0])


def test_a_category_without_names_beside_one_with_them(tmp_path, drawn):
    names = ["wrist", *PALM]
    value = named(drawn, [names[j] for j in LITTLE_FIRST], LITTLE_FIRST)
    value["categories"] = [value["categories"][0] | {"name": "left_hand"}, {"id": 2, "name": "right_hand"}]
    value["annotations"][1]["category_id"] = 2
    hands = Coco(make(tmp_path, drawn, **value))
    assert all(agree(hands[i], sample) for i, sample in enumerate(drawn))
    assert [hands[i].hand for i in range(3)] == ["left", "right", "left"]
    assert any(note.startswith("1 annotation without a category that names joints") for note in hands.notes)


@pytest.mark.parametrize(
    ("categories", "words"),
    [
        (
            [{"id": 1, "keypoints": dict.fromkeys(["wrist", *PALM], 0)}],
            r'categories\[0\]: "keypoints" is not a list of',
        ),
        ([{"id": 1, "keypoints": ",".join(["wrist", *PALM])}], r'categories\[0\]: "keypoints" is not a list of'),
        ({"1": {"name": "hand", "keypoints": ["wrist", *PALM]}}, "categories: not a list of entries with id, name"),
    ],
)
def test_names_of_joints_that_cannot_be_read(tmp_path, drawn, categories, words):
    file = make(tmp_path, drawn, categories=categories)
    with pytest.raises(DataError, match=f"labels.json, {words} .*--joint-order canonical"):
        Coco(file)
    assert agree(Coco(file, joint_order="canonical")[0], drawn[0])


def test_two_categories_with_one_id(tmp_path, drawn):
    value = named(drawn, ["wrist", *PALM])
    value["categories"].append({"id": "1", "name": "hand", "keypoints": [*PALM, "wrist"]})
    with pytest.raises(DataError, match=r"labels\.json, categories\[1\]: the id 1 was there before"):
        Coco(make(tmp_path, drawn, **value))


@pytest.mark.parametrize("name", ["rhd.json", "my_rhd_export.json", "labels.json"])
def test_a_files_name_changes_nothing(tmp_path, drawn, name):
    hands = Coco(make(tmp_path, drawn, name, **named(drawn, ["wrist", *PALM])))
    assert all(agree(hands[i], sample) for i, sample in enumerate(drawn))


def test_order_is_given(tmp_path, drawn):
    file = make(tmp_path, drawn, **named(drawn, ["wrist", *PALM], skeleton.RHD_ORDER))
    with pytest.raises(DataError, match="lie from tip to palm, though .* --joint-order rhd"):
        Coco(file)
    back = handpose.data.open(f"coco:{file}", joint_order="rhd")
    assert all(agree(back[i], sample) for i, sample in enumerate(drawn))
    listed = ",".join([["wrist", *PALM][j] for j in skeleton.RHD_ORDER])
    assert np.array_equal(Coco(file, joint_order=listed)[0].keypoints, back[0].keypoints, equal_nan=True)
    Coco(file, joint_order="canonical")  # as it says
    with pytest.raises(DataError, match="no joint order 'openpose'; choose one of canonical, rhd"):
        Coco(file, joint_order="openpose")
    with pytest.raises(DataError, match="massey: --joint-order cannot be given, only for coco"):
        handpose.data.open("massey", joint_order="rhd")
    file = make(tmp_path, drawn, **named(drawn, ["wrist", *PALM], skeleton.RHD_ORDER, description="RHD"))
    assert np.array_equal(Coco(file)[0].keypoints, back[0].keypoints, equal_nan=True)
    corrected = Coco(make(tmp_path, drawn, **named(drawn, ["wrist", *PALM], description="RHD")))
    assert agree(corrected[0], drawn[0])


def test_what_is_left_out_is_counted(tmp_path, drawn):
    value = named(drawn, ["wrist", *PALM])
    value["categories"].append({"id": 2, "name": "person", "keypoints": [str(i) for i in range(17)]})
    value["annotations"][0]["iscrowd"] = 1
    value["annotations"] += [
        {"id": 7, "image_id": 0, "category_id": 2, "bbox": [0, 0, 9, 9]},
        {"id": 8, "image_id": 0, "category_id": 2, "keypoints": [1] * 51},
        {"id": 9, "image_id": 10, "category_id": 1, "keypoints": [0] * 63},
    ]
    hands = Coco(make(tmp_path, drawn, **value))
    assert len(hands) == 3 and agree(hands[0], drawn[1])
    reasons = ("marked iscrowd", "without key-points", "of another skeleton", "without a labelled joint")
    assert hands.notes[-1] == "left out: " + ", ".join(f"1 annotation {reason}" for reason in reasons)


@pytest.mark.parametrize(
    ("name", "hand_type", "side"),
    [
        *[(name, None, "left") for name in ("left_hand", "hand_left", "LeftHand", "Hand-Left", "lefthand", "LEFT")],
        ("hand", "Left", "left"),
        ("hand_left", "right", "right"),
        ("hand", [1, 0], "right"),
        ("hand", [0, 1], "left"),
        ("hand_left", [1, 1], "left"),
        ("hand", [1, 1], None),
        ("left or right hand", "interacting", None),
        ("leftover", 1, None),
    ],
)
def test_the_side_is_read_wherever_the_file_says_it(tmp_path, drawn, name, hand_type, side):
    """InterHand2.6M's `hand_type` is [right, left]."""
    value = named(drawn, ["wrist", *PALM])
    value["categories"][0]["name"], value["annotations"][0]["hand_type"] = name, hand_type
    hands = Coco(make(tmp_path, drawn, **value))
    assert hands[0].hand == side and agree(hands[0], drawn[0])


@pytest.mark.parametrize("crowd", [1, True, "1", 1.0, 0, "0", None])
def test_iscrowd_in_every_form(tmp_path, drawn, crowd):
    value = content(drawn)
    value["annotations"][0]["iscrowd"] = crowd
    assert len(Coco(make(tmp_path, drawn, **value))) == (4 if crowd in (0, "0", None) else 3)


def test_hidden_joints_are_kept(tmp_path, drawn):
    value = content(drawn)
    for i, annotation in enumerate(value["annotations"]):
        annotation["keypoints"] = [2 * n if k % 3 == 2 else n for k, n in enumerate(annotation["keypoints"])]
        annotation["keypoints"][2] = 1 if i == 0 else 2
    hands = Coco(make(tmp_path, drawn, **value))
    assert hands[0].occluded.tolist() == [True] + [False] * 20 and not hands[1].occluded.any()
    assert agree(hands[0], drawn[0])  # and counted as any other
    alike = Coco(make(tmp_path, drawn))
    assert alike[0].occluded is None and "every label has v = 1, which then does not mean hidden" in alike.notes


def test_forms_that_tools_write(tmp_path, drawn):
    """Text as ids, sizes as floats or missing, backslashes, other folders than the names say, gzip: the same hands."""
    value = content(drawn)
    for image, annotation in zip(value["images"], value["annotations"], strict=True):
        image |= {"id": f"a{image['id']}", "width": 96.0, "height": None, "file_name": f"D:\\me\\{image['file_name']}"}
        annotation["image_id"] = image["id"]
    del value["images"][0]["width"]
    for folder in ("", "images", "data"):
        root = tmp_path / (folder or "beside")
        for i, sample in enumerate(drawn):
            write_image(root / folder, f"{i}.png", sample.image)
        file = root / "labels.json.gz"
        file.write_bytes(gzip.compress(json.dumps(value).encode()))
        for path in (file, root):
            hands = handpose.data.open(f"coco:{path}", "all")
            assert len(hands) == 4 and all(agree(hands[i], sample) for i, sample in enumerate(drawn))
    file.write_bytes(file.read_bytes()[:99])
    with pytest.raises(DataError, match=r"labels\.json\.gz: damaged"):
        Coco(file)


def test_an_unpacked_export_of_cvat(tmp_path, drawn):
    """A file for each subset, its pictures in a folder of that name."""
    for subset, few in (("train", drawn[:3]), ("Validation", drawn[3:])):
        for i, sample in enumerate(few):
            write_image(tmp_path / "images" / subset, f"{i}.png", sample.image)
        file = tmp_path / "annotations" / f"person_keypoints_{subset}.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(content(few)))
        (file.parent / f"instances_{subset}.json").write_text("{}")
    hands = handpose.data.open(f"coco:{tmp_path}", "val")
    assert len(hands) == 1 and agree(hands[0], drawn[3])
    assert len(handpose.data.open(f"coco:{tmp_path}", "train")) == 3
    both = handpose.data.open(f"coco:{tmp_path}", "all")
    assert len({both[i].group for i in range(len(both))}) == len(both) == 4
    with pytest.raises(DataError, match="none of its label files says that it is test .*person_keypoints_train.json"):
        handpose.data.open(f"coco:{tmp_path}", "test")
    assert len(Coco(file)) == 1  # and from the file
    with pytest.raises(DataError, match="holds no label file"):
        Coco(tmp_path / "images")


def test_pictures_of_another_part_are_not_taken(tmp_path, drawn):
    """The same names in train/ and val/: the label file's name tells, or it is refused."""
    for part, sample in (("train", drawn[0]), ("val", drawn[1])):
        write_image(tmp_path / part, "0.png", sample.image)
    (tmp_path / "annotations").mkdir()
    value = json.dumps(content(drawn[1:2]))
    for name in ("person_keypoints_val.json", "val.json", "my_val.json"):
        (tmp_path / "annotations" / name).write_text(value)
        assert agree(Coco(tmp_path / "annotations" / name)[0], drawn[1])
    (tmp_path / "annotations" / "labels.json").write_text(value)
    with pytest.raises(DataError, match=r"'0\.png' lies in .*train and in .*val; put the label file beside"):
        Coco(tmp_path / "annotations" / "labels.json")


def test_pictures_beside_the_label_file_are_meant(tmp_path, drawn):
    """As Roboflow exports them: train/_annotations.coco.json, and in valid/ pictures of the same names."""
    for part, few in (("train", drawn[:2]), ("valid", drawn[2:])):
        make(tmp_path / part, few, "_annotations.coco.json")
    assert agree(handpose.data.open(f"coco:{tmp_path}", "train")[0], drawn[0])
    assert agree(handpose.data.open(f"coco:{tmp_path}", "val")[0], drawn[2])


@pytest.mark.parametrize("stored", ["my photo {}.png", "Ha\u0308nd {}.png", "H\u00e4nd {}.png"])
def test_names_of_pictures_in_another_spelling(tmp_path, drawn, stored):
    value = content(drawn)
    for i, image in enumerate(value["images"]):
        named = {"m": f"a/my%20photo%20{i}.png", "H": f"a/H\u00e4nd {i}.png"}[stored[0]]
        named = f"a/Ha\u0308nd {i}.png" if stored[1] == "\u00e4" else named
        image["file_name"] = named
        write_image(tmp_path / "images", stored.format(i), drawn[i].image)
    (tmp_path / "labels.json").write_text(json.dumps(value))
    assert all(agree(Coco(tmp_path / "labels.json")[i], sample) for i, sample in enumerate(drawn))


def test_an_archive_is_to_be_unpacked(tmp_path):
    (tmp_path / "export.zip").write_bytes(b"PK\3\4\xff\xfe")
    with pytest.raises(DataError, match="export.zip: is an archive; unpack it"):
        Coco(tmp_path / "export.zip")
    with pytest.raises(DataError, match="an archive is to be unpacked"):
        handpose.data.open(f"yolo-pose:{tmp_path}/export.zip")


def test_several_hands_of_a_picture(tmp_path, drawn):
    value = content(drawn[:2])
    value["annotations"][1]["image_id"] = 0
    hands = Coco(make(tmp_path, drawn[:2], **value))
    assert len(hands) == 2 and hands[0].group == hands[1].group and hands[0].id != hands[1].id


def test_parts_of_the_size_are_refused(tmp_path, drawn):
    value = content(drawn)
    for annotation in value["annotations"]:
        annotation["keypoints"] = [n if k % 3 == 2 else n / 96 for k, n in enumerate(annotation["keypoints"])]
    with pytest.raises(DataError, match=r"annotations\[0\]: all points .* between 0 and 1: .* multiply x by its width"):
        Coco(make(tmp_path, drawn, **value))


@pytest.mark.parametrize("marker", [0, -1])
def test_joints_that_converters_mark_are_missing(tmp_path, drawn, marker):
    """Converters write those so that have no label, with v = 2 as the others; they must fit no box."""
    value = content(drawn)
    for annotation in value["annotations"][:3]:
        known = np.reshape(annotation["keypoints"], (21, 3))
        low, high = known[known[:, 2] > 0, :2].min(0), known[known[:, 2] > 0, :2].max(0)
        annotation["bbox"] = [*low, *(high - low)]
        annotation["keypoints"][6 * 3 : 7 * 3] = [marker, float(marker), 2]
    hands = Coco(make(tmp_path, drawn, **value))
    assert agree(hands[0], drawn[0], (3, 6)) and agree(hands[3], drawn[3])
    said = (
        "3 joints stand at (0, 0) or (-1, -1) with a label, and are masked as missing; such a joint should have v = 0"
    )
    assert said in hands.notes and not any("lie outside" in note for note in hands.notes)
    value["annotations"][0]["keypoints"] = [marker, marker, 2] * 21
    assert "left out: 1 annotation without a labelled joint" in Coco(make(tmp_path, drawn, **value)).notes


def test_repeated_hands_are_left_out(tmp_path, drawn):
    """The same annotation twice in a file, and a copy of the file beside it."""
    value = content(drawn)
    value["annotations"] += [value["annotations"][1] | {"id": 7}]
    file = make(tmp_path, drawn, **value)
    hands = Coco(file)
    assert len(hands) == 4 and "left out: 1 annotation with the picture and joints of another" in hands.notes
    (tmp_path / "labels copy.json").write_text(file.read_text())
    both = Coco(tmp_path, "all")
    assert len(both) == 4 and "left out: 6 annotations with the picture and joints of another" in both.notes


def test_joints_that_do_not_fit_their_boxes(tmp_path, drawn):
    value = content(drawn)
    for annotation in value["annotations"]:
        known = np.reshape(annotation["keypoints"], (21, 3))
        low, high = known[known[:, 2] > 0, :2].min(0), known[known[:, 2] > 0, :2].max(0)
        annotation["bbox"] = [*low, *(high - low)]
    assert len(Coco(make(tmp_path, drawn, **value))) == 4
    for annotation in value["annotations"]:
        annotation["keypoints"] = np.reshape(annotation["keypoints"], (21, 3))[:, [1, 0, 2]].ravel().tolist()
    with pytest.raises(DataError, match=r"labels\.json: the joints of 4 of 4 .* 0\.png#100; x and y exchanged\?"):
        Coco(make(tmp_path, drawn, **value))


def large(drawn, side=240):
    """The hands in the lower right of larger pictures, with v = 2."""
    moved = [np.pad(s.image, ((side - 96, 0), (side - 96, 0), (0, 0))) for s in drawn]
    value = content(drawn)
    for image, annotation in zip(value["images"], value["annotations"], strict=True):
        image |= {"width": side, "height": side}
        triples = np.reshape(annotation["keypoints"], (21, 3)) + [side - 96, side - 96, 1]
        triples[3] = 0
        annotation["keypoints"] = triples.reshape(-1).tolist()
    return moved, value


def write(folder, images, value):
    for i, image in enumerate(images):
        write_image(folder, f"{i}.png", image)
    (folder / "labels.json").write_text(json.dumps(value))
    return folder / "labels.json"


@pytest.mark.parametrize("sized", [True, False])
def test_percent_of_the_size_are_refused(tmp_path, drawn, sized):
    images, value = large(drawn)
    assert Coco(write(tmp_path, images, value))[0].visible.sum() == drawn[0].visible.sum() - drawn[0].visible[3]
    for image, annotation in zip(value["images"], value["annotations"], strict=True):
        annotation["keypoints"] = (np.reshape(annotation["keypoints"], (21, 3)) / [2.4, 2.4, 1]).reshape(-1).tolist()
        if not sized:
            del image["width"], image["height"]
    file = write(tmp_path, images, value)
    with pytest.raises(DataError, match="all 4 hands lie within 100 of the corner of larger pictures.*multiply x by"):
        Coco(file)
    value["annotations"] = value["annotations"][:1]
    assert "if their points are percent" in Coco(write(tmp_path, images, value)).notes[-1]  # it may be chance
    value["annotations"][0]["bbox"] = [144, 144, 90, 90]
    with pytest.raises(DataError, match="percent of the picture's size"):
        Coco(write(tmp_path, images, value))


def test_small_pictures_and_hands_in_a_corner_are_no_percent(tmp_path, drawn):
    assert not any("percent" in note for note in Coco(make(tmp_path / "small", drawn)).notes)
    images, value = large(drawn)
    for annotation in value["annotations"][:3]:  # three in the corner, one elsewhere
        moved = np.reshape(annotation["keypoints"], (21, 3)) - [144, 144, 0]
        annotation["keypoints"] = np.where(moved[:, 2:] > 0, moved, 0).reshape(-1).tolist()
    assert not any("percent" in note for note in Coco(write(tmp_path, images, value)).notes)


def test_pictures_of_another_size_than_labelled(tmp_path, drawn):
    """Where the file does not say the size: most joints lie outside, or a few, which are counted."""
    images, value = large(drawn)
    for image in value["images"]:
        del image["width"], image["height"]
    with pytest.raises(DataError, match="joints lie outside their pictures, which then are not as large"):
        Coco(write(tmp_path, [image[::2, ::2] for image in images], value))
    value["annotations"][0]["keypoints"][:2] = [500, 9]
    notes = Coco(write(tmp_path, images, value)).notes
    assert any(f"of {4 * 20} labelled joints lie outside their pictures, and are masked" in note for note in notes)


def test_the_own_json_of_label_studio(tmp_path):
    point = {"type": "keypointlabels", "original_width": 640, "value": {"x": 50.0, "y": 20.0}}
    for task in ({"id": 1, "data": {}, "annotations": [{"result": [point]}]}, {"id": 1, "kp-1": [point]}):
        (tmp_path / "export.json").write_text(json.dumps([task]))
        with pytest.raises(DataError, match="Label Studio's own JSON, whose points are percent .* as COCO or YOLO"):
            Coco(tmp_path / "export.json")


def test_numbers_as_tools_write_them(tmp_path, drawn):
    """null or NaN for joints without a label, v as truth values and floats, ids of 64 bits and hashes, a mark of the
    bytes' order, lines ended as on Windows, accents."""
    value = content(drawn)
    for i, (image, annotation) in enumerate(zip(value["images"], value["annotations"], strict=True)):
        triples = np.reshape(annotation["keypoints"], (21, 3)).tolist()
        gap = [[None, None, 0], [None, None, None], [float("nan"), float("nan"), 0], [0.0, 0.0, False]][i]
        triples = [gap if j == 3 else [x, y, (True, 1.0, 1, 1)[i]] for j, (x, y, _) in enumerate(triples)]
        annotation |= {"keypoints": sum(triples, []) if i % 2 else triples, "bbox": [None, "x", [0], [1, 2, 3, 4]][i],
                       "segmentation": {"size": [96, 96], "counts": "PPYo0"}, "area": None}  # fmt: skip
        image |= {"id": (2**64 - 1, "5f3c9e", 10**25, 7.0)[i], "file_name": f"Händé {i}.png", "coco_url": None}
        annotation["image_id"] = (2**64 - 1, "5f3c9e", 10**25, "7")[i]
        write_image(tmp_path, image["file_name"], drawn[i].image)
    file = tmp_path / "ünïcode.json"
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps(value, indent=1).replace("\n", "\r\n").encode())
    hands = Coco(file)
    assert len(hands) == 4 and all(agree(hands[i], sample) for i, sample in enumerate(drawn))


@pytest.mark.parametrize("orientation", range(2, 9))
def test_photographs_that_are_stored_turned(tmp_path, drawn, orientation):
    """Labels on the pixels as stored: read so where the size says it or the user does; what neither says is said."""
    stored = drawn[0].image[:, :80]
    write_image(tmp_path, "plain.png", stored)
    exif = Image.Exif()
    exif[turned.ORIENTATION] = orientation
    Image.fromarray(stored).save(tmp_path / "0.jpg", exif=exif, quality=100, subsampling=0)
    image = {"id": 0, "file_name": "0.jpg", "width": 80, "height": 96}
    value = {"images": [image], "annotations": content(drawn)["annotations"][:1]}
    file = tmp_path / "labels.json"
    file.write_text(json.dumps(value))

    def shown(hands):
        return np.abs(hands[0].image.astype(int) - stored).mean() < 8 if hands[0].image.shape == stored.shape else False

    asked = Coco(file, unturned=True)
    assert shown(asked) and "read un-turned, as asked for" in asked.notes[-1]
    if orientation < 5:
        assert (
            not shown(Coco(file)) and "cannot confirm" in Coco(file).notes[-1] and "--unturned" in Coco(file).notes[-1]
        )
        return
    assert shown(Coco(file)) and "un-turned, as their labels' size says" in Coco(file).notes[-1]
    image |= {"width": 96, "height": 80}
    file.write_text(json.dumps(value))
    assert not shown(Coco(file)) and "upright, as their labels' size says" in Coco(file).notes[-1]
    del image["width"], image["height"]
    file.write_text(json.dumps(value))
    assert "cannot confirm" in Coco(file).notes[-1]


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
        (dict(images=[3]), r"images\[0\]: has no whole number or text as id"),
        (dict(images=[IMAGE | {"id": True}]), r"images\[0\]: has no whole number or text as id"),
        (dict(images=[IMAGE | {"width": 96.5}]), r'images\[0\]: "width" is not'),
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
        (dict(annotations=[HAND | {"keypoints": None}]), r"no hand .*left out: 1 annotation without key-points"),
        (dict(annotations=[HAND | {"keypoints": "1 2 1"}]), r'annotations\[0\]: "keypoints" is not 21 times'),
        (dict(annotations=[HAND | {"keypoints": [1] * 51}]), r'"keypoints" is not 21 times'),
        (dict(annotations=[HAND | {"keypoints": [10] * 42}]), r"21 times the numbers x, y, v, but 42 numbers"),
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
        Coco(file)
    assert "labels.json" in str(error.value) and "\n" not in str(error.value)


def test_missing_and_wrong_files_are_named(tmp_path, drawn):
    with pytest.raises(DataError, match=r"coco needs its label file or folder: coco:labels\.json"):
        handpose.data.open("coco")
    with pytest.raises(DataError, match=r"coco-hands is called coco now: coco:labels\.json"):
        handpose.data.open("coco-hands:labels.json")
    with pytest.raises(DataError, match=r"none\.json: cannot be read"):
        handpose.data.open(f"coco:{tmp_path / 'none.json'}")
    file = make(tmp_path, drawn)
    write_image(tmp_path, "1.png", np.zeros((50, 40, 3), np.uint8))
    with pytest.raises(DataError, match=r"1\.png: is 40x50, but labels\.json says 96x96"):
        Coco(file)[1]
    (tmp_path / "1.png").unlink()
    with pytest.raises(DataError, match=r"labels\.json: there is no picture '1\.png' in"):
        Coco(file)
    assert coco_json.read(file)[0] == ""  # the labels alone need no pictures
