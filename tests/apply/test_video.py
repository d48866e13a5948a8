"""`predict` on videos and cameras: small videos that the test writes, broken ones, a camera and window played here."""

import json
import struct
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from handpose import HandPose, files
from handpose.__main__ import main
from handpose.apply import capture, display, recording
from handpose.confidence import Confidence
from handpose.data import DataError, SyntheticHands
from handpose.pipeline import Hand

FRAMES = 24


def write(path, frames, fps=25.0, code="mp4v"):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), fps, frames[0].shape[1::-1])
    if not writer.isOpened():
        pytest.skip(f"this OpenCV writes no {path.suffix} files")
    for frame in frames:
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()
    return path


def read(path):
    return list(capture.Source(path))


def atoms(content):
    """The parts that an MP4 file is made of, {name: bytes}."""
    at, found = 0, {}
    while at < len(content):
        length, name = struct.unpack(">I4s", content[at : at + 8])
        found[name.decode()] = content[at : at + length]
        at += length
    return found


def index_first(content):
    """An MP4 as it is made for streaming: its index stands before the pictures, so a cut one still opens."""
    parts = atoms(content)
    index, table = parts["moov"], parts["moov"].find(b"stco") + 12
    count = struct.unpack(">I", index[table - 4 : table])[0]
    moved = [at + len(index) for at in struct.unpack(f">{count}I", index[table : table + 4 * count])]
    index = index[:table] + struct.pack(f">{count}I", *moved) + index[table + 4 * count :]
    return parts["ftyp"] + index + b"".join(parts[name] for name in parts if name not in ("ftyp", "moov"))


@pytest.fixture(scope="module")
def hand():
    return SyntheticHands(split="test")[3]


@pytest.fixture(scope="module")
def images(hand):
    return [np.roll(hand.image, (0, 2 * k), (0, 1)) for k in range(FRAMES)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory, images):
    return write(tmp_path_factory.mktemp("clip") / "clip.mp4", images)


