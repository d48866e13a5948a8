"""What a bug report needs."""

import re
import subprocess
import sys

import pytest

from handpose import __main__ as command
from handpose import pretrained
from handpose.cli import doctor


def test_it_says_what_is_here(capsys, monkeypatch, tmp_path):
    (tmp_path / "stb").mkdir()
    monkeypatch.setenv("HANDPOSE_DATA", str(tmp_path))
    assert command.main(["doctor"]) == 0
    stdout = capsys.readouterr().out
    for what in (
        "versions",
        "system",
        "commit",
        "device",
        "processor cores",
        "room here",
        "weights laptop",
        "chromium",
    ):
        assert re.search(f"^{what} ", stdout, flags=re.M)
    assert f"{tmp_path}: stb" in stdout and stdout.count("whole") == 3


def test_it_says_what_is_wrong_and_what_to_do(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(pretrained, "bundled", lambda name: tmp_path / f"{name}.safetensors")
    monkeypatch.setattr(doctor, "LEAST_ROOM", 1e18)
    monkeypatch.setenv("HANDPOSE_DATA", str(tmp_path))
    assert command.main(["doctor"]) == 0
    stdout = capsys.readouterr().out
    assert stdout.count("cannot be used") == 3 and "no such weights file" in stdout and "make room" in stdout
    assert "no data set is in it" in stdout and "nothing is amiss" not in stdout


@pytest.mark.parametrize("package", ["torch", "cv2", "numpy"])
def test_it_runs_where_a_package_is_missing(package):
    code = (
        f"import sys; sys.modules[{package!r}] = None; from handpose.__main__ import main; sys.exit(main(['doctor']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and "Traceback" not in done.stderr
    assert re.search(f"^package {package} +cannot be imported", done.stdout, flags=re.M)
    assert re.search("^versions +handpose .*, python ", done.stdout, flags=re.M)
    assert re.search("^system ", done.stdout, flags=re.M) and "not known" in done.stdout
    assert "\nmissing: make env" in done.stdout and "nothing is amiss" not in done.stdout
