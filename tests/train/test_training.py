import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from handpose import pretrained
from handpose.train import checkpoint, config, loop

TINY = """
evaluate_every = 100
checkpoint_every = 2
[network]
width = 0.125
heads = 2
[crop]
size = 32
[augment]
rotation = 20
scale = 0.2
flip = 0.5
colour = 0.5
blur = 0.3
noise = 0.02
cutout = 0.3
[schedule]
kind = "one-cycle"
steps = 8
batch = 4
average = 0.9
weight_decay = 1e-4
"""


@pytest.fixture
def tiny(tmp_path):
    file = tmp_path / "tiny.toml"
    file.write_text(TINY)
    return file


def run(tiny, data, out, **arguments):
    return loop.Run(config.load(tiny), [f"hand-keypoints:{data}"], out, progress=False, **arguments)


def command(tiny, data, out, *more):
    return [sys.executable, "-m", "handpose", "train", "--config", str(tiny), "--data", f"hand-keypoints:{data}",
            "--out", str(out), "--device", "cpu", *more]  # fmt: skip


def weights(folder):
    return (folder / "weights.safetensors").read_bytes()


def test_a_run_leaves_weights_and_a_record(tiny, small_set, tmp_path):
    record = run(tiny, small_set, tmp_path / "a").train()
    assert record == json.loads((tmp_path / "a" / "record.json").read_text())
    assert record["steps"] == 8 and record["seed"] == 0 and record["method"] == "msahp" and record["images"] == 8
    assert set(record["parts"]) == {"A", "B", "C"} and record["config"]["crop"]["size"] == 32
    assert set(record["metrics"]["pck_bone"]) == {"0.15", "0.2", "0.25", "0.3"} == set(record["intervals"]["pck_bone"])
    assert not (tmp_path / "a" / "checkpoint.pt").exists() and not list((tmp_path / "a").glob(".*"))
    net, size = pretrained.load(tmp_path / "a" / "weights.safetensors")
    assert size == 32 and sum(p.numel() for p in net.parameters()) == record["params"]


