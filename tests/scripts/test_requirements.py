"""requirements.txt (exact versions) and pyproject.toml (ranges) say the same, and neither names a place to get them."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
LINES = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
PINNED = [Requirement(line.split("#")[0].strip()) for line in LINES if line.split("#")[0].strip()]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_every_version_is_exact_and_comes_from_anywhere():
    for pin in PINNED:
        assert re.fullmatch(r"==[^+*]+", str(pin.specifier)), pin
        assert pin.url is None
    assert not [line for line in LINES if line.startswith("-") or "://" in line]
    assert len({pin.name.lower() for pin in PINNED}) == len(PINNED)


def test_pinned_versions_lie_in_the_ranges():
    versions = {pin.name.lower(): next(iter(pin.specifier)).version for pin in PINNED}
    ranges = PROJECT["dependencies"] + [r for extra in PROJECT["optional-dependencies"].values() for r in extra]
    for wanted in map(Requirement, ranges):
        if wanted.name != PROJECT["name"] and wanted.name.lower() in versions:
            assert wanted.specifier.contains(versions[wanted.name.lower()]), wanted
    missing = {Requirement(r).name.lower() for r in PROJECT["dependencies"]} - set(versions)
    assert not missing, f"{missing} stand in pyproject.toml only"


def test_versions_of_the_project_agree():
    assert f"\nversion: {PROJECT['version']}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
