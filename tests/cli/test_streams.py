"""Full and closed standard streams, names that a terminal cannot show, and values that are empty."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from handpose.__main__ import main
from handpose.data import SyntheticHands


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photos") / "a.png"
    cv2.imwrite(str(path), SyntheticHands(split="test")[0].image[..., ::-1])
    return path


def shell(line, **environment):
    """A line of the shell, in which HANDPOSE is the command."""
    line = line.replace("HANDPOSE", f"{shlex.quote(sys.executable)} -m handpose")
    return subprocess.run(["bash", "-c", line], capture_output=True, env=os.environ | environment)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("line", ["predict PHOTO --device cpu", "predict PHOTO --json - --device cpu", "data list"])
def test_a_full_disk_behind_the_standard_output(photo, line, unbuffered):
    done = shell(f"HANDPOSE {line.replace('PHOTO', str(photo))} > /dev/full", PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == 1
    assert done.stderr.decode() == "error: the output cannot be written (No space left on device)\n"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("predict PHOTO --json - >&-", "error: -: the standard output is closed; give --json the name of a file"),
        ("predict - <&-", "error: standard input: is closed; give the name of a picture, or < FILE"),
        ("predict - 0> /dev/null", "error: standard input: cannot be read (Bad file descriptor)"),
    ],
)
def test_a_closed_stream(photo, line, words):
    done = shell(f"HANDPOSE {line.replace('PHOTO', str(photo))}")
    assert (done.returncode, done.stderr.decode(), done.stdout) == (1, words + "\n", b"")


def test_errors_do_not_go_to_the_standard_output(photo):
    done = shell(f"HANDPOSE predict {photo} nowhere.png --json - 2>&-")
    assert done.returncode == 1 and done.stdout.startswith(b"{") and done.stdout.endswith(b"}\n")


@pytest.mark.parametrize(
    ("name", "encoding", "shown"),
    [
        ("日本.png".encode(), "ascii", b"\\u65e5\\u672c.png: no hand found"),
        ("日本.png".encode(), "cp1252", b"\\u65e5\\u672c.png: no hand found"),
        (b"caf\xe9.png", "utf-8:strict", b"caf\\udce9.png: no hand found"),
        ("日本.png".encode(), "utf-8", "日本.png: no hand found".encode()),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="names there are not just bytes")
def test_a_name_that_cannot_be_shown_is_no_fault_of_the_picture(photo, tmp_path, name, encoding, shown):
    path = os.fsencode(tmp_path) + b"/" + name
    with open(path, "wb") as file:
        file.write(cv2.imencode(".png", cv2.imread(str(photo)) * 0 + 90)[1].tobytes())
    command = [sys.executable, "-m", "handpose", "predict", path, "--device", "cpu"]
    done = subprocess.run(command, capture_output=True, env=os.environ | {"PYTHONIOENCODING": encoding})
    assert (done.returncode, done.stderr) == (0, b"") and shown in done.stdout


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["train", "--config", "quick", "--data", "synthetic:4", "--out", "run", "--init", ""], "--init"),
        (["train", "--config", "quick", "--data", "synthetic:4", "--out", ""], "--out"),
        (["train", "--config", "quick", "--data", "synthetic:4", "--out", "run", "--validate="], "--validate"),
        (["predict", ""], "the argument behind predict"),
        (["predict", "a.jpg", "", "--json", "a.json"], "the argument behind a.jpg"),
        *((["predict", "a.jpg", option, ""], option) for option in ("--json", "--draw", "--box", "--weights")),
        *((["evaluate", "--data", "synthetic:2", option, ""], option) for option in ("--json", "--weights")),
        (["data", "show", "synthetic:2", "--out", ""], "--out"),
        (["compare", "a/record.json", ""], "the argument behind a/record.json"),
    ],
)
def test_an_empty_value_is_refused(tmp_path, monkeypatch, capsys, arguments, name):
    """It does not mean the default, nor the current folder."""
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    errors = capsys.readouterr().err
    assert errors.startswith(f"error: {name} is empty: give a value") and errors.count("\n") == 1
    assert not list(tmp_path.iterdir())
