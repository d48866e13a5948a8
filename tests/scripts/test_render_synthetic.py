"""The program that writes rendered hands to disk, read back by the descriptions of the two layouts."""

import errno
import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import loadmat

import handpose.data
from handpose import files
from handpose.data.readers import stb
from handpose.data.readers.hand_keypoints import block_split
from handpose.data.synthetic.anatomy import LIMITS
from handpose.data.synthetic.collision import penetration
from handpose.data.synthetic.sequence import StereoSequence

SCRIPT = Path(__file__).resolve().parents[2] / "data_scripts" / "render_synthetic.py"
spec = importlib.util.spec_from_file_location("render_synthetic", SCRIPT)
script = importlib.util.module_from_spec(spec)
spec.loader.exec_module(script)


def run(*arguments):
    try:
        return script.main([str(a) for a in arguments])
    except SystemExit as stop:
        return stop.code


def images(root):
    return {
        str(f.relative_to(root)): f.read_bytes() for kind in ("images", "labels") for f in (root / kind).rglob("*.*")
    }


@pytest.fixture(scope="module")
def yolo(tmp_path_factory):
    root = tmp_path_factory.mktemp("rendered") / "yolo"
    assert run(root, "--layout", "hand-keypoints", "-n", 80, "--size", 48, "--workers", 1) == 0
    return root


@pytest.fixture(scope="module")
def stereo(tmp_path_factory):
    root = tmp_path_factory.mktemp("rendered") / "stb"
    assert run(root, "--layout", "stb", "-n", 1, "--workers", 1) == 0
    return root


# The Hand Keypoints layout


def test_hand_keypoints_layout_reads_back(yolo):
    train, val = (handpose.data.open(f"hand-keypoints:{yolo}", split) for split in ("train", "val"))
    assert len(train) == 72 and len(val) == 8
    published = handpose.data.open(f"hand-keypoints:{yolo}", "published-val")
    assert published.numbers == val.numbers  # the folders and the block split agree
    for split, read in (("train", train), ("val", val)):
        drawn = handpose.data.SyntheticHands(0, split, 48, **{
            k: v for k, v in handpose.data.SYNTHETIC[split].items() if k not in ("length", "size")
        })  # fmt: skip
        for i in (0, 7):
            sample, truth = read[i], drawn[i]
            assert block_split(read.numbers[i]) == split
            assert np.array_equal(sample.visible, truth.visible)
            assert np.abs(sample.keypoints - truth.keypoints)[truth.visible].max() < 1e-3
            assert np.abs(sample.image.astype(int) - truth.image).mean() < 6  # JPEG
    line = (yolo / "labels" / "val" / f"{val.files[0].stem}.txt").read_text().split()
    box = (np.array(val[0].box) + 0.5) / 48
    assert np.array(line[1:5], float) == pytest.approx(
        [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0], box[3] - box[1]], abs=1e-4
    )


def test_ids_keep_to_the_block_split():
    tasks = script.hand_keypoints.tasks(30000)
    assert len({number for _, _, number in tasks}) == 30000
    assert all(block_split(number) == split for split, _, number in tasks[::7])
    with pytest.raises(files.OutputError, match="33"):
        script.hand_keypoints.tasks(40000)


