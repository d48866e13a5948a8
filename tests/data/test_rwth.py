"""The reader of the RWTH fingerspelling videos, on short MPEG files written here in its layout.

At the top of every frame stand three rows of eight blocks, black or white: the frame's number, the signer and the
gesture as binary numbers. They survive compression, and tell which frame of which video a sample really shows.
"""

import re

import cv2
import numpy as np
import pytest

from handpose import data
from handpose.data import DataError
from handpose.data.readers import rwth
from handpose.data.readers.rwth import GESTURES, MOVING, Rwth, count_frames, fit, random_crop, read_frame
from handpose.data.synthetic import GERMAN_ALPHABET, render

SIGNERS, SHOWN = range(1, 11), {1: "A", 2: "B", 10: "J", 30: "SCH", 35: "5"}
FOURCCS = ("PIM1", "mp1v", "MPG1")  # names for MPEG-1; which of them works depends on the system


def length(signer, gesture, session):
    return 6 + (3 * signer + gesture + session) % 8


def read_blocks(image):
    """(frame, signer, gesture) from a picture, stretched or not."""
    height, width = image.shape[:2]
    y, x = ((np.arange(3) + 0.5) * 16 / 240 * height).astype(int), ((np.arange(8) + 0.5) * width / 8).astype(int)
    return tuple(int(row @ (1 << np.arange(8))) for row in image[y][:, x].mean(-1) > 127)


def write_video(file, hand, signer, gesture, frames, size=(320, 240)):
    file.parent.mkdir(parents=True, exist_ok=True)
    for code in FOURCCS:
        writer = cv2.VideoWriter(str(file), cv2.VideoWriter_fourcc(*code), 25, size)
        if writer.isOpened():
            break
    image = np.full((240, 320, 3), (90, 110, 70), np.uint8)
    for number in range(frames):
        x = 60 + 2 * number  # the hand moves
        image[60:220, x : x + 160] = hand[..., ::-1]
        for row, value in enumerate((number, signer, gesture)):
            for bit in range(8):
                image[16 * row : 16 * (row + 1), 40 * bit : 40 * (bit + 1)] = 255 * (value >> bit & 1)
        writer.write(cv2.resize(image, size))
    writer.release()
    return file


@pytest.fixture(scope="module")
def hands():
    return {gesture: render(name if name != "J" else "I", size=160).image for gesture, name in SHOWN.items()}


@pytest.fixture(scope="module")
def root(tmp_path_factory, hands):
    """Ten signers, five gestures, two sessions, and one video of the other camera."""
    root = tmp_path_factory.mktemp("rwth")
    probe = write_video(root / "probe.mpg", hands[1], 1, 1, 9)
    video = cv2.VideoCapture(str(probe))  # not by `count_frames`: if that is wrong, the tests must fail, not be skipped
    if not probe.is_file() or probe.read_bytes()[:4] != b"\0\0\1\xba" or sum(video.read()[0] for _ in range(99)) != 9:
        pytest.skip(f"this OpenCV writes no MPEG files (tried {', '.join(FOURCCS)})")
    probe.unlink()
    for gesture, hand in hands.items():
        for signer in SIGNERS:
            for session in (1, 2):
                file = root / "video" / str(gesture) / f"{signer}_{gesture}_{session}_cam1.mpg"
                write_video(file, hand, signer, gesture, length(signer, gesture, session))
    write_video(root / "video/2/3_2_1_cam2.mpg", hands[2], 3, 2, 8, (352, 288))
    return root


@pytest.fixture
def small(root, tmp_path):
    """One good video, to which a test adds broken ones."""
    video = tmp_path / "video"
    (video / "1").mkdir(parents=True)
    (video / "1/1_1_1_cam1.mpg").write_bytes((root / "video/1/1_1_1_cam1.mpg").read_bytes())
    return video


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """The whole database as empty files that claim ten frames each: for what depends on names and numbers alone."""
    for gesture in range(1, 36):
        folder = tmp_path / "video" / str(gesture)
        folder.mkdir(parents=True)
        for signer in range(1, 21):
            for session in (1, 2):
                (folder / f"{signer}_{gesture}_{session}_cam1.mpg").touch()
    monkeypatch.setattr(rwth, "count_frames", lambda file: 10)
    return tmp_path


def images(samples):
    return {(video.name, frame) for video, frame in samples.rows}


def reports(capfd):
    return [line for line in re.split(r"[\r\n]+", capfd.readouterr().err) if line.startswith("rwth: skipped")]


