"""Every parser of labels, given thousands of damaged files: each gets one clear line, or an answer of the right form.

``python -m tests.data.test_fuzz_labels [FACTOR]`` prints the counts, with FACTOR times as many files.
"""

import copy
import io
import json
import pickle
import random
import re
import struct
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from handpose import skeleton
from handpose.data import packed
from handpose.data.readers import (
    asl_letters,
    coco,
    coco_json,
    egohands,
    freihand,
    hand_keypoints,
    labelled,
    pointlist,
    rhd,
    rwth,
    stb,
    yolo_pose,
)

RNG = np.random.default_rng(0)
SLOW = 5.0  # seconds for one file; a parser that takes longer hangs, even on a busy machine
WORDS = ["nan", "inf", "-inf", "-1", "0", "1e308", "-1e308", "1e999", "1e-320", "99999999999999999999", "9" * 5000,
         "", "x", "0.5.5", "1_0", "0x10", "\0", "\n", "\u0663", "null", "true", "[]", "{}"]  # fmt: skip
VALUES = [None, True, "", "x", "12", -1, 0, 2, 10**30, -(10**400), 0.5, 1e308, -1e308, 1e-320, float("nan"),
          float("inf"), [], {}, [[]], [0] * 63, [[1, 2, 1]] * 21, {"id": 0}]  # fmt: skip
WORD = re.compile(rb"[A-Za-z_]{2,}")
NUMBER = re.compile(rb"-?\d+(\.\d+)?(e[-+]?\d+)?")


# Damage


def damaged_bytes(data: bytes, rng: random.Random) -> bytes:
    """Flips, cuts, insertions, doubled and removed parts, and numbers and words written over."""
    kind, at = rng.randrange(8), rng.randrange(len(data) + 1)
    if kind == 0:
        data = bytearray(data)
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == 1:
        data = data[:at]
    elif kind == 2:
        data = data[:at] + rng.randbytes(rng.randint(1, 20)) + data[at:]
    elif kind == 3:
        data = data[:at] + data[at + rng.randint(1, 40) :]
    elif kind == 4:
        data = data[:at] + data[max(0, at - rng.randint(1, 200)) :]
    elif kind == 5:
        new = rng.choice([struct.pack("<d", rng.choice([float("nan"), float("inf"), 1e308, -1.0])),
                          struct.pack("<i", rng.choice([-1, 0, 2**31 - 1, 1])), b"\xff" * 8, bytes(4)])  # fmt: skip
        at -= at % 4
        data = data[:at] + new + data[at + len(new) :]
    elif kind == 6 and (found := list(WORD.finditer(data))):  # a word written over another: keys twice, or gone
        hit, other = rng.choice(found), rng.choice(found)
        data = data[: hit.start()] + other[0] + data[hit.end() :]
    else:
        data = with_other_numbers(data, rng)
    return bytes(data)


def with_other_numbers(data: bytes, rng: random.Random) -> bytes:
    """One to three numbers of a text exchanged for something else."""
    for _ in range(rng.randint(1, 3)):
        found = list(NUMBER.finditer(data))
        if found:
            hit = rng.choice(found)
            data = data[: hit.start()] + rng.choice(WORDS).encode() + data[hit.end() :]
    return data


def damaged_value(value: object, rng: random.Random) -> object:
    """A value of lists, tables, arrays and numbers with one to three parts exchanged, doubled or removed."""
    value = copy.deepcopy(value)
    for _ in range(rng.randint(1, 3)):
        value = _damage(value, rng)
    return value


def _damage(value: object, rng: random.Random) -> object:
    if isinstance(value, np.ndarray):
        return _damaged_array(value, rng)
    if not isinstance(value, dict | list) or not value or rng.random() < 0.1:
        return copy.deepcopy(rng.choice(VALUES))
    key = rng.choice(list(value) if isinstance(value, dict) else range(len(value)))
    what = rng.random()
    if what < 0.15:
        del value[key]
    elif what < 0.3 and isinstance(value, list):
        value.insert(key, copy.deepcopy(value[key]))
    elif what < 0.3:
        value[rng.choice([f"{key}2", 7])] = value.pop(key)
    else:
        value[key] = _damage(value[key], rng)
    return value