def test_the_seed_reaches_everything(tiny, small_set, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(tiny, small_set, tmp_path / name, seed=seed).train()
    assert weights(tmp_path / "a") == weights(tmp_path / "b") != weights(tmp_path / "c")


def test_killed_and_resumed_gives_the_same_weights_to_the_bit(tiny, small_set, tmp_path):
    run(tiny, small_set, tmp_path / "whole").train()
    slow = dict(os.environ, PYTHONPATH=os.getcwd())
    process = subprocess.Popen(command(tiny, small_set, tmp_path / "killed"), env=slow, stderr=subprocess.DEVNULL)
    saved = tmp_path / "killed" / "checkpoint.pt"
    until = time.monotonic() + 120
    while not saved.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert saved.exists() and not (tmp_path / "killed" / "weights.safetensors").exists()
    step = torch.load(saved, weights_only=True)["step"]
    assert 0 < step < 8
    assert subprocess.call(command(tiny, small_set, tmp_path / "killed", "--resume"), env=slow) == 0
    assert weights(tmp_path / "killed") == weights(tmp_path / "whole")


def test_ctrl_c_saves_and_says_how_to_go_on(tiny, small_set, tmp_path):
    tiny.write_text(TINY.replace("steps = 8", "steps = 100000").replace("checkpoint_every = 2", "checkpoint_every = 3"))
    out = tmp_path / "stopped"
    process = subprocess.Popen(command(tiny, small_set, out), stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 120
    while not (out / "checkpoint.pt").exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "--resume" in errors and "Traceback" not in errors
    step = int(errors.split("stopped at step ")[1].split()[0])
    assert torch.load(out / "checkpoint.pt", weights_only=True)["step"] == step


def test_nan_names_step_samples_and_checkpoint(tiny, small_set, tmp_path, monkeypatch):
    going = run(tiny, small_set, tmp_path / "nan")
    whole = going.loss.forward

    def broken(maps, points, visible):
        total, parts = whole(maps, points, visible)
        return (total * float("nan") if going.step == 5 else total), parts

    monkeypatch.setattr(going.loss, "forward", broken)
    with pytest.raises(loop.TrainingError, match=r"nan at step 5") as error:
        going.train()
    assert "checkpoint.pt" in str(error.value) and "hand-keypoints/IMG_" in str(error.value)
    assert torch.load(tmp_path / "nan" / "checkpoint.pt", weights_only=True)["step"] == 4


@pytest.fixture
def begun(tiny, small_set, tmp_path):
    """A run that stopped at step 4."""
    going = run(tiny, small_set, tmp_path / "run")
    going.step = 4
    going.save()
    return tmp_path / "run"


def test_resume_with_another_config_names_the_key(tiny, small_set, begun):
    tiny.write_text(TINY.replace("width = 0.125", "width = 0.25"))
    with pytest.raises(loop.TrainingError, match=r"network\.width was 0.125, is 0.25"):
        run(tiny, small_set, begun, resume=True)


def test_resume_with_another_seed_or_data(tiny, small_set, begun, tmp_path):
    with pytest.raises(loop.TrainingError, match="another seed"):
        run(tiny, small_set, begun, resume=True, seed=5)
    with pytest.raises(loop.TrainingError, match="another sources"):
        run(tiny, tmp_path, begun, resume=True)


def test_a_run_is_never_overwritten(tiny, small_set, begun):
    with pytest.raises(loop.TrainingError, match="--resume"):
        run(tiny, small_set, begun)


def test_nothing_to_resume(tiny, small_set, tmp_path):
    with pytest.raises(loop.TrainingError, match="nothing to resume"):
        run(tiny, small_set, tmp_path / "new", resume=True)


def test_broken_checkpoint(tiny, small_set, begun):
    file = begun / "checkpoint.pt"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(loop.TrainingError, match="not a whole checkpoint"):
        run(tiny, small_set, begun, resume=True)


def test_hostile_checkpoint_runs_no_code(tiny, small_set, begun, tmp_path):
    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    torch.save({"config": Hostile()}, begun / "checkpoint.pt")
    with pytest.raises(loop.TrainingError, match="not a whole checkpoint"):
        run(tiny, small_set, begun, resume=True)
    assert not (tmp_path / "ran").exists()


def test_another_version_is_noted(tiny, small_set, begun, capsys):
    saved = torch.load(begun / "checkpoint.pt", weights_only=True)
    saved["versions"]["torch"] = "1.0"
    torch.save(saved, begun / "checkpoint.pt")
    run(tiny, small_set, begun, resume=True)
    assert "torch 1.0" in capsys.readouterr().err


def test_full_disk_keeps_the_last_checkpoint(tiny, small_set, begun, monkeypatch):
    before = (begun / "checkpoint.pt").read_bytes()
    going = run(tiny, small_set, begun, resume=True)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(loop.TrainingError, match="No space left"):
        going.save()
    assert (begun / "checkpoint.pt").read_bytes() == before and len(list(begun.iterdir())) == 1


def test_output_folder_that_cannot_be_made(tiny, small_set, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(loop.TrainingError, match="choose another --out"):
        run(tiny, small_set, tmp_path / "file" / "run")


def test_difference_names_the_first_key():
    a = config.Config().as_dict()
    b = dataclasses.replace(config.Config(), evaluate_every=5).as_dict()
    assert checkpoint.difference(a, b) == "evaluate_every was 2000, is 5"


def test_balanced_sampling():
    from handpose.data.augment import Random
    from handpose.data.crops import Crops

    def source(name, parts):
        n = len(parts)
        return Crops(
            name,
            torch.zeros(n, 1, 1, 4),
            torch.zeros(n, 21, 2),
            torch.ones(n, 21) > 0,
            False,
            torch.tensor(parts),
            [""] * n,
        )

    sampler = loop.Sampler([source("a", [0] * 90 + [1] * 10), source("b", [0] * 50)], {"a": 3.0})
    drawn = sampler.draw(Random(0, 0), 40_000)
    share = torch.stack([drawn < 90, (drawn >= 90) & (drawn < 100), drawn >= 100]).float().mean(1)
    assert torch.allclose(share, torch.tensor([0.375, 0.375, 0.25]), atol=0.01)


def test_rectified_average_is_evaluated(tiny, small_set, tmp_path):
    """The kept weights are the running average: not those of the last step, and between the first and the last."""
    going = run(tiny, small_set, tmp_path / "run")
    going.train()
    kept, _ = pretrained.load(tmp_path / "run" / "weights.safetensors")
    mine = going.net.state_dict()["row11.bias"]
    assert not torch.equal(kept.state_dict()["row11.bias"], mine)
    assert torch.allclose(kept.state_dict()["row11.bias"], going.average["row11.bias"], atol=1e-3)