def test_killed_midway_it_goes_on(tmp_path, yolo):
    """Killed with no chance to tidy up, the program leaves whole files only, and the next call adds the rest."""
    root = tmp_path / "killed"
    command = [sys.executable, SCRIPT, root, "--layout", "hand-keypoints", "-n", "80", "--size", "48"]
    running = subprocess.Popen([*command, "--workers", "2"], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 240
    while len(list(root.glob("images/*/IMG*.jpg"))) < 5 and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    before = -1
    while before != (before := len(images(root))):  # the workers notice that their parent is gone
        time.sleep(1)
    first = {f: f.stat().st_mtime_ns for f in root.glob("images/*/IMG*.jpg")}
    assert 5 <= len(first) < 80
    complete = images(yolo)
    left = {name: content for name, content in images(root).items() if not Path(name).name.startswith(".")}
    assert all(complete[name] == content for name, content in left.items())
    (root / "images" / "train" / ".4194999-IMG_00000001.jpg").write_bytes(b"half")  # as a killed writer leaves it
    assert run(root, "--layout", "hand-keypoints", "-n", 80, "--size", 48, "--workers", 1) == 0
    assert images(root) == complete
    assert all(f.stat().st_mtime_ns == when for f, when in first.items())  # what was finished was not drawn again


# The Stereo Hand Pose layout: the numbers below are the benchmark's, written out again

FX = FY = 822.79041
CX, CY, BASE = 318.47345, 250.31296, 120.054


def pixels(para, right):
    """(21, 2): handPara of one frame, (3, 21) mm, in the left or the right picture."""
    x, y, z = para
    return np.stack([FX * (x - (BASE if right else 0)) / z + CX, FY * y / z + CY], 1)


def test_stb_files(stereo):
    folders = sorted(f.name for f in (stereo / "images").iterdir())
    assert folders == sorted(f"B{b}{kind}" for b in range(1, 7) for kind in ("Counting", "Random"))
    for name in folders:
        assert sorted(f.name for f in (stereo / "images" / name).iterdir()) == ["BB_left_0.png", "BB_right_0.png"]
        para = loadmat(stereo / "labels" / f"{name}_BB.mat")["handPara"]
        assert para.reshape(3, 21, -1).shape == (3, 21, 1)
    image = cv2.imread(str(stereo / "images" / "B1Random" / "BB_right_0.png"))
    assert image.shape == (480, 640, 3) and image.std() > 5
    val, train = (handpose.data.open(f"stb:{stereo}", split) for split in ("val", "train"))
    assert len(val) == 4 and len(train) == 20 and val[0].visible.all()
    para = loadmat(stereo / "labels" / "B1Counting_BB.mat")["handPara"].reshape(3, 21)
    for right in (0, 1):  # thumb tip: last of the benchmark's order, fourth of ours
        assert val[right].keypoints[4] == pytest.approx(pixels(para, right)[20], abs=1e-3)


@pytest.mark.parametrize("name", ["B1Random", "B3Counting"])
def test_stb_labels_lie_on_the_drawn_hand(name):
    """In both pictures the projections fall on the hand, and moving them off their place they would not."""
    sequence = StereoSequence(2, name, 25)
    para = sequence.hand_para()
    assert para.shape == (3, 21, 25)
    for frame in (0, 24):
        for right, view in enumerate(("BB_left", "BB_right")):
            drawing = sequence.drawing(frame, view)
            assert drawing.alpha.shape == (480, 640)
            keypoints = pixels(para[:, :, frame], right)
            assert (keypoints > 0).all() and (keypoints < [640, 480]).all()
            open_joints = ~drawing.occluded[list(stb.STB_ORDER)]
            open_joints[0] = True  # the palm's centre lies inside the palm, whatever is in front of it
            at = np.round(keypoints[open_joints]).astype(int)
            hits = [drawing.alpha[y - 1 : y + 2, x - 1 : x + 2].max() > 0.5 for x, y in at]
            assert all(hits) and len(hits) >= 8
            # Finger tips lie a few millimetres inside the outline: the hand ends soon beyond them.
            shift = np.round(np.array([0.0, 2.0]) * FX * 20 / para[2, 0, frame]).astype(int)
            assert not all(drawing.alpha[max(y - shift[1], 0), x] > 0.5 for x, y in at)


def test_stereo_pictures_show_the_hand_where_both_masks_are():
    """The hand stands out from the background in the picture itself, in place and in both views."""
    sequence = StereoSequence(2, "B3Counting", 1)
    for view in ("BB_left", "BB_right"):
        image, alpha = sequence.image(0, view).astype(float), sequence.drawing(0, view).alpha
        left = sequence.wall_shift if view == "BB_right" else 0
        top = (len(sequence.wall) - 480) // 2
        wall = 255 * sequence.cast * sequence.wall[top : top + 480, left : left + 640]
        off = np.abs(image - np.clip(wall, 0, 255)).mean(2)
        assert np.median(off[alpha == 0]) < 5 < 12 < np.median(off[alpha == 1])
    near = sequence.points[0, :, 2].mean()
    assert sequence.wall_shift < FX * BASE / near  # the wall is farther away than the hand


def test_motion_is_smooth_and_the_hand_stays_the_same():
    for name in ("B1Random", "B2Counting"):
        sequence = StereoSequence(1, name, 150)
        keypoints = sequence.points
        step = np.linalg.norm(np.diff(keypoints, axis=0), axis=2)
        change = np.linalg.norm(np.diff(keypoints, n=2, axis=0), axis=2)
        assert step.max() < 30 and change.max() < 9  # mm a frame, mm a frame squared
        assert np.ptp(keypoints[:, 8], axis=0).max() > 40  # but it moves
        bones = np.linalg.norm(keypoints[:, 5:9] - keypoints[:, [0, 5, 6, 7]], axis=2)
        assert np.ptp(bones, axis=0).max() < 1e-6
        angles = np.array([pose.to_array() for pose in sequence.poses])
        assert (angles >= LIMITS[:, 0] - 1e-9).all() and (angles <= LIMITS[:, 1] + 1e-9).all()
        overlap = [penetration(pose, sequence.identity) for pose in sequence.poses[::5]]
        assert np.percentile(overlap, 95) < 4 and max(overlap) < 12
        # A left hand: the turn from index to little finger about the wrist, seen from the palm.
        a, b = keypoints[:, 5] - keypoints[:, 0], keypoints[:, 17] - keypoints[:, 0]
        palm = sequence.turns[:, :, 2]  # where the palm looks
        assert (np.einsum("ni,ni->n", np.cross(a, b), palm) < 0).all()


def test_the_palm_and_the_wrist():
    sequence = StereoSequence(0, "B2Counting", 40)
    para = sequence.hand_para()
    ring, palm = para[:, 5], para[:, 0]  # the benchmark's order: palm, four joints of the little finger, ring MCP
    wrist = ring + 2 * (palm - ring)
    assert np.abs(wrist.T - sequence.points[:, 0]).max() < 1e-6
    canonical = para.transpose(2, 1, 0)[:, list(stb.STB_ORDER)]
    for rule in ("middle", "mean"):  # the other rules come near
        away = np.linalg.norm(stb.wrist_from_palm(canonical, rule)[:, 0] - sequence.points[:, 0], axis=1)
        assert away.max() < 35
    assert np.linalg.norm(palm.T - sequence.points[:, 0], axis=1).min() > 25


def test_frames_do_not_depend_on_each_other(stereo):
    sequence = StereoSequence(0, "B4Random", 1)
    written = cv2.imread(str(stereo / "images" / "B4Random" / "BB_right_0.png"))[..., ::-1]
    assert np.array_equal(written, sequence.image(0, "BB_right"))


# What can go wrong


def one_line(capsys, *words):
    errors = capsys.readouterr().err.strip().splitlines()
    lines = [line for line in errors if not line.startswith(("\r", " ")) and "it/s" not in line and "%|" not in line]
    assert len(lines) == 1 and all(word in lines[0] for word in words), errors


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--layout", "coco", "-n", "3"), ("coco", "hand-keypoints", "stb")),
        (("--layout", "stb", "-n", "0"), ("'0'", "from 1 on")),
        (("--layout", "stb", "-n", "many"), ("'many'",)),
        (("--layout", "hand-keypoints", "-n", "3", "--size", "8"), ("'8'", "16")),
        (("--layout", "stb"), ("--number",)),
        (("--layout", "hand-keypoints", "-n", "99999"), ("99999", "too many")),
    ],
)
def test_bad_arguments_take_one_line(tmp_path, capsys, arguments, words):
    assert run(tmp_path / "out", *arguments) != 0
    one_line(capsys, *words)
    assert not (tmp_path / "out").exists()