def _damaged_array(array: np.ndarray, rng: random.Random) -> object:
    what, array = rng.randrange(9), array.copy()
    if what == 0 and array.ndim:
        return array[: rng.randrange(len(array) + 1)]
    if what == 1:
        return array[None]
    if what == 2:
        return array.T
    if what == 3:
        return array.reshape(-1)
    if what == 4:
        with np.errstate(all="ignore"):
            return array.astype(rng.choice(["U9", "O", "c16", "?", "i1", "f2", "S3"]))
    if what == 5:
        return np.array(rng.choice([0.0, "x", float("nan"), -1]))
    if array.size and array.dtype.kind in "fiu":
        bad = [-1, 0, 1e9] + [float("nan"), float("inf"), 1e308, -1e308] * (array.dtype.kind == "f")
        with np.errstate(all="ignore"):
            array.flat[rng.randrange(array.size)] = np.array(rng.choice(bad)).astype(array.dtype)
    elif array.size and array.dtype.kind in "US":
        array.flat[rng.randrange(array.size)] = "x"
    return array


# Answers


def is_keypoints(keypoints: np.ndarray, shape: tuple, largest: float) -> bool:
    """Finite numbers of this shape, none too far away."""
    return isinstance(keypoints, np.ndarray) and keypoints.shape == shape and bool((np.abs(keypoints) <= largest).all())


def check_sample(sample) -> bool:
    """Right shapes; what is visible lies in the picture, and so does the box."""
    h, w = sample.image.shape[:2]
    visible = sample.keypoints[sample.visible]
    assert sample.keypoints.shape == (21, 2) and sample.visible.shape == (21,) and sample.visible.dtype == bool
    assert ((visible >= -0.5) & (visible <= (w - 0.5, h - 0.5))).all() and sample.box.shape == (4,)
    assert np.isfinite(sample.box).all() == sample.visible.any()
    return sample.image.dtype == np.uint8 and sample.image.ndim == 3


def check_hand_keypoints(answer) -> bool:
    keypoints, shown = answer
    return (
        shown.shape == (21,)
        and is_keypoints(keypoints, (21, 2), np.inf)
        and is_keypoints(keypoints[shown], (shown.sum(), 2), 2)
    )


def check_rows(rows) -> bool:
    return len(rows) > 0 and all(type(name) is str and is_keypoints(p, (21, 2), 1e7) for name, p in rows)


def check_boxes(boxes) -> bool:
    return all(
        name in asl_letters.LETTERS and is_keypoints(b, (4,), 1e3) and (b[:2] <= b[2:]).all() for name, b in boxes
    )


def check_outlines(video) -> bool:
    return len(video) == 3 and all(is_keypoints(o, (len(o), 2), 1e5) and len(o) > 2 for _, row in video for o in row)


def check_stb(keypoints) -> bool:
    assert is_keypoints(keypoints, (len(keypoints), 21, 3), 1e7) and (keypoints[..., 2] > 0).all()
    return is_keypoints(stb.project(*stb.seen_from(keypoints, "BB_left")), (len(keypoints), 21, 2), 1e10)


def check_labelled(entries) -> bool:
    assert all(entry["width"] > 0 and entry["height"] > 0 for entry in entries)
    keypoints = [np.array([p or (0, 0) for p in entry["keypoints"]], float) for entry in entries]
    return all(is_keypoints(p, (21, 2), 1e7) for p in keypoints)


def check_rhd(answer) -> bool:
    ids, columns = answer
    return len(ids) > 0 and all(is_keypoints(columns[k], (len(ids), *rhd.SHAPES[k]), 1e7) for k in rhd.SHAPES)


