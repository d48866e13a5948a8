"""What a bug report needs."""

import re

from handpose import __main__ as command
from handpose.cli import doctor


def test_it_says_what_is_here(capsys, monkeypatch, tmp_path):
    (tmp_path / "stb").mkdir()
    monkeypatch.setenv("HANDPOSE_DATA", str(tmp_path))
    assert command.main(["doctor"]) == 0
    said = capsys.readouterr().out
    for what in ("versions", "system", "device", "processor cores", "room here", "weights laptop", "chromium"):
        assert re.search(f"^{what} ", said, flags=re.M)
    assert f"{tmp_path}: stb" in said and said.count("whole") == 3


def test_it_says_what_is_wrong_and_what_to_do(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(doctor.pretrained, "bundled", lambda name: tmp_path / f"{name}.safetensors")
    monkeypatch.setattr(doctor, "LEAST_ROOM", 1e18)
    monkeypatch.setenv("HANDPOSE_DATA", str(tmp_path))
    assert command.main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert said.count("cannot be used") == 3 and "no such weights file" in said and "make room" in said
    assert "no data set is in it" in said and "nothing is amiss" not in said
