"""The set `wild`: what its splits hold, and that nothing is on two sides."""

import json

import cv2
import numpy as np
import pytest

from handpose import data
from handpose.data import scenes
from handpose.data.readers import wild
from handpose.data.synthetic import SyntheticHands

HANDS = 24


def entry(hand, number, name, source, photo):
    image = {"id": number, "file_name": name, "width": 96, "height": 96, "source": source, "photo": photo}
    joints = np.column_stack([hand.keypoints, 2 * np.ones(21)]).ravel().tolist()
    return image, {"id": number, "image_id": number, "keypoints": joints}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Rendered hands in the layout of the set: two sources, a source without terms, and photographs on two sides."""
    root, hands = tmp_path_factory.mktemp("wild"), SyntheticHands(seed=2, size=96)
    (root / "images").mkdir()
    (root / "scenes").mkdir()
    files = {"wild_train": [], "wild_val": [], "scenes_train": []}
    for i in range(HANDS):
        kind = "wild_val" if i < 4 else "scenes_train" if i < 14 else "wild_train"
        source = "raga" if i < 18 else "digits" if i < 22 else "linto"
        name = f"{'scenes' if kind == 'scenes_train' else 'images'}/{source}-{i:05d}.jpg"
        cv2.imwrite(str(root / name), hands[i].image[..., ::-1])
        photo = "seen-0.jpg" if i == 14 else f"{'seen' if i < 4 else 'other'}-{i}.jpg"
        files[kind].append(entry(hands[i], i, name, source, photo))
    turned, copy = hands[1], f"images/raga-{HANDS:05d}.jpg"  # the hand of a validation photograph, mirrored, renamed
    cv2.imwrite(str(root / copy), turned.image[:, ::-1, ::-1])
    turned.keypoints[:, 0] = 95 - turned.keypoints[:, 0]
    files["wild_train"].append(entry(turned, HANDS, copy, "raga", "renamed.jpg"))
    second = entry(hands[30], HANDS + 1, files["scenes_train"][5][0]["file_name"], "raga", "other-9.jpg")
    files["scenes_train"].append(({}, second[1] | {"image_id": 9}))
    for name, rows in files.items():
        content = {"images": [i for i, _ in rows if i], "annotations": [a for _, a in rows]}
        (root / f"{name}.json").write_text(json.dumps(content))
    (root / "signs.csv").write_text("file,sign\nimages/digits-00018.jpg,7\n")
    return root


def test_no_photograph_of_a_test_part_is_trained_on(folder):
    train, val = data.open(f"wild:{folder}", "train"), data.open(f"wild:{folder}", "val")
    # 14 shares its photo's name with the test part, 24 its hand, 22 and 23 are of the source without terms.
    assert [row.image["id"] for row in train.rows] == [15, 16, 17, 18, 19, 20, 21]
    assert len(val) == 4 and set(train.parts) == {"raga", "digits"}
    assert not {train.group(i) for i in range(len(train))} & {val.group(i) for i in range(len(val))}
    assert [row.image["id"] for row in wild.Wild(folder, "train-linto").rows][-2:] == [22, 23]


def test_samples_carry_sign_and_group(folder):
    train = data.open(f"wild:{folder}", "train")
    assert train[3].shape == "7" and train[4].shape is None
    assert train[3].group == "digits-1" and train[5].group == "digits-2" and train[0].group == "raga-other-15.jpg"
    assert train[0].visible.sum() > 10 and train[0].image.shape == (96, 96, 3)


def test_whole_photographs_hold_all_their_hands_and_a_tenth_is_kept_back(folder):
    to_train, held_out = (wild.Wild(folder, f"scenes-{split}") for split in ("train", "val"))
    assert len(held_out.images()) == 1 and len(to_train.images()) == 9
    images = scenes.photographs(to_train) + scenes.photographs(held_out)
    assert sorted(len(p.boxes) for p in images) == [1] * 9 + [2]
    for image in images:
        assert image.outlines.shape == (len(image.boxes), 21, 2)
        assert (image.boxes >= -0.5).all() and (image.boxes <= 95.5).all()


def test_errors_name_the_file(folder, tmp_path):
    with pytest.raises(data.DataError, match="no split 'test'; choose one of train, val"):
        data.open(f"wild:{folder}", "test")
    broken = json.loads((folder / "wild_val.json").read_text())
    del broken["images"][2]["photo"]
    (tmp_path / "wild_val.json").write_text(json.dumps(broken))
    with pytest.raises(data.DataError, match="raga-00002.jpg names no known source and photo"):
        data.open(f"wild:{tmp_path}", "val")
    with pytest.raises(data.DataError, match="wild_train.json: cannot be read"):
        data.open(f"wild:{tmp_path}", "train")
    (tmp_path / "wild_val.json").write_text((folder / "wild_val.json").read_text())
    (tmp_path / "signs.csv").write_text("file,sign\nonly-a-file\n")
    with pytest.raises(data.DataError, match=r"signs.csv: a line is not a file and a sign"):
        data.open(f"wild:{tmp_path}", "val")


def test_the_real_set_is_divided_cleanly(real_data):
    if not (real_data / "wild").is_dir():
        pytest.skip("wild is not there")
    sets = {split: wild.Wild(real_data / "wild", split) for split in wild.SPLITS}
    groups = {split: {s.group(i) for i in range(len(s))} for split, s in sets.items()}
    for train in ("train", "train-linto"):
        assert not groups[train] & (groups["val"] | groups["scenes-val"])
    assert not groups["scenes-train"] & (groups["val"] | groups["scenes-val"])
    assert len(sets["train"]) == 5748 and len(sets["val"]) == 446