def check_coco(answer) -> bool:
    description, hands, left_out, _ = answer
    assert isinstance(description, str) and all(type(reason) is str and n > 0 for reason, n in left_out.items())
    assert answer.marks_hidden in (True, False)
    for hand in hands:
        assert hand.keypoints.shape == (21, 2) and hand.labelled.shape == (21,) and hand.labelled.any()
        assert np.isnan(hand.keypoints[~hand.labelled]).all() and (np.abs(hand.keypoints[hand.labelled]) <= 1e7).all()
    return all(hand.side in (None, "left", "right") and (hand.image["width"] or 1) > 0 for hand in hands)


def check_coco_hands(hands) -> bool:
    """What a whole reader makes of it: every joint has a place of ours, and every hand can be read."""
    assert all(sorted(row.order) == list(range(21)) for row in hands.rows) and all(map(str, hands.notes))
    return check_sample(hands[0]) and type(hands[0].group) is str


def check_yolo(answer) -> bool:
    hands, left_out = answer
    for hand in hands:
        assert hand.keypoints.shape == (21, 2) and hand.labelled.any() and hand.kind >= 0
        assert np.isnan(hand.keypoints[~hand.labelled]).all() and (np.abs(hand.keypoints[hand.labelled]) <= 2).all()
    return all(n > 0 for n in left_out.values())


def check_yolo_set(hands) -> bool:
    return sorted(hands.order) == list(range(21)) and all(check_sample(hands[i]) for i in range(len(hands)))


# Whole files to begin with, and how each is read


class Parser(NamedTuple):
    """How one kind of label file is fuzzed."""

    number: int  # of damaged files
    good: Callable[[], list]  # whole files: bytes, or values for `write`
    write: Callable[[object], bytes] | None  # of a value; bytes are damaged as they are, with and without it
    file: str | None  # where it lies; None: `read` takes the bytes
    read: Callable[[Path | bytes], object]
    check: Callable[[object], bool]


def hand() -> np.ndarray:
    return RNG.uniform(10, 200, (21, 2)).round(2)


def label_lines() -> list[bytes]:
    numbers = [0, 0.5, 0.5, 0.4, 0.4, *np.column_stack([hand() / 224, np.full(21, 2)]).reshape(-1)]
    return [" ".join(f"{n:.5g}" for n in numbers).encode()]


def csv_rows() -> list[bytes]:
    rows = [f"a/hand1_a_{i}.jpeg,0.95," + ",".join(f"{n:g}" for n in hand().reshape(-1)) for i in range(3)]
    return ["\n".join(["path,score," + ",".join(f"x{i},y{i}" for i in range(21)), *rows, ""]).encode()]


def mat(value: object, compressed: bool = False) -> bytes:
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        savemat(stream, value, do_compression=compressed)
    return stream.getvalue()


def polygons() -> list[dict]:
    outline, none = np.array([[11.0, 21], [31, 21], [31, 41], [11, 41]]), np.zeros((0, 0))
    table = np.empty((1, 3), [(name, object) for name in ("myleft", "myright", "yourleft", "yourright")])
    cells = np.empty((3, 4), object)
    for i, row in enumerate([(none,) * 4, (none, outline, none, none), (outline, none, outline + 50, none)]):
        table[0, i] = row
        cells[i] = row
    return [{"polygons": cells}, {"polygons": table}]


def damaged_polygons(value: dict) -> bytes:
    """A table whose cells are damaged arrays is still a table; anything else goes as it is."""
    return mat(value if isinstance(value, dict) and all(isinstance(k, str) for k in value) else {"polygons": value})


def read_video(folder: Path) -> object:
    return egohands.read_video(folder)


def para() -> list[dict]:
    return [{"handPara": RNG.uniform(400, 700, (3, 21, 4))}]


def videos() -> list[bytes]:
    return [b"1/1_1_1_cam1.mpg", b"video/35/20_35_2_cam2.mpg"]


def read_name(data: bytes) -> rwth.Video:
    """No part of a path is longer than 255 bytes."""
    return rwth.parse_path(Path(*(part[:255] for part in data.decode("latin1").split("/"))))


