"""What people type after `predict`: folders of all sorts, patterns, standard input and output, addresses; SIGTERM."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest
from PIL import Image

from handpose import files, pretrained, skeleton
from handpose.__main__ import main
from handpose.apply import listing
from handpose.data import SyntheticHands, pictures


@pytest.fixture(scope="module")
def image():
    return SyntheticHands(split="test")[0].image


def save(path, image, form="PNG", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, form, **options)
    return path


def test_json_says_what_it_holds(image, quick, tmp_path):
    photo = save(tmp_path / "a.png", image[:100])
    assert main(["predict", str(photo), "--json", str(tmp_path / "out.json")]) == 0
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["joints"] == list(skeleton.JOINTS) and found["left_out"] == []
    assert (found["images"][0]["width"], found["images"][0]["height"]) == (256, 100)
    assert set(found["weights"]) == {"pose", "detector", "gesture"}
    pose = found["weights"]["pose"]
    assert pose["file"] == "laptop.safetensors" and len(pose["sha256"]) == 64
    if sys.platform == "linux":
        checked = subprocess.run(["sha256sum", str(pretrained.bundled())], capture_output=True, text=True)
        assert checked.stdout.split()[0] == pose["sha256"]


def test_a_folders_pictures_are_found_by_what_is_in_them(image, quick, tmp_path, capsys):
    folder, out = tmp_path / "in", tmp_path / "out.json"
    save(folder / "a.jfif", image, "JPEG")
    save(folder / "below" / "b", image, "PNG")  # without an ending
    save(folder / "c.txt", image, "WEBP")
    pages = [Image.fromarray(image)] * 2
    save(folder / "d.tif", image, "TIFF", save_all=True, append_images=pages)
    (folder / "film.jpg").write_bytes(b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41" + bytes(99))
    (folder / "damaged.jpg").write_bytes(b"this is no picture")
    (folder / "._a.jfif").write_bytes(b"\0\x05\x16\x07\0\x02\0\0Mac OS X")
    for name in ("notes.txt", "labels.json", "Thumbs.db"):
        (folder / name).write_bytes(b"text")
    assert main(["predict", str(folder), "--json", str(out)]) == 1
    found, errors = json.loads(out.read_text()), capsys.readouterr().err
    named = [Path(entry["path"]).relative_to(folder).as_posix() for entry in found["images"]]
    assert named == ["a.jfif", "below/b", "c.txt", "d.tif"]
    left = {Path(entry["path"]).name: entry["why"] for entry in found["left_out"]}
    assert left.pop("damaged.jpg").startswith("not a picture")
    assert left == {
        "film.jpg": "a video: name it by itself", "d.tif": "2 pages or frames behind the first",
        **dict.fromkeys(("._a.jfif", "notes.txt", "labels.json", "Thumbs.db"), "no picture"),
    }  # fmt: skip
    assert "damaged.jpg: not a picture" in errors and errors.count("error: ") == 1
    assert "not read, no picture (4): ._a.jfif, Thumbs.db, labels.json and 1 more" in errors
    assert "not read, 2 pages or frames behind the first (1): d.tif" in errors


@pytest.mark.parametrize("end", ["json", "jsonl"])
def test_json_names_what_could_not_be_read(image, quick, tmp_path, end):
    """A picture cut short, a broken video, a name that is not there: each with its reason, beside what was done."""
    good, whole, out = (
        save(tmp_path / "good.png", image),
        save(tmp_path / "w.jpg", image, "JPEG"),
        tmp_path / f"o.{end}",
    )
    (tmp_path / "cut.jpg").write_bytes(whole.read_bytes()[:300])
    (tmp_path / "film.mp4").write_bytes(b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41" + bytes(99))
    names = [str(tmp_path / name) for name in ("cut.jpg", "film.mp4", "nothere.png")]
    assert main(["predict", str(good), *names, "--json", str(out)]) == 1
    lines = [json.loads(line) for line in out.read_text().splitlines()] if end == "jsonl" else []
    left = lines[-1]["left_out"] if lines else json.loads(out.read_text())["left_out"]
    assert [entry["path"] for entry in left] == names
    assert not any(name in entry["why"] for name, entry in zip(names, left, strict=True)) and "\n" not in str(left)
    assert all(entry["why"] for entry in left) and [row["path"] for row in lines[1:-1]] == [str(good)] * bool(lines)


def test_a_part_without_files_is_empty(image, quick, tmp_path, capsys):
    names, out = [str(save(tmp_path / f"{k}.png", image)) for k in range(2)], tmp_path / "out.json"
    assert main(["predict", *names, "--part", "3/3", "--json", str(out)]) == 0
    found = json.loads(out.read_text())
    assert found["images"] == found["videos"] == found["left_out"] == []
    assert "note: --part 3/3: has none of the 2 files" in capsys.readouterr().err


@pytest.mark.parametrize("end", ["json", "jsonl"])
def test_weights_that_cannot_be_used_are_one_line_and_nothing_is_lost(image, tmp_path, capsys, end):
    photo, out = save(tmp_path / "a.png", image), tmp_path / f"out.{end}"
    before = json.dumps({"joints": list(skeleton.JOINTS), "weights": {}, "images": []})
    out.write_text(before)
    for option, value, words in (
        ("--onnx", str(tmp_path / "nope"), "cannot be read"),
        ("--weights", str(tmp_path), "no such weights file"),
        ("--weights", str(tmp_path / "nope.safetensors"), "no such weights file"),
    ):
        assert main(["predict", str(photo), option, value, "--json", str(out)]) == 1
        printed = capsys.readouterr()
        assert printed.err.startswith("error: ") and value in printed.err and words in printed.err
        assert printed.err.count("\n") == 1 and out.read_text() == before


def linked(folder, image):
    """A folder with links: to a folder outside, to itself, to a folder in it, to a file and to nothing."""
    save(folder / "in" / "a.png", image)
    save(folder / "in" / "z" / "b.png", image)
    save(folder / "outside" / "c.png", image)
    for name, target in (("linked", "../outside"), ("again", "../outside"), ("loop", "."), ("first", "z"),
                         ("d.png", "a.png"), ("broken.png", "nowhere")):  # fmt: skip
        (folder / "in" / name).symlink_to(target)
    return folder / "in"


def test_links_in_a_folder_are_followed_once(image, quick, tmp_path, capsys):
    folder, out = linked(tmp_path, image), tmp_path / "out.json"
    assert main(["predict", str(folder), "--json", str(out)]) == 0
    found = json.loads(out.read_text())
    named = [Path(entry["path"]).relative_to(folder).as_posix() for entry in found["images"]]
    assert named == ["a.png", "again/c.png", "d.png", "z/b.png"]
    assert found["left_out"] == [{"path": str(folder / "broken.png"), "why": "a link to nothing"}]
    assert "not read, a link to nothing (1): broken.png" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes with names there")
def test_pipes_and_devices_are_no_files(image, quick, tmp_path, capsys):
    """What has read a pipe's first bytes to know its kind has lost them; and without a writer it would wait."""
    photo, words = save(tmp_path / "in" / "a.png", image), "is a pipe or device, not a file; `predict -` reads"
    for name in ("fifo.png", "fifo.mp4", "fifo"):
        os.mkfifo(tmp_path / "in" / name)
        assert main(["predict", str(tmp_path / "in" / name)]) == 1
        assert capsys.readouterr().err.startswith(f"error: {tmp_path / 'in' / name}: {words}")
    assert main(["predict", str(tmp_path / "in"), "--json", str(tmp_path / "out.json")]) == 0
    found = json.loads((tmp_path / "out.json").read_text())
    assert [entry["why"] for entry in found["left_out"]] == ["no file"] * 3 and len(found["images"]) == 1
    reading, writing = os.pipe()
    os.write(writing, photo.read_bytes()[:1000])
    os.close(writing)
    for name in ("/dev/zero", f"/dev/fd/{reading}"):
        capsys.readouterr()
        assert main(["predict", name]) == 1
        errors = capsys.readouterr().err
        assert errors.startswith(f"error: {name}: {words}") and errors.count("\n") == 1
    assert len(os.read(reading, 2000)) == 1000  # nothing was taken out of it
    os.close(reading)


