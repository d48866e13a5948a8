"""The reader of the Stereo Hand Pose benchmark, on small folders made by hand in its layout."""

import cv2
import numpy as np
import pytest
from scipy.io import savemat
from scipy.sparse import csc_matrix

import handpose.data
from handpose.data import DataError
from handpose.data.readers.stb import SEQUENCES, Stb, wrist_from_palm

# Joints by name, in the order that the benchmark's own description gives.
NAMES = ["palm"] + [
    f"{finger} {joint}"
    for finger in ("little", "ring", "middle", "index", "thumb")
    for joint in ("mcp", "pip", "dip", "tip")
]


def hand(frames, seed=0):
    """handPara, 3 x 21 x frames, of an upright flat left hand about 600 mm away."""
    rng = np.random.default_rng(seed)
    out = np.zeros((3, 21, frames))
    for i, name in enumerate(NAMES[1:], 1):
        finger, joint = name.split()
        x = {"little": -40, "ring": -20, "middle": 0, "index": 20, "thumb": 45}[finger]
        y = {"mcp": -40, "pip": -75, "dip": -100, "tip": -120}[joint] + (50 if finger == "thumb" else 0)
        out[:2, i] = np.array([x, y])[:, None]
    return out + np.array([60, 20, 600])[:, None, None] + rng.normal(0, 2, (3, 1, frames))


def make(root, names=("B1Counting", "B2Random"), frames=3, views=("BB_left", "BB_right"), kind="BB", **more):
    (root / "labels").mkdir(parents=True, exist_ok=True)
    for name in names:
        savemat(root / "labels" / f"{name}_{kind}.mat", {"handPara": hand(frames)} | more)
        (root / "images" / name).mkdir(parents=True, exist_ok=True)
        for frame in range(frames):
            for v, view in enumerate(views):
                image = np.full((480, 640, 3), (10 * frame + 100 * v) % 256, np.uint8)
                cv2.imwrite(str(root / "images" / name / f"{view}_{frame}.png"), image)
    return root


def test_both_cameras_by_hand(tmp_path):
    train = handpose.data.open(f"stb:{make(tmp_path)}", "train")
    assert len(train) == 6 and train.sequences == ["B2Random"]
    para = hand(3)
    for i, (frame, right) in enumerate((f, r) for f in range(3) for r in (0, 1)):
        s = train[i]
        assert s.id == f"B2Random/BB_{'right' if right else 'left'}_{frame}" and s.hand == "left"
        assert (s.image == 10 * frame + 100 * right).all() and s.image.shape == (480, 640, 3)
        tip = para[:, NAMES.index("index tip"), frame]
        x = 822.79041 * (tip[0] - right * 120.054) / tip[2] + 318.47345
        y = 822.79041 * tip[1] / tip[2] + 250.31296
        assert s.keypoints[8] == pytest.approx([x, y], abs=1e-3)  # index tip in the canonical order
        assert s.keypoints.dtype == s.keypoints3d.dtype == np.float32 and s.visible.all() and s.occluded is None
        assert s.keypoints3d[8] == pytest.approx(tip - [right * 120.054, 0, 0], abs=1e-3)
        projected = s.keypoints3d @ s.camera.T
        assert np.abs(projected[:, :2] / projected[:, 2:] - s.keypoints).max() < 1e-3
    # A left hand with its fingers up, as given: the thumb has the largest x, the tips lie above the palm.
    keypoints = train[0].keypoints
    assert (
        keypoints[4, 0] > keypoints[8, 0] > keypoints[20, 0] and (keypoints[[8, 12, 16, 20], 1] < keypoints[0, 1]).all()
    )


def test_colour_of_the_depth_camera(tmp_path):
    make(tmp_path, frames=1, views=("SK_color",), kind="SK")
    sample = Stb(tmp_path, "val", views=("SK_color",))[0]
    # Point by point, as the benchmark's own script has it: colour = R \ (depth - t), R by Rodrigues' formula.
    w, t = np.array([0.00531, -0.01196, 0.00301]), np.array([-24.0381, -0.4563, -1.2326])
    angle = np.sqrt((w**2).sum())
    x, y, z = w / angle
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turn = np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k
    for joint, name in ((0, "palm"), (4, "thumb tip"), (17, "little mcp")):
        point = np.linalg.solve(turn, hand(1)[:, NAMES.index(name), 0] - t)
        pixel = [607.92271 * point[0] / point[2] + 314.78337, 607.88192 * point[1] / point[2] + 236.42484]
        assert sample.keypoints[joint] == pytest.approx(pixel, abs=1e-3)
        assert sample.keypoints3d[joint] == pytest.approx(point, abs=1e-3)


def test_splits_share_no_sequence(tmp_path):
    make(tmp_path, SEQUENCES, frames=1)
    sets = {split: Stb(tmp_path, split) for split in ("train", "val", "all", "paper-train", "paper-val")}
    assert {k: len(v.sequences) for k, v in sets.items()} == {
        "train": 10, "val": 2, "all": 12, "paper-train": 11, "paper-val": 1,
    }  # fmt: skip
    assert all(name.startswith("B1") for name in sets["val"].sequences)
    for part in ("", "paper-"):
        assert not set(sets[part + "train"].sequences) & set(sets[part + "val"].sequences)
    assert len(sets["train"]) == 20 and len(sets["paper-train"]) == 11  # the paper's split counts left pictures