def labelled_files() -> list[dict]:
    images = [{"path": f"{i}.jpg", "width": 224, "height": 224, "keypoints": [*hand().tolist()[:20], None],
               "box": [1.0, 2, 3, 4], "shape": "a"} for i in range(2)]  # fmt: skip
    return [{"format": labelled.FORMAT, "order": list(skeleton.JOINTS), "images": images}]


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


def packs() -> list[dict]:
    code = cv2.imencode(".jpg", RNG.integers(0, 255, (64, 64, 3), dtype=np.uint8))[1]
    blob, lengths = np.concatenate([code, code[:0]] * 3), [len(code), 0] * 3
    words = {key: np.array([f"{key}{i}" for i in range(3)]) for key in ("groups", "ids", "shapes", "parts")}
    return [words | {"name": np.array("stb"), "splits": np.array(["val"] * 3), "blob": blob,
                     "offsets": np.cumsum([0, *lengths]), "points": RNG.uniform(0, 64, (3, 21, 2)).astype(np.float32),
                     "visible": np.ones((3, 21), bool)}]  # fmt: skip


def as_npz(value: object) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **{str(key): np.asarray(v, None) for key, v in dict(value).items()})
    return stream.getvalue()


def read_pack(file: Path) -> list:
    hands = packed.Packed(file, "stb", "val")
    return [hands[i] for i in range(len(hands))]


def check_pack(hands: list) -> bool:
    return len(hands) > 0 and all(map(check_sample, hands))


def rhd_entries() -> list[dict]:
    camera = np.array([[300, 0, 160], [0, 300, 160], [0, 0, 1]], np.float32)
    return [{i: {"uv_vis": RNG.uniform(0, 320, (42, 3)).astype(np.float32),
                 "xyz": RNG.uniform(0.1, 1, (42, 3)).astype(np.float32), "K": camera} for i in range(2)}]  # fmt: skip


def frei_labels(kind: str = "xyz") -> list[list]:
    if kind == "K":
        return [[[[480, 0, 112], [0, 480, 112], [0, 0, 1]]] * 3]
    return [np.concatenate([RNG.uniform(-0.1, 0.1, (3, 21, 2)), np.full((3, 21, 1), 0.7)], 2).round(4).tolist()]


def read_frei(file: Path) -> object:
    return freihand.FreiHand(file.parent, "all")


def check_frei(hands) -> bool:
    return is_keypoints(hands._pixels, (3, 21, 2), 1e7) and is_keypoints(hands._points, (3, 21, 3), 1e7)


def coco_files() -> list[dict]:
    triples = [[*point, 1] for point in hand().tolist()]
    flat = [n for triple in triples[:20] for n in triple] + [0, 0, 0]
    images = [{"id": i, "file_name": f"{i}_l.jpg", "width": 224, "height": 224} for i in range(2)]
    person = {"lefthand_kpts": flat, "righthand_kpts": flat, "lefthand_valid": True, "righthand_valid": True}
    hands = [{"id": 0, "image_id": 0, "keypoints": flat}, person | {"id": 2, "image_id": 1},
             {"id": 1, "image_id": 1, "keypoints": triples, "hand_type": "left"}]  # fmt: skip
    return [{"info": {"description": "x"}, "images": images, "annotations": hands}]


def coco_exports() -> list[dict]:
    """Two hands of one picture, with names of joints, as a reader of one's own labels takes them."""
    names = [name.replace(" ", "_") for name in skeleton.JOINTS]
    images = [{"id": "a", "file_name": "photos\\a.png", "width": 224.0, "height": 224}]
    hands = [{"id": i, "image_id": "a", "category_id": 1, "keypoints": [n for p in hand().tolist() for n in (*p, 2)]}
             for i in range(2)]  # fmt: skip
    return [{"images": images, "annotations": hands, "categories": [{"id": 1, "name": "hand", "keypoints": names}]}]