def test_names_of_the_gestures():
    assert len(GESTURES) == 35 and (GESTURES[0], GESTURES[25], GESTURES[29]) == ("A", "Z", "SCH")
    assert GESTURES[26:29] == ("AE", "OE", "UE") and GESTURES[30:] == ("1", "2", "3", "4", "5")
    assert tuple(name for name in GESTURES if name not in MOVING) == GERMAN_ALPHABET


def test_the_middle_frame_of_every_video(root):
    samples = data.open(f"rwth:{root}", "all")
    assert len(samples) == 4 * 10 * 2 and not samples.skipped
    known = [(gesture, signer, session) for gesture in (1, 2, 30, 35) for signer in SIGNERS for session in (1, 2)]
    for i, (gesture, signer, session) in enumerate(known):
        sample, middle = samples[i], length(signer, gesture, session) // 2
        assert read_blocks(sample.image) == (middle, signer, gesture)
        assert sample.id == f"{gesture}/{signer}_{gesture}_{session}_cam1.mpg#{middle}"
        assert sample.group == samples.signers[i] == f"signer-{signer}"
        assert sample.shape == samples.labels[i] == SHOWN[gesture]
        assert sample.image.shape == (320, 320, 3) and sample.image.dtype == np.uint8
        assert not sample.visible.any() and np.isnan(sample.keypoints).all() and np.isnan(sample.box).all()
    assert set(samples.labels) == {"A", "B", "SCH", "5"}
    assert np.allclose(sample.image[310, 310], (70, 110, 90), atol=9)  # RGB


def test_which_videos_are_in_use(root):
    assert set(Rwth(root / "video", "all", static=False).labels) == set(SHOWN.values())
    other = Rwth(root, "all", camera="cam2")
    assert [other[i].id for i in range(len(other))] == ["2/3_2_1_cam2.mpg#4"]
    assert read_blocks(other[0].image) == (4, 3, 2)
    for wrong in (dict(split="test"), dict(frames="first"), dict(camera="cam3")):
        ((what, value),) = wrong.items()
        with pytest.raises(DataError, match=f"no {what} '{value}'; choose one of"):
            Rwth(root, **wrong)


def test_signers_are_on_one_side(root):
    train, val, both = (Rwth(root, split) for split in ("train", "val", "all"))
    assert set(val.signers) == {"signer-1", "signer-6"} and len(val) == 4 * 2 * 2
    assert not set(val.signers) & set(train.signers)
    assert images(train) | images(val) == images(both) and len(train) + len(val) == len(both)


def test_signers_stay_when_a_video_breaks(small, root):
    for signer in (2, 3, 4, 5, 6, 7):
        (small / f"1/{signer}_1_1_cam1.mpg").write_bytes(
            b"" if signer in (2, 5) else (root / f"video/1/{signer}_1_1_cam1.mpg").read_bytes()
        )
    assert set(Rwth(small, "val").signers) == {"signer-1", "signer-6"}
    assert set(Rwth(small, "train").signers) == {"signer-3", "signer-4", "signer-7"}


def test_the_papers_split(empty, root):
    assert len(Rwth(empty, "all")) == 1200 and len(Rwth(empty, "all", static=False)) == 1400
    assert (len(Rwth(empty, "train")), len(Rwth(empty, "val"))) == (960, 240)
    train, val = Rwth(empty, "paper-train"), Rwth(empty, "paper-val")
    assert (len(train), len(val)) == (1000, 200)
    assert not images(train) & images(val)
    assert len(set(train.signers) & set(val.signers)) == 20  # the leak
    assert len(set(val.labels)) > 25  # random, not the first 200
    assert images(val) == images(Rwth(empty, "paper-val")) != images(Rwth(empty, "paper-val", seed=1))
    # With several pictures of a video, one can be on either side.
    train, val = (Rwth(empty, split, frames="paper") for split in ("paper-train", "paper-val"))
    assert (len(train), len(val)) == (1600, 200)
    assert {video for video, _ in train.rows} & {video for video, _ in val.rows}
    # Of 80 pictures the same part: 80 * 200 / 1160 = 13.8.
    assert (len(Rwth(root, "paper-train")), len(Rwth(root, "paper-val"))) == (66, 14)