def test_drawings_never_share_a_name(tmp_path):
    names = ["a/x.jpg", "a/x.png", "b/x.jpg", "X.JPG", "y.jpg", "x-2.png", "film.mp4", "film.jpg"]
    found = listing.drawings([(Path(n), Path(Path(n).name)) for n in names], tmp_path / "drawn", several=True)
    short = [str(path.relative_to(tmp_path / "drawn")) for path in found.values()]
    assert short == ["x.jpg.png", "x.png.png", "x-3.png", "X-4.png", "y.png", "x-2.png", "film.mp4", "film.png"]


def test_a_pattern_that_the_shell_did_not_follow(image, quick, tmp_path, capsys):
    for name in ("b.png", "a.png", "c.txt"):
        save(tmp_path / "photos" / name, image)
    assert main(["predict", str(tmp_path / "photos" / "*.png"), "--json", str(tmp_path / "out.json")]) == 0
    found = json.loads((tmp_path / "out.json").read_text())["images"]
    assert [Path(entry["path"]).name for entry in found] == ["a.png", "b.png"]
    brackets = save(tmp_path / "photos" / "d[1].png", image)  # a file's own name comes first
    assert main(["predict", str(brackets)]) == 0
    capsys.readouterr()
    assert main(["predict", str(tmp_path / "*.jpg")]) == 1
    assert capsys.readouterr().err == f"error: {tmp_path / '*.jpg'}: no file fits this pattern\n"