def test_folders_that_are_not_ours(tmp_path, capsys, yolo):
    layout = ("--layout", "hand-keypoints", "-n", 2, "--size", 32)
    (tmp_path / "file").write_text("x")
    assert run(tmp_path / "file" / "out", *layout) == 1
    one_line(capsys, "file", "cannot be written")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_text("x")
    assert run(tmp_path / "photos", *layout) == 1
    one_line(capsys, "photos", "other files")
    assert [f.name for f in (tmp_path / "photos").iterdir()] == ["a.jpg"]
    assert run(yolo, *layout) == 1
    one_line(capsys, "number 80", "new folder")


def test_a_full_disk_leaves_no_half_file(tmp_path, capsys, monkeypatch):
    done = []

    def full(descriptor):
        done.append(descriptor)
        if len(done) > 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", full)
    arguments = (tmp_path / "out", "--layout", "hand-keypoints", "-n", 6, "--size", 32, "--workers", 1)
    assert run(*arguments) == 1
    one_line(capsys, "No space left", "IMG_")
    written = images(tmp_path / "out")
    assert len(written) == 3 and not [name for name in written if Path(name).name.startswith(".")]
    monkeypatch.undo()
    assert run(*arguments) == 0
    assert len(handpose.data.open(f"hand-keypoints:{tmp_path / 'out'}", "all")) == 6