def test_begin_and_last_frames_two_to_one(root):
    samples, middle = Rwth(root, "all", frames="paper"), Rwth(root, "all")
    assert len(middle) == 80 and len(samples) == 120 and images(middle) < images(samples)
    assert {label: samples.labels.count(label) for label in "AB5"} == {"A": 30, "B": 30, "5": 30}
    ends = set()
    for i in range(len(samples)):
        sample, (name, frame) = samples[i], samples[i].id.split("#")
        shown, signer, gesture = read_blocks(sample.image)
        assert shown == int(frame)
        count = length(signer, gesture, int(name.split("_")[2]))
        if shown != count // 2:
            assert shown < count // 5 or shown >= count - count // 5
            ends.add(shown < count // 5)
    assert ends == {True, False}
    assert samples.rows == Rwth(root, "all", frames="paper").rows
    assert samples.rows != Rwth(root, "all", frames="paper", seed=1).rows


def test_last_fifths_are_reached(empty):
    samples = Rwth(empty, "all", frames="paper")
    assert len(samples) == 1800
    frames = [frame for _, frame in samples.rows if frame != 5]
    assert set(frames) == {0, 1, 8, 9} and len(frames) == 600
    assert min(frames.count(n) for n in (0, 1, 8, 9)) > 110


def test_frame_counts_and_seeks_are_not_trusted(root, monkeypatch):
    class Liar:
        """Says that there are three frames, and that it went wherever it was sent."""

        def __init__(self, *args):
            self.video, self.asked = real(*args), 0

        def get(self, what):
            return 3.0

        def set(self, what, value):
            return True

        def __getattr__(self, name):
            return getattr(self.video, name)

    truth, real = Rwth(root, "all"), cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", Liar)
    samples = Rwth(root, "all")
    assert samples.rows == truth.rows
    for i in range(0, len(samples), 7):
        assert read_blocks(samples[i].image)[0] == samples.rows[i][1] > 2


def test_every_frame_by_its_number(root):
    file = root / "video/35/2_35_1_cam1.mpg"
    assert count_frames(file) == length(2, 35, 1)
    assert [read_blocks(read_frame(file, n))[0] for n in range(count_frames(file))] == [*range(count_frames(file))]
    with pytest.raises(DataError, match=rf"2_35_1_cam1.mpg: frame {count_frames(file)} cannot be decoded"):
        read_frame(file, count_frames(file))


def test_a_video_that_goes_away(small):
    samples = Rwth(small, "all")
    (small / "1/1_1_1_cam1.mpg").unlink()
    with pytest.raises(DataError, match="1_1_1_cam1.mpg: frame .* removed"):
        samples[0]


def test_stretched_or_letterboxed(root):
    stretched, boxed = Rwth(root, "all")[5].image, Rwth(root, "all", stretch=False)[5].image
    assert boxed.shape == (320, 320, 3) and not boxed[:40].any() and not boxed[280:].any()
    assert read_blocks(boxed[40:280]) == read_blocks(stretched)
    frame = read_frame(root / "video/1/3_1_2_cam1.mpg", length(3, 1, 2) // 2)
    assert frame.shape == (240, 320, 3) and np.array_equal(boxed[40:280], frame)
    # Exact places, without compression: a mark of 32x24 pixels in a frame of 320x240, then another shape.
    frame = np.zeros((240, 320, 3), np.uint8)
    frame[120:144, 64:96] = 255
    for image, box in ((fit(frame), (64, 160, 96, 192)), (fit(frame, False), (64, 160, 96, 184))):
        ys, xs = np.nonzero(image[..., 0] > 127)
        assert (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) == box
    for shape, size in (((288, 352), (262, 320)), ((400, 200), (320, 160)), ((1, 900), (1, 320))):
        image = fit(np.full((*shape, 3), 200, np.uint8), False)
        ys, xs = np.nonzero(image[..., 0])
        assert (np.ptp(ys) + 1, np.ptp(xs) + 1) == size and abs(ys.mean() - 159.5) <= 0.5 >= abs(xs.mean() - 159.5)


def test_random_crops():
    image = np.stack([*np.mgrid[:320, :320], np.zeros((320, 320))], -1).astype(np.int32)
    rng, offsets = np.random.default_rng(0), []
    for _ in range(600):
        crop, offset = random_crop(image, rng)
        assert crop.shape == (256, 256, 3) and np.array_equal(crop[0, 0, 1::-1], offset)
        offsets.append(offset)
    assert np.array_equal(np.min(offsets, 0), [0, 0]) and np.array_equal(np.max(offsets, 0), [64, 64])
    crop, offset = random_crop(image, rng, side=320)
    assert np.array_equal(crop, image) and not offset.any()
    crop[:] = 0
    assert image.any()  # a copy
    with pytest.raises(ValueError, match="321x321 does not fit into a picture of 320x320"):
        random_crop(image, rng, side=321)


BROKEN = {
    "zero bytes": ("1/2_1_1_cam1.mpg", "the file is empty"),
    "nothing left": ("1/2_1_1_cam1.mpg", "no frame can be decoded; copy or download it again"),
    "truncated": ("1/2_1_1_cam1.mpg", r"only [1-4] of at least 5 frames can be decoded"),
    "text": ("1/2_1_1_cam1.mpg", "no frame can be decoded"),
    "picture": ("1/2_1_1_cam1.mpg", "(only 1 of at least 5 frames|no frame) can be decoded"),
    "folder": ("1/2_1_1_cam1.mpg", "it cannot be read"),
    "name": ("1/hand.mpg", "its name is not <signer>_<gesture>_<session>_<cam1 or cam2>.mpg"),
    "camera": ("1/2_1_1_cam3.mpg", "its name is not"),
    "ending": ("1/2_1_1_cam1.avi", "its name is not"),
    "line break": ("1/2_1_1\n_cam1.mpg", "its name is not"),
    "other gesture": ("1/2_4_1_cam1.mpg", "its name says gesture 4, but it lies in the folder '1'"),
    "no folder": ("2_1_1_cam1.mpg", "its name says gesture 1, but it lies in the folder 'video'"),
    "named folder": ("A/2_1_1_cam1.mpg", "its name says gesture 1, but it lies in the folder 'A'"),
    "gesture 36": ("36/2_36_1_cam1.mpg", "there is no gesture 36; they are 1 to 35"),
    "gesture 0": ("0/2_0_1_cam1.mpg", "there is no gesture 0"),
}


def break_video(small, kind):
    file, good = small / BROKEN[kind][0], (small / "1/1_1_1_cam1.mpg").read_bytes()
    file.parent.mkdir(exist_ok=True)
    if kind == "folder":
        file.mkdir()
    elif kind == "picture":
        file.write_bytes(cv2.imencode(".png", np.zeros((240, 320, 3), np.uint8))[1].tobytes())
    else:
        contents = {"zero bytes": b"", "nothing left": good[:20], "truncated": good[:1500], "text": b"404 not found\n"}
        file.write_bytes(contents.get(kind, good))
    return file


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_files_are_named_and_skipped(small, kind, capfd):
    break_video(small, kind)
    samples = Rwth(small.parent, "all")
    name, reason = BROKEN[kind]
    ((skipped, why),) = samples.skipped
    assert skipped == (ascii(name) if "\n" in name else name) and re.match(reason, why)
    assert reports(capfd) == [f"rwth: skipped {skipped}: {why}"]
    assert samples.signers == ["signer-1"] and read_blocks(samples[0].image)[1:] == (1, 1)


def test_all_broken_files_at_once(small, capfd):
    for kind in ("zero bytes", "name", "other gesture", "gesture 36"):
        break_video(small, kind)
    (small / "1/.DS_Store").write_bytes(b"x")
    (small / "notes.txt").write_text("kept beside the videos")
    samples = Rwth(small, "all")
    assert len(samples) == 1 and len(samples.skipped) == 4 == len(reports(capfd))


def test_a_truncated_video_is_used_while_frames_are_left(small, root, hands):
    complete = write_video(small / "1/3_1_1_cam1.mpg", hands[1], 3, 1, 40)
    complete.write_bytes(complete.read_bytes()[: complete.stat().st_size // 2])
    samples = Rwth(small, "all")
    count = count_frames(complete)
    assert 5 <= count < 40 and not samples.skipped
    assert samples.signers == ["signer-1", "signer-3"] and read_blocks(samples[1].image) == (count // 2, 3, 1)


def test_nothing_usable(small, tmp_path):
    good = small / "1/1_1_1_cam1.mpg"
    for split, kwargs in (("train", {}), ("paper-val", {}), ("all", dict(camera="cam2"))):
        with pytest.raises(DataError, match=f"no usable video for split '{split}'; it should hold"):
            Rwth(small, split, **kwargs)  # its only signer is "val"
    good.write_bytes(b"")
    with pytest.raises(DataError, match=r"no usable video for split 'all' \(1 skipped\)") as error:
        Rwth(small, "all")
    assert str(small) in str(error.value) and "video/1/1_1_1_cam1.mpg" in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(DataError, match="no usable video"):
        Rwth(tmp_path / "video" / "1", "all")


def test_missing_folder(tmp_path, monkeypatch, root):
    with pytest.raises(DataError, match="none: no such folder; it should hold the rwth data set"):
        Rwth(tmp_path / "none")
    monkeypatch.delenv("HANDPOSE_DATA", raising=False)
    with pytest.raises(DataError, match="rwth:PATH"):
        data.open("rwth")
    (tmp_path / "rwth").symlink_to(root, target_is_directory=True)
    monkeypatch.setenv("HANDPOSE_DATA", str(tmp_path))
    assert len(data.open("rwth", "val")) == 16