@pytest.mark.parametrize("address", ["https://example.org/a.jpg", "rtsp://example.org/one"])
def test_an_address_is_not_a_path(quick, capsys, address):
    assert main(["predict", address]) == 1
    errors = capsys.readouterr().err
    assert errors.startswith(f"error: {address}: is an address; download it first") and errors.count("\n") == 1


def test_standard_input_and_output(image, quick, tmp_path, monkeypatch, capsys):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    for content, status in ((stream.getvalue(), 0), (b"no picture", 1)):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        assert main(["predict", "-", "--json", "-", "--draw", str(tmp_path / "drawn.png")]) == status
        printed = capsys.readouterr()
        found = json.loads(printed.out)
        assert [entry["path"] for entry in found["images"]] == ["-"] * (1 - status)
        assert ("error: standard input: not a picture" in printed.err) is bool(status)
    assert cv2.imread(str(tmp_path / "drawn.png")).shape == image.shape


def test_only_json_goes_to_the_standard_output(quick, image, tmp_path, capsys):
    writer = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 5, (256, 256))
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no AVI files")
    writer.write(image)
    writer.release()
    assert main(["predict", str(tmp_path / "a.avi"), "--json", "/dev/stdout"]) == 0
    printed = capsys.readouterr()
    assert len(json.loads(printed.out)["videos"][0]["frames"]) == 1 and "1 frame" in printed.err


@pytest.mark.skipif(sys.platform == "win32", reason="no /dev there")
def test_a_log_that_the_output_goes_to_is_not_replaced(tmp_path):
    """`--json /dev/stdout >> log`, and to a pipe; `/dev/null` stays what it is."""
    log, script = (
        tmp_path / "log",
        "from handpose import files; files.check('{0}', text=True); files.write_json('{0}', 1)",
    )
    for name in ("-", "/dev/stdout", "/dev/fd/1", f"/proc/{os.getpid()}/fd/1", "/dev/stderr"):
        log.write_text("before\n")
        inode = log.stat().st_ino
        with open(log, "a") as stream:
            streams = {"stderr" if name == "/dev/stderr" else "stdout": stream}
            name = "/proc/self/fd/1" if name.startswith("/proc") else name
            subprocess.run([sys.executable, "-c", script.format(name)], check=True, **streams)
        assert log.read_text() == "before\n1\n" and log.stat().st_ino == inode
    done = subprocess.run([sys.executable, "-c", script.format("/dev/stdout")], capture_output=True, text=True)
    assert done.stdout == "1\n"
    files.check("/dev/null", text=True)
    files.write_json("/dev/null", {})
    assert not Path("/dev/null").is_file()
    with pytest.raises(files.OutputError, match="not an ordinary file"):
        files.check("/dev/stdout")  # a picture, say


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM ends a program there at once")
def test_sigterm_keeps_what_was_done(image, tmp_path):
    for k in range(200):
        save(tmp_path / "in" / f"{k:03}.png", image)
    out, drawn = tmp_path / "out.json", tmp_path / "drawn"
    command = [sys.executable, "-m", "handpose", "predict", str(tmp_path / "in"), "--json", str(out), "--device", "cpu"]
    with subprocess.Popen([*command, "--draw", str(drawn)], stderr=subprocess.PIPE, text=True) as run:
        for _ in range(1200):
            if drawn.is_dir() and len(list(drawn.glob("[0-9]*.png"))) > 2:
                break
            time.sleep(0.05)
        run.send_signal(signal.SIGTERM)
        errors = run.communicate(timeout=60)[1]
    assert run.returncode == 130 and "stopped; what was done by then is kept" in errors
    found = json.loads(out.read_text())
    done, left = found["images"], found["left_out"]
    assert {entry["why"] for entry in left} == {"the command was stopped"} and 200 <= len(done) + len(left) <= 201
    assert 2 < len(done) < 200 and abs(len(done) - len(list(drawn.iterdir()))) <= 1
    assert [p.name for p in drawn.iterdir() if p.name.startswith(".")] == []


def test_a_huge_photograph_is_drawn_small_and_measured_large(image, quick, tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "MAX_PIXELS", 50_000)
    photo = save(tmp_path / "a.jpg", image, "JPEG")
    assert main(["predict", str(photo), "--json", str(tmp_path / "o.json"), "--draw", str(tmp_path / "o.png")]) == 0
    (entry,) = json.loads((tmp_path / "o.json").read_text())["images"]
    assert (entry["width"], entry["height"]) == (256, 256) and entry["hands"][0]["keypoints"][0] == [10, 20]
    assert cv2.imread(str(tmp_path / "o.png")).shape == (128, 128, 3)
