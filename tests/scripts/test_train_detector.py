"""The detector's training: interrupted and resumed to the same weights, and what is refused."""

import json
import os
import signal
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file

from handpose.data import scenes
from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "data_scripts"))
import train_detector  # noqa: E402


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Four pictures of noise stand for every source, and four steps for a training."""

    def noise(boxes):
        image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        return [scenes.Picture(image, np.float32(boxes).reshape(-1, 4), "g", str(i)) for i in range(4)]

    sources = {n: noise([] if n == "windows" else [(8, 8, 40, 48)]) for n in train_detector.SHARES}
    monkeypatch.setattr(train_detector, "load", lambda seed, number: sources)
    monkeypatch.setattr(train_detector.detection, "score_everywhere", lambda net: {"few": {}})
    for name, value in (("OPEN_END", 4), ("SAVED", 1), ("LOOKED", 2), ("BATCH", 2)):
        monkeypatch.setattr(train_detector, name, value)


def run(monkeypatch, out, *more, killed=False):
    def look(net):
        if killed:
            os.kill(os.getpid(), signal.SIGTERM)
        return {"recall": 0.5}

    monkeypatch.setattr(train_detector.detection, "QuickScores", lambda: look)
    monkeypatch.setattr(sys, "argv", ["train_detector", "--out", str(out), *more])
    return train_detector.main()


def test_killed_and_resumed_is_bit_equal(monkeypatch, tmp_path, capsys):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert run(monkeypatch, whole) == 0
    assert run(monkeypatch, parts, killed=True) == 130 and "--resume" in capsys.readouterr().err
    assert run(monkeypatch, parts) == 1 and "add --resume to go on" in capsys.readouterr().err
    assert run(monkeypatch, parts, "--resume", "--seed", "1") == 1 and "seed" in capsys.readouterr().err
    assert run(monkeypatch, parts, "--resume") == 0
    one, two = (load_file(folder / "weights.safetensors") for folder in (whole, parts))
    assert all((one[name] == two[name]).all() for name in one)
    record = json.loads((parts / "record.json").read_text())
    assert record["steps"] == 4 and record["pictures"]["windows"] == 4 and not (parts / "checkpoint.pt").exists()
    assert run(monkeypatch, parts) == 1 and "holds a finished run" in capsys.readouterr().err


def test_the_rate_falls_when_an_end_is_named(monkeypatch, tmp_path, capsys):
    assert run(monkeypatch, tmp_path, killed=True) == 130
    assert run(monkeypatch, tmp_path, "--resume", "--decay", "3") == 0
    record = json.loads((tmp_path / "record.json").read_text())
    assert record["steps"] == record["schedule"]["steps"] and record["schedule"]["decay"] == 3


def test_weights_that_are_not_a_detectors_are_refused(monkeypatch, tmp_path, capsys):
    (tmp_path / "text.safetensors").write_text("weights")
    for name in ("text.safetensors", "missing.safetensors"):
        assert run(monkeypatch, tmp_path / "run", "--init", str(tmp_path / name)) == 1
        error = capsys.readouterr().err
        assert name in error and error.count("\n") == 1
