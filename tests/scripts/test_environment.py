"""The Pythons that are supported: named alike everywhere, others refused in one line."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

from tools import environment

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = [f"3.{minor}" for minor in range(environment.OLDEST[1], environment.NEWEST[1] + 1)]


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_all_places_name_the_same_pythons():
    project = tomllib.loads(text("pyproject.toml"))["project"]
    named = [c.rpartition(" ")[2] for c in project["classifiers"] if re.search(r":: Python :: 3\.\d", c)]
    assert named == VERSIONS and project["requires-python"] == f">={VERSIONS[0]}"
    assert re.search(r"python: \[(.*)\]", text(".github/workflows/test.yml"))[1] == ", ".join(
        f'"{v}"' for v in VERSIONS
    )
    for name in ("README.md", "book/intro.md", "requirements.txt", "Makefile"):
        assert f"Python {VERSIONS[0]} to {VERSIONS[-1]}" in text(name), name


@pytest.mark.parametrize(
    ("here", "in_venv", "named", "words"),
    [
        ((3, 10, 13), None, False, "this is Python 3.10, and the book needs 3.11 to 3.14"),
        ((3, 15, 0), None, True, "this is Python 3.15, and the book needs 3.11 to 3.14"),
        ((3, 10, 13), (3, 12), True, "this is Python 3.10"),
        ((3, 13, 0), (3, 11), True, "in .venv is Python 3.11, not the 3.13 that was named; remove .venv"),
        ((3, 13, 0), (3, 11), False, None),  # python3 is another one today: what was made is used
        ((3, 10, 13), (3, 12), False, None),
        ((3, 11, 0), None, True, None),
        ((3, 14, 2), (3, 14), True, None),
    ],
)
def test_other_pythons_are_refused_in_one_line(monkeypatch, here, in_venv, named, words):
    monkeypatch.setattr(sys, "version_info", here)
    monkeypatch.setattr(environment, "installed", lambda: in_venv)
    if words is None:
        environment.check_python(named)
        return
    with pytest.raises(SystemExit) as refused:
        environment.check_python(named)
    (line,) = str(refused.value).strip().splitlines()
    assert words in line and line.startswith("handpose: ")


def test_the_python_of_an_environment(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "PYTHON", Path(sys.executable))
    assert environment.installed() == sys.version_info[:2]
    monkeypatch.setattr(environment, "NEWEST", (3, 10))
    assert environment.installed() is None  # not supported
    monkeypatch.setattr(environment, "PYTHON", tmp_path / "python")
    assert environment.installed() is None