def read_coco(file: Path) -> coco.Coco:
    (file.parent / "photos").mkdir(exist_ok=True)
    if not (file.parent / "photos" / "a.png").exists():
        cv2.imwrite(str(file.parent / "photos" / "a.png"), np.zeros((224, 224, 3), np.uint8))
    return coco.Coco(file)


def yolo_lines() -> list[bytes]:
    several = [label_lines()[0], b"1" + label_lines()[0][1:], b"0 0.5 0.5 0.1 0.1"]
    pairs = [0, 0.5, 0.5, 0.4, 0.4, *(hand() / 224).reshape(-1)]
    return [b"\r\n".join(several), " ".join(f"{n:.5g}" for n in pairs).encode()]


def yaml_files() -> list[bytes]:
    names = "".join(f"    - {name.replace(' ', '_')}\n" for name in skeleton.JOINTS)
    return [
        f"# a set\npath: .\ntrain: images/train\nval: ['images/train']\nkpt_shape: [21, 3] # x, y, v\n"
        f"names:\n  0: left hand\n  1: 'right hand'\nkpt_names:\n  0:\n{names}more: {{a: 1.5, b: null}}\n".encode()
    ]


def read_yaml(file: Path) -> yolo_pose.YoloPose:
    """A reader on a small set that this yaml file describes."""
    for kind in ("images", "labels"):
        (file.parent / kind / "train").mkdir(parents=True, exist_ok=True)
    if not (file.parent / "labels" / "train" / "a.txt").exists():
        cv2.imwrite(str(file.parent / "images" / "train" / "a.png"), np.zeros((224, 224, 3), np.uint8))
        (file.parent / "labels" / "train" / "a.txt").write_bytes(label_lines()[0])
    return yolo_pose.YoloPose(file, "train")


def read_list(file: Path) -> yolo_pose.YoloPose:
    """A reader on a small set whose pictures this text file names."""
    (file.parent / "data.yaml").write_text("train: images/train\nkpt_shape: [21, 3]\n")
    read_yaml(file.parent / "data.yaml")
    (file.parent / "data.yaml").write_text("train: train.txt\nkpt_shape: [21, 3]\n")
    return yolo_pose.YoloPose(file.parent)


PARSERS = {
    "hand-keypoints text": Parser(3000, label_lines, None, None,
                                  lambda data: hand_keypoints.parse_label(data.decode("utf-8", "replace"), "IMG.txt"),
                                  check_hand_keypoints),
    "keypoints.csv": Parser(1000, csv_rows, None, "keypoints.csv", lambda f: pointlist.read(f, 0.5), check_rows),
    "YOLO boxes": Parser(1000, lambda: [b"0 0.5 0.5 0.2 0.2\n25 0.25 0.5 0.125 0.5\n"], None, "a.txt",
                         lambda f: asl_letters.read_boxes(f, 416, 416), check_boxes),
    "polygons.mat": Parser(1000, polygons, damaged_polygons, "polygons.mat", lambda f: read_video(f.parent),
                           check_outlines),
    "handPara.mat": Parser(1000, para, mat, "B1Random_BB.mat", stb.read_labels, check_stb),
    "compressed .mat": Parser(500, para, lambda value: mat(value, True), "B1Random_BB.mat", stb.read_labels, check_stb),
    "rwth names": Parser(3000, videos, None, None, read_name,
                         lambda v: 1 <= v.gesture <= 35 and v.signer >= 0 and v.camera in rwth.CAMERAS),
    "labelled JSON": Parser(1000, labelled_files, as_json, "labels.json", labelled.read, check_labelled),
    "packed npz": Parser(1000, packs, as_npz, "hands.npz", read_pack, check_pack),
    "rhd pickle": Parser(1000, rhd_entries, lambda v: pickle.dumps(v, 2), "anno.pickle", rhd.read_labels, check_rhd),
    "freihand xyz": Parser(1000, frei_labels, as_json, "training_xyz.json", read_frei, check_frei),
    "freihand K": Parser(500, lambda: frei_labels("K"), as_json, "training_K.json", read_frei, check_frei),
    "COCO JSON": Parser(1500, coco_files, as_json, "coco.json", coco_json.read, check_coco),
    "COCO reader": Parser(1500, coco_exports, as_json, "labels.json", read_coco, check_coco_hands),
    "YOLO-pose text": Parser(3000, yolo_lines, None, None,
                             lambda data: yolo_pose.parse(data.decode("utf-8", "replace"), "a.txt"), check_yolo),
    "YOLO-pose list": Parser(500, lambda: [b"data/images/train/a.png\r\n\n./images/train/a.png\n"], None, "train.txt",
                             read_list, check_yolo_set),
    "YOLO-pose yaml": Parser(1500, yaml_files, None, "data.yaml", read_yaml, check_yolo_set),
}  # fmt: skip