def test_random_splits_leak(tmp_path):
    """Frames at random, 1500 of 18,000: a frame is on one side, its neighbours in time are on the other."""
    make(tmp_path, frames=24, views=("BB_left", "BB_right"))
    train, val, again = (Stb(tmp_path, f"random-{split}") for split in ("train", "val", "val"))
    assert (len(train), len(val)) == (44, 4) and val.rows == again.rows and train.views == ("BB_left",)
    assert not set(train.rows) & set(val.rows) and set(train.sequences) == {"B1Counting", "B2Random"}
    leaked = {train[i].group for i in range(44)} & {val[i].group for i in range(4)}
    assert leaked  # a block of frames is on both sides, which is what the split is there to show
    both = Stb(tmp_path, "random-val", views=("BB_left", "BB_right"))
    assert {row[:2] for row in both.rows} == {row[:2] for row in val.rows} and len(both) == 8
    make(tmp_path / "small", ("B1Random",), frames=2)
    with pytest.raises(DataError, match="too few frames for split 'random-val'"):
        Stb(tmp_path / "small", "random-val")


def test_groups_are_blocks_of_frames(tmp_path):
    rows = Stb(make(tmp_path, ("B1Random",), frames=52), "val")
    groups = [rows[i].group for i in (0, 1, 98, 99, 100, 103)]
    assert groups == ["B1Random-0"] * 4 + ["B1Random-1"] * 2  # both views of a frame belong together


def test_wrist_lies_beyond_the_palm(tmp_path):
    make(tmp_path, frames=1)
    palm = Stb(tmp_path, "val")[0].keypoints3d
    wrists = {rule: Stb(tmp_path, "val", wrist=rule)[0].keypoints3d for rule in ("ring", "middle", "mean")}
    for keypoints in wrists.values():
        assert np.array_equal(keypoints[1:], palm[1:])
        assert np.linalg.norm(keypoints[0] - palm[0]) > 30 and keypoints[0, 1] > palm[0, 1] + 30  # below the palm
    assert wrists["ring"][0] == pytest.approx(2 * palm[0] - palm[13], abs=1e-3)
    assert wrists["middle"][0] == pytest.approx(palm[9] + 2.2 * (palm[0] - palm[9]), abs=1e-3)
    knuckles = palm[[5, 9, 13, 17]].mean(0)
    assert wrists["mean"][0] == pytest.approx(knuckles + 2.25 * (palm[0] - knuckles), abs=1e-3)
    with pytest.raises(DataError, match="ring, middle, mean"):
        wrist_from_palm(palm, "little")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no matlab", "not a MATLAB file"),
        ({"other": 1.0}, "no handPara"),
        ({"handPara": np.zeros((21, 3, 5))}, r"\(21, 3, 5\)"),
        ({"handPara": np.where(np.arange(4) == 2, np.nan, hand(4))}, "frame 2"),
        ({"handPara": -hand(2)}, "frame 0"),
        ({"handPara": hand(2) * 1e9}, "frame 0"),
        ({"handPara": np.zeros((3, 21, 2, 2))}, r"\(3, 21, 2, 2\)"),
        ({"handPara": csc_matrix(np.ones((3, 21)))}, "no plain array"),
        ({"handPara": hand(2).astype(complex)}, "complex128"),
    ],
)
def test_broken_labels_are_named(tmp_path, content, words):
    make(tmp_path, ("B1Random",))
    file = tmp_path / "labels" / "B1Random_BB.mat"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        savemat(file, content)
    with pytest.raises(DataError, match=words) as error:
        Stb(tmp_path, "val")
    assert "B1Random_BB.mat" in str(error.value) and "\n" not in str(error.value)


def test_missing_and_wrong_files_are_named(tmp_path, monkeypatch):
    make(tmp_path, ("B1Random",))
    with pytest.raises(DataError, match="no split 'test'"):
        Stb(tmp_path, "test")
    with pytest.raises(DataError, match="no view 'BB'"):
        Stb(tmp_path, "val", views=("BB",))
    with pytest.raises(DataError, match="B2Counting_BB.mat: no labels"):
        Stb(tmp_path, "train")
    small = tmp_path / "images" / "B1Random" / "BB_left_1.png"
    cv2.imwrite(str(small), np.zeros((240, 320, 3), np.uint8))
    with pytest.raises(DataError, match="320x240"):
        Stb(tmp_path, "val")[2]
    small.unlink()
    with pytest.raises(DataError, match="BB_left_1.png: missing, though there are 3 labels"):
        Stb(tmp_path, "val")
    monkeypatch.delenv("HANDPOSE_DATA", raising=False)
    with pytest.raises(DataError, match="HANDPOSE_DATA"):
        handpose.data.open("stb")