class Quick:
    """In place of HandPose: one hand in the middle, and what `at` does at a frame."""

    def __init__(self, at=None):
        self.at, self.frames, self.boxes, self.confidence = at or {}, 0, [], Confidence(0, 1, 0, alone=(-11, 20))

    def __call__(self, image, boxes=None, *, angles=None, tiles=None):
        self.at.get(self.frames, lambda: None)()
        self.frames += 1
        self.boxes.append(boxes)
        box = np.array((80, 80, 160, 160), np.float32)
        keypoints = np.stack([box[:2] + 80 * np.array((k % 5, k // 5)) / 4 for k in range(21)]).astype(np.float32)
        return [Hand(keypoints, np.full(21, 0.8, np.float32), box, 0.9)]


@pytest.fixture
def quick(monkeypatch):
    hp = Quick()
    monkeypatch.setattr(HandPose, "from_pretrained", lambda *args, **options: hp)
    return hp


def interrupt():
    raise KeyboardInterrupt


# Files


def test_a_video_is_followed_drawn_and_written(clip, images, hand, tmp_path, capsys):
    out, drawn = tmp_path / "out.json", tmp_path / "out.mp4"
    assert main(["predict", str(clip), "--json", str(out), "--draw", str(drawn), "--device", "cpu"]) == 0
    found = json.loads(out.read_text())
    (entry,) = found["videos"]
    assert set(found) == {"joints", "weights", "videos", "left_out"}
    assert set(entry) == {"path", "fps", "width", "height", "frames"}
    assert (entry["path"], entry["fps"], entry["width"], entry["height"]) == (str(clip), 25.0, 256, 256)
    assert [row["frame"] for row in entry["frames"]] == list(range(FRAMES))
    assert [row["time_ms"] for row in entry["frames"]] == pytest.approx([40 * k for k in range(FRAMES)])
    for k, row in enumerate(entry["frames"]):
        (one,) = row["hands"]
        assert set(one) == {"keypoints", "scores", "box", "score", "gesture", "track"} and one["track"] == 1
        if k < 10:  # later the hand is rolled over the edge
            distance = np.linalg.norm(np.array(one["keypoints"]) - hand.keypoints - [2 * k, 0], axis=1)
            assert np.median(distance) < 20
    frames = read(drawn)
    assert len(frames) == FRAMES and frames[0].shape == images[0].shape
    assert np.abs(frames[3].astype(int) - images[3]).mean() > 1  # the hand
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.json", "out.mp4"]
    assert "24 frames, 24 with a hand, 1 hand followed; the detector looked at 3" in capsys.readouterr().out


def test_photos_and_videos_together(clip, images, quick, tmp_path):
    photo, out = tmp_path / "photo.png", tmp_path / "out.json"
    cv2.imwrite(str(photo), images[0])
    assert main(["predict", str(photo), str(clip), "--json", str(out), "--draw", str(tmp_path / "drawn")]) == 0
    found = json.loads(out.read_text())
    assert {"images", "videos"} < set(found) and len(found["videos"][0]["frames"]) == FRAMES
    assert (
        set(found["images"][0]) == {"path", "width", "height", "hands"}
        and "track" not in found["images"][0]["hands"][0]
    )
    assert sorted(p.name for p in (tmp_path / "drawn").iterdir()) == ["clip.mp4", "photo.png"]


def test_a_folder_gives_its_photos_only(clip, images, quick, tmp_path, capsys):
    folder, out = tmp_path / "in", tmp_path / "out.json"
    folder.mkdir()
    (folder / "clip.mp4").write_bytes(clip.read_bytes())
    assert main(["predict", str(folder)]) == 1 and "name videos one by one" in capsys.readouterr().err
    cv2.imwrite(str(folder / "a.png"), images[0])
    assert main(["predict", str(folder), "--json", str(out)]) == 0
    found = json.loads(out.read_text())
    assert set(found) == {"joints", "weights", "images", "left_out"}
    assert found["left_out"] == [{"path": str(folder / "clip.mp4"), "why": "a video: name it by itself"}]
    assert "not read, a video: name it by itself (1): clip.mp4" in capsys.readouterr().err


def test_a_box_is_where_the_track_begins(clip, quick):
    assert main(["predict", str(clip), "--box=70,80,150,160"]) == 0
    assert quick.boxes[0] == [(70, 80, 150, 160)] and quick.boxes[1] is not None
    assert None not in quick.boxes[:9] and quick.boxes[9:].count(None) == 2  # later the detector looks as always


@pytest.mark.parametrize(("width", "height"), [(63, 48), (64, 47), (9, 9), (640, 30)])
@pytest.mark.parametrize("kind", [".mp4", ".mov", ".mkv"])
def test_odd_sizes_lose_a_row_or_column(tmp_path, width, height, kind):
    with recording.filming(tmp_path / f"a{kind}", 30000 / 1001) as film:
        for _ in range(5):
            film(np.full((height, width, 3), 99, np.uint8))
    frames = read(tmp_path / f"a{kind}")
    assert len(frames) == 5 and frames[0].shape == (height // 2 * 2, width // 2 * 2, 3)
    assert capture.Source(tmp_path / f"a{kind}").fps == pytest.approx(29.97, abs=0.01)


def test_frames_of_another_size_are_not_lost(tmp_path):
    with recording.filming(tmp_path / "a.mp4", 25) as film:
        for side in (64, 64, 48, 80):
            film(np.full((side, 64, 3), 99, np.uint8))
    assert [frame.shape for frame in read(tmp_path / "a.mp4")] == [(64, 64, 3)] * 4


def test_a_video_that_lies_on_its_side_is_turned(clip, images, tmp_path):
    content = clip.read_bytes()
    at = content.find(b"tkhd") + 44  # the matrix, here a turn of 90 degrees
    turn = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    (tmp_path / "turned.mp4").write_bytes(content[:at] + turn + content[at + 36 :])
    straight, turned = read(clip)[0], read(tmp_path / "turned.mp4")[0]
    assert np.array_equal(turned, np.rot90(straight, -1)) or np.array_equal(turned, np.rot90(straight))
    if cv2.__version__ >= "5":  # 4.6 to 4.8 turned the wrong way
        assert np.array_equal(turned, np.rot90(straight, -1))


@pytest.mark.parametrize(
    ("fps", "count", "known"),
    [(0, 0, None), (float("nan"), -1, None), (90000, 7, None), (-1, 1e18, None), (12.5, 3, 12.5)],
)
def test_what_the_file_says_of_itself_is_not_trusted(clip, quick, tmp_path, monkeypatch, fps, count, known):
    real, stated = cv2.VideoCapture, {cv2.CAP_PROP_FPS: fps, cv2.CAP_PROP_FRAME_COUNT: count}

    class Liar:
        def __init__(self, name):
            self.video, self.name = real(name), name

        def get(self, what):
            return stated.get(what, 0) if str(clip) == self.name else self.video.get(what)

        def __getattr__(self, name):
            return getattr(self.video, name)

    monkeypatch.setattr(cv2, "VideoCapture", Liar)
    out, drawn = tmp_path / "out.json", tmp_path / "out.mp4"
    assert main(["predict", str(clip), "--json", str(out), "--draw", str(drawn)]) == 0
    (entry,) = json.loads(out.read_text())["videos"]
    assert len(entry["frames"]) == FRAMES and entry["fps"] == known
    assert [row["time_ms"] for row in entry["frames"]] == [1000 / (known or 25) * k for k in range(FRAMES)]
    assert real(str(drawn)).get(cv2.CAP_PROP_FPS) == pytest.approx(known or 25)


def uneven(content, times):
    """An MP4 whose frames are shown at these times in milliseconds, as phones record them."""
    scale = struct.unpack(">I", content[content.find(b"mdhd") + 16 :][:4])[0]
    steps = [round((b - a) * scale / 1000) for a, b in zip(times, [*times[1:], 2 * times[-1] - times[-2]], strict=True)]
    at = content.find(b"stts") - 4
    old = struct.unpack(">I", content[at : at + 4])[0]
    table = struct.pack(">4sII", b"stts", 0, len(steps)) + b"".join(struct.pack(">II", 1, step) for step in steps)
    found = bytearray(content[: at + 4] + table + content[at + old :])
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stts"):
        start = content.find(name) - 4
        length = struct.unpack(">I", content[start : start + 4])[0] + len(table) + 4 - old
        found[start : start + 4] = struct.pack(">I", length)
    return bytes(found.replace(b"edts", b"free"))  # it would cut the video to its old length


UNEVEN = [*range(0, 331, 33), *(330 + 200 * k for k in range(1, 10))]  # ten frames 33 ms apart, then 200 ms


def test_frames_at_uneven_times_keep_them(tmp_path, quick, images):
    clip = write(tmp_path / "even.mp4", images[: len(UNEVEN)])
    (tmp_path / "uneven.mp4").write_bytes(uneven(clip.read_bytes(), UNEVEN))
    out, drawn = tmp_path / "out.json", tmp_path / "out.mp4"
    assert main(["predict", str(tmp_path / "uneven.mp4"), "--json", str(out), "--draw", str(drawn)]) == 0
    rows = json.loads(out.read_text())["videos"][0]["frames"]
    assert [row["time_ms"] for row in rows] == pytest.approx(UNEVEN, abs=0.5)
    first_shown = {}  # which picture the drawing shows, and when first
    for _, at, image in capture.Source(drawn).numbered():
        differences = [np.abs(image.astype(int) - original).mean() for original in images[: len(UNEVEN)]]
        first_shown.setdefault(int(np.argmin(differences)), at)
    assert list(first_shown) == list(range(len(UNEVEN))) and list(first_shown.values()) == pytest.approx(UNEVEN, abs=17)


def test_the_rate_of_a_drawing():
    even = [1000 / 30 * k for k in range(90)]
    assert recording.rate(even, 30.0) == 30.0 and recording.rate([], 25.0) == 25.0 == recording.rate([7.0], 25.0)
    assert recording.rate([round(t) for t in even], 29.97) == 29.97
    assert recording.rate([t for k, t in enumerate(even) if k % 9], 26.7) == pytest.approx(30)  # some are left out
    assert recording.rate([0.0, 1.0, *range(500, 9000, 500)], 2.0) <= recording.FASTEST


def test_frames_are_read_one_by_one(clip, quick):
    frames = iter(capture.Source(clip))
    assert next(frames).shape == (256, 256, 3) and iter(frames) is frames


# Broken files


@pytest.mark.parametrize("kind", ["mp4", "avi"])
def test_a_video_that_is_cut_off_is_kept_as_far_as_it_goes(clip, images, quick, tmp_path, capsys, kind):
    if kind == "mp4":
        content = index_first(clip.read_bytes())
    else:
        content = write(tmp_path / "whole.avi", images, code="MJPG").read_bytes()
    (tmp_path / f"whole.{kind}").write_bytes(content)
    (tmp_path / f"cut.{kind}").write_bytes(content[: len(content) // 2])
    assert capture.cut_off(tmp_path / f"cut.{kind}") is True and capture.cut_off(tmp_path / f"whole.{kind}") is False
    assert main(["predict", str(tmp_path / f"whole.{kind}")]) == 0
    capsys.readouterr()
    out, drawn = tmp_path / "out.json", tmp_path / "out.mp4"
    assert main(["predict", str(tmp_path / f"cut.{kind}"), "--json", str(out), "--draw", str(drawn)]) == 1
    rows = json.loads(out.read_text())["videos"][0]["frames"]
    assert 5 < len(rows) < FRAMES and len(read(drawn)) == len(rows)
    assert f"cut.{kind}: ends after {len(rows)} of {FRAMES} frames" in capsys.readouterr().err


def test_one_bad_video_does_not_stop_the_rest(clip, quick, tmp_path, capsys):
    out, names = tmp_path / "out.json", {}
    broken = {"empty.mp4": b"", "text.mp4": b"hello\n" * 99, "photo.jpg": b"", "noise.avi": b"\x93noise" * 999}
    for name, content in (broken | {"end.mp4": clip.read_bytes()[: clip.stat().st_size // 2]}).items():
        names[name] = tmp_path / name
        names[name].write_bytes(content)
    names["gone.mov"] = tmp_path / "gone.mov"
    assert main(["predict", *map(str, names.values()), str(clip), "--json", str(out)]) == 1
    errors = capsys.readouterr().err
    assert len(json.loads(out.read_text())["videos"][0]["frames"]) == FRAMES
    for words in ("empty.mp4: the file is empty", "text.mp4: not a video", "photo.jpg: the file is empty",
                  "end.mp4: not a video that OpenCV can read (cut off", "gone.mov: cannot be read"):  # fmt: skip
        assert words in errors
    assert errors.count("error: ") == 6 and "Traceback" not in errors


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["CLIP", "--draw", "CLIP"], "would replace"),
        (["CLIP", "--json", "CLIP"], "ends in .json"),
        (["CLIP", "--draw", "OUT/x.mp4", "--json", "OUT/x.mp4"], "ends in .json"),
        (["CLIP", "--draw", "OUT/x.png"], "ends in .mp4"),
        (["CLIP", "--draw", "OUT/x.webm"], "ends in .mp4"),
        (["CLIP", "CLIP", "a.png", "--draw", "OUT/x.mp4"], "several photos need a folder"),
        (["CLIP", "--draw", "/dev/null/x.mp4"], "cannot be written"),
        (["CLIP", "--box", "1,2,x,4"], "expected four numbers"),
        (["CLIP", "--camera", "0"], "not both"),
        ([], "name photos"),
        (["--camera", "0", "--draw", "OUT/x.png"], "ends in .mp4"),
    ],
)
def test_errors_are_one_line(clip, quick, tmp_path, capsys, arguments, words):
    before = clip.read_bytes()
    named = [a.replace("CLIP", str(clip)).replace("OUT", str(tmp_path)) for a in arguments]
    assert main(["predict", *named]) == 1
    errors = capsys.readouterr().err
    assert words in errors and errors.startswith("error: ") and errors.count("\n") == 1
    assert clip.read_bytes() == before and not list(tmp_path.iterdir())


def test_a_full_disk(clip, quick, tmp_path, capsys):
    resource = pytest.importorskip("resource")
    drawn, out = tmp_path / "out.mp4", tmp_path / "out.json"
    before = b"what was there" + files.MARK
    drawn.write_bytes(before)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in (15_000, 40_000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            assert main(["predict", str(clip), "--draw", str(drawn)]) == 1
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert "out.mp4: cannot be written" in capsys.readouterr().err
        assert drawn.read_bytes() == before and list(tmp_path.iterdir()) == [drawn]
    assert not out.exists()


def test_a_video_that_opencv_cannot_write(tmp_path):
    words = r"a\.mp4: OpenCV cannot write such a video"
    with pytest.raises(files.OutputError, match=words), recording.filming(tmp_path / "a.mp4", 90000.5) as film:
        film(np.zeros((16, 16, 3), np.uint8))
    assert not list(tmp_path.iterdir())


def test_ctrl_c_keeps_what_was_done(clip, quick, tmp_path, capsys):
    quick.at = {15: interrupt}
    drawn, out = tmp_path / "drawn", tmp_path / "out.json"
    assert main(["predict", str(clip), str(clip.parent / "other.mp4"), "--draw", str(drawn), "--json", str(out)]) == 130
    rows = json.loads(out.read_text())["videos"][0]["frames"]
    assert 10 < len(rows) < FRAMES and len(read(drawn / "clip.mp4")) == len(rows)
    assert [p.name for p in drawn.iterdir()] == ["clip.mp4"]
    errors = capsys.readouterr().err
    assert "what was done by then is kept" in errors and "other.mp4" not in errors and "Traceback" not in errors


def test_ctrl_c_before_the_first_frame_leaves_nothing(clip, quick, tmp_path):
    quick.at = {0: interrupt}
    assert main(["predict", str(clip), "--draw", str(tmp_path / "out.mp4")]) == 130
    assert not list(tmp_path.iterdir())


# The camera


class Camera:
    """In place of cv2.VideoCapture for a number: one picture over and over; a key, a closed window, a lost cable."""

    def __init__(self, monkeypatch, image, *, frames=30, keys=None, closed=99, fps=20.0, present=True):
        self.image, self.frames, self.keys, self.closed, self.fps = image, frames, keys or {}, closed, fps
        self.present, self.shown, self.time, real = present, [], 0.0, cv2.VideoCapture
        monkeypatch.setattr(
            cv2, "VideoCapture", lambda name: self if isinstance(name, int) or "://" in name else real(name)
        )
        monkeypatch.setattr(cv2, "namedWindow", lambda *args: None)
        monkeypatch.setattr(cv2, "imshow", lambda title, image: self.shown.append(image))
        monkeypatch.setattr(cv2, "waitKey", lambda wait: self.keys.get(len(self.shown), -1))
        monkeypatch.setattr(cv2, "getWindowProperty", lambda title, what: float(len(self.shown) < self.closed))
        monkeypatch.setattr(capture.time, "monotonic", lambda: self.time)
        monkeypatch.setattr(subprocess, "run", lambda *args, **options: subprocess.CompletedProcess(args, 0))
        monkeypatch.setenv("DISPLAY", ":7")

    def isOpened(self):
        return self.present

    def get(self, what):
        return {cv2.CAP_PROP_FPS: self.fps, cv2.CAP_PROP_FRAME_COUNT: -1.0}.get(what, 0.0)

    def read(self):
        self.frames -= 1
        self.time += 0.1  # seconds; every second picture of a camera with 20 a second
        return (True, self.image[..., ::-1].copy()) if self.frames >= 0 else (False, None)

    def release(self):
        self.frames = 0


@pytest.mark.parametrize("end", [{"keys": {8: ord("q")}}, {"keys": {8: 27}}, {"closed": 8}])
def test_the_window_shows_the_hand_until_it_is_closed(monkeypatch, quick, images, end):
    camera = Camera(monkeypatch, images[0], **end)
    assert main(["predict", "--camera", "0"]) == 0
    assert len(camera.shown) == 8 == quick.frames
    assert (camera.shown[0][..., ::-1] != images[0]).any() and camera.shown[0].shape == images[0].shape


def test_a_slow_camera_is_filmed_at_its_own_pace(monkeypatch, quick, images, tmp_path):
    """Ten pictures in 0.9 seconds: frames 0, 2, ... 18 of twenty a second, and as many in the film."""
    Camera(monkeypatch, images[0], keys={10: ord("q")})
    out, drawn = tmp_path / "out.json", tmp_path / "out.mp4"
    assert main(["predict", "--camera", "0", "--json", str(out), "--draw", str(drawn)]) == 0
    (entry,) = json.loads(out.read_text())["videos"]
    assert (entry["path"], entry["fps"]) == ("camera 0", 20.0)
    assert [row["frame"] for row in entry["frames"]] == list(range(0, 20, 2)) and len(read(drawn)) == 19
    assert [row["time_ms"] for row in entry["frames"]] == pytest.approx([100 * k for k in range(10)])


def test_a_camera_that_goes_away_or_is_not_there(monkeypatch, quick, images, tmp_path, capsys):
    out, drawn = tmp_path / "out.json", tmp_path / "out.mp4"
    Camera(monkeypatch, images[0], frames=5, fps=0.0)
    assert main(["predict", "--camera", "0", "--json", str(out), "--draw", str(drawn)]) == 1
    assert "--camera 0: gives no more pictures" in capsys.readouterr().err
    assert len(json.loads(out.read_text())["videos"][0]["frames"]) == 5 and len(read(drawn)) > 5
    Camera(monkeypatch, images[0], present=False)
    assert main(["predict", "--camera", "9"]) == 1
    assert "--camera 9: there is no such camera" in capsys.readouterr().err


def test_a_camera_without_a_display(monkeypatch, quick, images, tmp_path, capsys):
    """A line and status 1 where nothing is to be written, else a line and work; Ctrl-C ends it."""
    camera = Camera(monkeypatch, images[0], frames=10**6)
    monkeypatch.setattr(display.sys, "platform", "linux")
    monkeypatch.setattr(cv2, "imshow", None)
    for set_up, words in (
        (lambda: monkeypatch.setattr(subprocess, "run", lambda *a, **o: subprocess.CompletedProcess(a, 1)), "headless"),
        (lambda: monkeypatch.delenv("DISPLAY"), "no display"),
    ):
        set_up()
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
        assert main(["predict", "--camera", "0"]) == 1
        errors = capsys.readouterr().err
        assert words in errors and errors.count("\n") == 1 and quick.frames == 0
    quick.at = {12: interrupt}
    out, drawn = tmp_path / "out.json", tmp_path / "out.mp4"
    assert main(["predict", "--camera", "0", "--json", str(out), "--draw", str(drawn)]) == 130
    errors = capsys.readouterr().err
    assert "going on without a window" in errors and "is kept" in errors and camera.frames == 0
    rows = json.loads(out.read_text())["videos"][0]["frames"]
    assert 5 < len(rows) < 13 and len(read(drawn)) >= rows[-1]["frame"] + 1


def test_a_camera_by_its_address(monkeypatch, quick, images, tmp_path, capsys):
    address, out, drawn = "rtsp://me:secret@host:554/one", tmp_path / "out.json", tmp_path / "drawn"
    drawn.mkdir()
    Camera(monkeypatch, images[0], frames=4)
    assert main(["predict", "--camera", address, "--json", str(out), "--draw", str(drawn)]) == 1
    assert "--camera rtsp://host:554/one: gives no more pictures" in capsys.readouterr().err
    (entry,) = json.loads(out.read_text())["videos"]
    assert entry["path"] == "camera rtsp://host:554/one" and len(entry["frames"]) == 4
    assert (entry["width"], entry["height"]) == (256, 256) and [p.name for p in drawn.iterdir()] == ["camera.mp4"]
    Camera(monkeypatch, images[0], present=False)
    assert main(["predict", "--camera", address]) == 1
    errors = capsys.readouterr().err
    assert "--camera rtsp://host:554/one: cannot be opened" in errors and "secret" not in errors


def test_a_camera_number_that_is_none(capsys):
    with pytest.raises(SystemExit):
        main(["predict", "--camera", "front"])
    with pytest.raises(DataError, match="cannot be read"):
        capture.Source(Path("/nowhere/clip.mp4"))