def fuzz(name: str, folder: Path, factor: float = 1) -> Counter:
    """Damage and read; how many were refused and how many answered.

    Raises:
        AssertionError: another exception, more than one line, an answer of the wrong form, or too slow.
    """
    parser, rng, counts = PARSERS[name], random.Random(f"fuzz {name}"), Counter()

    def read(data: bytes) -> object:
        if parser.file is None:
            return parser.read(data)
        (folder / parser.file).write_bytes(data)
        return parser.read(folder / parser.file)

    for i in range(3):  # what the readers want to find beside the labels
        (folder / f"frame_{i}.jpg").write_bytes(b"")
    for labels in ("K", "xyz"):
        (folder / f"training_{labels}.json").write_bytes(as_json(frei_labels(labels)[0]))
    (folder / "training" / "rgb").mkdir(parents=True, exist_ok=True)
    (folder / "training" / "rgb" / "00000002.jpg").write_bytes(b"")
    good = parser.good()
    for value in good:
        data = parser.write(value) if parser.write else value
        assert parser.check(read(data)), f"{name}: a whole file is not read"
    for number in range(int(parser.number * factor)):
        value = rng.choice(good)
        if parser.write and rng.random() < 0.6:
            try:
                data = parser.write(damaged_value(value, rng))
            except (TypeError, ValueError, OverflowError, AttributeError, KeyError, IndexError):
                counts["cannot be written"] += 1
                continue
        else:
            data = damaged_bytes(parser.write(value) if parser.write else value, rng)
        start, label = time.perf_counter(), f"{name}, damaged file {number} ({data[:60]!r}...)"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # SciPy and NumPy warn about what they then refuse
                answer = read(data)
        except ValueError as error:  # DataError is one
            assert str(error) and "\n" not in str(error) and len(str(error)) < 1500, f"{label}: not a line: {error}"
            counts["refused"] += 1
        except Exception as error:
            raise AssertionError(f"{label}: {type(error).__name__}: {error}") from error
        else:
            assert parser.check(answer), f"{label}: an answer of the wrong form"
            counts["answered"] += 1
        assert time.perf_counter() - start < SLOW, f"{label}: took {time.perf_counter() - start:.1f} s"
    return counts


@pytest.mark.parametrize("name", PARSERS)
def test_damaged_files_get_one_line_or_a_right_answer(name, tmp_path, record_property):
    counts = fuzz(name, tmp_path)
    record_property("fuzzed", dict(counts))
    assert counts["refused"] > 100 and counts["answered"] > 0


def test_ten_thousand_files():
    assert sum(parser.number for parser in PARSERS.values()) * 0.85 > 10_000  # some cannot even be written


if __name__ == "__main__":
    begin, total = time.perf_counter(), Counter()
    for parser_name in PARSERS:
        with tempfile.TemporaryDirectory() as temporary:
            found = fuzz(parser_name, Path(temporary), float(sys.argv[1]) if len(sys.argv) > 1 else 1)
        total += found
        print(f"{parser_name:20}", dict(found))
    print(f"{'all':20}", dict(total), f"{time.perf_counter() - begin:.1f} s")
