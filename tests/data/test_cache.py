"""A cache of rendered hands that others share, or have damaged: whatever is wrong there, training goes on, slower."""

import builtins
import os
import pathlib

import numpy as np
import pytest

from handpose.data import SyntheticHands, crops


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HANDPOSE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def build():
    return crops.load_crops("synthetic", SyntheticHands(size=48, length=3), 32, progress=False)


@pytest.fixture
def filled(cache):
    """The crops, and the file that they are kept in."""
    right = build()
    (file,) = cache.glob("*.npz")
    return right, file


def note_of(capsys):
    lines = capsys.readouterr().err.splitlines()
    assert lines and all(line.startswith("note: ") for line in lines), lines
    return " ".join(lines)


def test_what_is_kept_is_used(filled, monkeypatch, capsys):
    monkeypatch.setattr(crops, "_cut", None)  # nothing can be drawn
    assert build().fingerprint() == filled[0].fingerprint() and not capsys.readouterr().err


@pytest.mark.parametrize("what", ["cut short", "no archive", "no arrays", "other shapes", "pickled", "a folder"])
def test_a_damaged_file_is_noted_and_replaced(filled, capsys, what):
    right, file = filled
    if what == "cut short":
        file.write_bytes(file.read_bytes()[:-200])
    elif what == "no archive":
        file.write_bytes(b"\x80\x04 this is none")
    elif what == "a folder":
        file.unlink()
        file.mkdir()
    else:
        with np.load(file) as stored:
            arrays = {name: stored[name] for name in stored.files}
        if what == "no arrays":
            del arrays["points"]
        else:
            arrays["points"] = arrays["points"][:2] if what == "other shapes" else np.array([{}, {}, {}])
        np.savez(file, **arrays)
    assert build().fingerprint() == right.fingerprint()
    if what == "a folder":  # it is not taken away
        assert "is not an ordinary file" in note_of(capsys) and file.is_dir()
        return
    assert file.name in note_of(capsys)
    assert build().fingerprint() == right.fingerprint() and not capsys.readouterr().err


def refuse(*_, **__):
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize("damaged", [False, True])
@pytest.mark.parametrize("step", ["is_file", "exists", "load", "replace", "open", "mkdir", "touch", "unlink"])
def test_whatever_is_not_permitted_is_a_note(filled, monkeypatch, capsys, step, damaged):
    """At any step on the way to a file of another user, whole or damaged."""
    right, file = filled
    if damaged:
        file.write_bytes(file.read_bytes()[:100])
    with monkeypatch.context() as patch:
        owner = {"replace": os, "open": builtins, "load": np}.get(step, pathlib.Path)
        patch.setattr(owner, step, refuse)
        found = build()
    assert found.fingerprint() == right.fingerprint()
    if damaged or step in ("is_file", "load", "open"):
        note_of(capsys)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may enter every folder")
@pytest.mark.parametrize("mode", [0o000, 0o400, 0o500])
def test_a_folder_of_another_user(filled, capsys, mode):
    right, file = filled
    file.write_bytes(file.read_bytes()[:100])
    file.parent.chmod(mode)
    try:
        assert build().fingerprint() == right.fingerprint()
    finally:
        file.parent.chmod(0o700)
    assert "not kept on disk" in note_of(capsys)
