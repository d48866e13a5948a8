import csv
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import cv2
import pytest
import torch

from handpose import pretrained
from handpose.losses import PoseLoss
from handpose.train import checkpoint, config, monitor, train
from handpose.train.checkpoint import TrainingError
from handpose.train.sampler import Sampler

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
    return train(config.load(tiny), [f"hand-keypoints:{data}"], out, progress=False, **arguments)


def command(tiny, data, out, *more):
    return [sys.executable, "-m", "handpose", "train", "--config", str(tiny), "--data", f"hand-keypoints:{data}",
            "--out", str(out), "--device", "cpu", *more]  # fmt: skip


def weights(folder):
    return (folder / "weights.safetensors").read_bytes()


def test_a_run_leaves_weights_and_a_record(tiny, small_set, tmp_path):
    record = run(tiny, small_set, tmp_path / "a")
    assert record == json.loads((tmp_path / "a" / "record.json").read_text())
    assert record["steps"] == 8 and record["seed"] == 0 and record["method"] == "msahp" and record["images"] == 8
    assert set(record["parts"]) == {"A", "B", "C"} and record["config"]["crop"]["size"] == 32
    assert set(record["metrics"]["pck_bone"]) == {"0.15", "0.2", "0.25", "0.3"} == set(record["intervals"]["pck_bone"])
    assert not (tmp_path / "a" / "checkpoint.pt").exists() and not list((tmp_path / "a").glob(".*"))
    net, size = pretrained.load(tmp_path / "a" / "weights.safetensors")
    assert size == 32 and sum(p.numel() for p in net.parameters()) == record["params"]


def test_the_seed_reaches_everything(tiny, small_set, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(tiny, small_set, tmp_path / name, seed=seed)
    assert weights(tmp_path / "a") == weights(tmp_path / "b") != weights(tmp_path / "c")


def test_killed_and_resumed_gives_the_same_weights_to_the_bit(tiny, small_set, tmp_path):
    run(tiny, small_set, tmp_path / "whole")
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


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_save_and_say_how_to_go_on(tiny, small_set, tmp_path, asked):
    tiny.write_text(TINY.replace("steps = 8", "steps = 100000").replace("checkpoint_every = 2", "checkpoint_every = 3"))
    out = tmp_path / "stopped"
    process = subprocess.Popen(command(tiny, small_set, out), stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 120
    while not (out / "checkpoint.pt").exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(asked)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "--resume" in errors and "Traceback" not in errors
    step = int(errors.split("stopped at step ")[1].split()[0])
    assert torch.load(out / "checkpoint.pt", weights_only=True)["step"] == step


def test_nan_names_step_samples_and_checkpoint(tiny, small_set, tmp_path, monkeypatch):
    original, steps = PoseLoss.forward, iter(range(8))

    def broken(self, maps, keypoints, visible):
        total, parts = original(self, maps, keypoints, visible)
        return (total * float("nan") if next(steps) == 5 else total), parts

    monkeypatch.setattr(PoseLoss, "forward", broken)
    with pytest.raises(TrainingError, match=r"nan at step 5") as error:
        run(tiny, small_set, tmp_path / "nan")
    assert "checkpoint.pt" in str(error.value) and "hand-keypoints/IMG_" in str(error.value)
    assert torch.load(tmp_path / "nan" / "checkpoint.pt", weights_only=True)["step"] == 4


def stop_at(monkeypatch, step):
    """Let the next run be stopped after a step, as by Ctrl-C."""
    original = monitor.Monitor.after_step

    def after_step(self, *arguments):
        self._asked = self.state.step == step
        original(self, *arguments)

    monkeypatch.setattr(monitor.Monitor, "after_step", after_step)


@pytest.fixture
def begun(tiny, small_set, tmp_path):
    """A run that was stopped at step 4."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(monitor.Interrupted, match="stopped at step 4 of 8"):
        stop_at(patch, 4)
        run(tiny, small_set, tmp_path / "run")
    return tmp_path / "run"


def test_resume_with_another_config_names_the_key(tiny, small_set, begun):
    tiny.write_text(TINY.replace("width = 0.125", "width = 0.25"))
    with pytest.raises(TrainingError, match=r"network\.width was 0.125, is 0.25"):
        run(tiny, small_set, begun, resume=True)


def test_a_renamed_config_is_no_other_one(tiny, small_set, begun, tmp_path):
    """Nor does its name hide the setting that differs."""
    renamed = tmp_path / "renamed.toml"
    renamed.write_text(TINY.replace("batch = 4", "batch = 2"))
    with pytest.raises(TrainingError, match=r"another config \(schedule\.batch was 4, is 2\)"):
        run(renamed, small_set, begun, resume=True)
    renamed.write_text(TINY)
    assert run(renamed, small_set, begun, resume=True)["steps"] == 8


def test_resume_with_another_seed_or_data(tiny, small_set, begun, tmp_path):
    with pytest.raises(TrainingError, match="another seed"):
        run(tiny, small_set, begun, resume=True, seed=5)
    with pytest.raises(TrainingError, match="another sources"):
        train(config.load(tiny), ["synthetic:8"], begun, resume=True, progress=False)
    with pytest.raises(TrainingError, match="another watch"):
        run(tiny, small_set, begun, resume=True, watch=["synthetic:8/test"])


def test_a_run_goes_on_where_its_data_were_moved(tiny, small_set, begun, tmp_path):
    """As on another machine; other labels under the same name are refused there too."""
    shutil.copytree(small_set, tmp_path / "moved")
    shutil.copytree(begun, tmp_path / "again")
    labels = min((tmp_path / "moved" / "labels" / "train").iterdir())
    right = labels.read_text()
    numbers = right.split()
    labels.write_text(" ".join([*numbers[:5], str(float(numbers[5]) + 0.01), *numbers[6:]]) + "\n")
    with pytest.raises(TrainingError, match="labels of hand-keypoints have changed"):
        run(tiny, tmp_path / "moved", begun, resume=True)
    labels.write_text(right)
    there, here = (
        run(tiny, data, out, resume=True)
        for data, out in ((tmp_path / "moved", begun), (small_set, tmp_path / "again"))
    )
    assert there["metrics"] == here["metrics"] and there["steps"] == 8


def test_a_run_is_never_overwritten(tiny, small_set, begun):
    with pytest.raises(TrainingError, match="--resume"):
        run(tiny, small_set, begun)


def test_nothing_to_resume(tiny, small_set, tmp_path):
    with pytest.raises(TrainingError, match="nothing to resume"):
        run(tiny, small_set, tmp_path / "new", resume=True)
    with pytest.raises(TrainingError, match="--branch .*c.pt: there is no such checkpoint"):
        run(tiny, small_set, tmp_path / "new", branch=tmp_path / "c.pt")


@pytest.mark.parametrize("options", [{}, {"resume": True}, {"resume": True, "decay": 3}])
def test_a_finished_run_says_so_whatever_is_tried(tiny, small_set, tmp_path, options):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "record.json").write_text("{}")
    with pytest.raises(TrainingError, match="finished run, which cannot go on; choose another --out, with --init"):
        run(tiny, small_set, tmp_path / "run", **options)
    with pytest.raises(TrainingError, match="finished run"):
        run(tiny, small_set, tmp_path / "new", branch=tmp_path / "run" / "checkpoint.pt")


def test_broken_checkpoint(tiny, small_set, begun):
    file = begun / "checkpoint.pt"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(TrainingError, match="not a whole checkpoint"):
        run(tiny, small_set, begun, resume=True)


def test_hostile_checkpoint_runs_no_code(tiny, small_set, begun, tmp_path):
    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    torch.save({"config": Hostile()}, begun / "checkpoint.pt")
    with pytest.raises(TrainingError, match="not a whole checkpoint"):
        run(tiny, small_set, begun, resume=True)
    assert not (tmp_path / "ran").exists()


def test_another_version_is_noted(tiny, small_set, begun, capsys):
    saved = torch.load(begun / "checkpoint.pt", weights_only=True)
    saved["versions"] |= {"torch": "1.0", "arithmetic": "float16"}
    del saved["versions"]["numpy"]  # of a version that did not say
    torch.save(saved, begun / "checkpoint.pt")
    record = run(tiny, small_set, begun, resume=True)
    said = capsys.readouterr().err
    assert "torch 1.0" in said and "arithmetic float16" in said and "numpy" not in said
    assert record["versions"]["arithmetic"] in ("bfloat16", "float32")


def test_full_disk_keeps_the_last_checkpoint(tiny, small_set, begun, monkeypatch):
    before = (begun / "checkpoint.pt").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TrainingError, match="step 6 could not be saved .*No space left.* the checkpoint before it"):
        run(tiny, small_set, begun, resume=True)
    with pytest.raises(TrainingError, match="step 2 could not be saved .*start again, for there is no checkpoint"):
        run(tiny, small_set, begun.with_name("first"))
    assert (begun / "checkpoint.pt").read_bytes() == before
    assert sorted(f.name for f in begun.iterdir()) == ["checkpoint.pt", "curves.png", "history.csv"]


def test_output_folder_that_cannot_be_made(tiny, small_set, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TrainingError, match="choose another --out"):
        run(tiny, small_set, tmp_path / "file" / "run")


def test_difference_names_the_first_key():
    a = config.Config().as_dict()
    b = dataclasses.replace(config.Config(), evaluate_every=5).as_dict()
    assert checkpoint.difference(a, b) == "evaluate_every was 2000, is 5"
    assert checkpoint.difference(a | {"joint_order": "rhd"}, a) == "joint_order was 'rhd', is not given"


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

    sampler = Sampler.of_crops([source("a", [0] * 90 + [1] * 10), source("b", [0] * 50)], {"a": 3.0})
    drawn = sampler.sample_batch(Random(0, 0), 40_000)
    share = torch.stack([drawn < 90, (drawn >= 90) & (drawn < 100), drawn >= 100]).float().mean(1)
    assert torch.allclose(share, torch.tensor([0.375, 0.375, 0.25]), atol=0.01)


def test_rectified_average_is_evaluated(tiny, small_set, tmp_path):
    """The kept weights are the running average: not those of the last step, and between the first and the last."""
    states, original = [], monitor.Monitor.save
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(monitor.Monitor, "save", lambda self: (states.append(self.state), original(self)))
        run(tiny, small_set, tmp_path / "run")
    loaded, _ = pretrained.load(tmp_path / "run" / "weights.safetensors")
    last = states[-1].net.state_dict()["row11.bias"]
    assert not torch.equal(loaded.state_dict()["row11.bias"], last)
    assert torch.allclose(loaded.state_dict()["row11.bias"], states[-1].average["row11.bias"], atol=1e-3)


STABLE = TINY.replace('kind = "one-cycle"\nsteps = 8', 'kind = "stable"\nsteps = 1000\nwarmup = 2')


def test_a_run_without_an_end_is_ended_by_decay(tiny, small_set, tmp_path, monkeypatch):
    """Stopped at step 5, ended by three more; stopped amid these, or branched off, it has the same weights."""
    tiny.write_text(STABLE)
    out = tmp_path / "run"
    with monkeypatch.context() as patch, pytest.raises(monitor.Interrupted, match="step 5 of 1000"):
        stop_at(patch, 5)
        run(tiny, small_set, out)
    shutil.copytree(out, tmp_path / "twin")
    record = run(tiny, small_set, out, resume=True, decay=3)
    assert record["steps"] == 8 and record["config"]["schedule"]["decay"] == 3
    assert record["history"][-1]["rate"] < 2e-3 / 2

    with monkeypatch.context() as patch, pytest.raises(monitor.Interrupted, match="step 6 of 8"):
        stop_at(patch, 6)
        run(tiny, small_set, tmp_path / "twin", resume=True, decay=3)
    with pytest.raises(TrainingError, match="its rate falls already, until step 8"):
        run(tiny, small_set, tmp_path / "twin", resume=True, decay=3)
    shutil.copy(tmp_path / "twin" / "checkpoint.pt", tmp_path / "amid.pt")
    run(tiny, small_set, tmp_path / "twin", resume=True)
    run(tiny, small_set, tmp_path / "branch", branch=tmp_path / "amid.pt")
    assert weights(out) == weights(tmp_path / "twin") == weights(tmp_path / "branch")


def test_decay_without_a_run_to_end(tiny, small_set, begun, tmp_path):
    with pytest.raises(TrainingError, match="--decay ends a run that is resumed"):
        run(tiny, tmp_path / "nowhere", tmp_path / "new", decay=3)  # before data are looked for
    with pytest.raises(TrainingError, match="only a schedule of kind .stable. is ended"):
        run(tiny, small_set, begun, resume=True, decay=3)


def test_other_sets_are_watched(tiny, small_set, tmp_path):
    tiny.write_text(TINY.replace("evaluate_every = 100", "evaluate_every = 3"))
    record = run(tiny, small_set, tmp_path / "run", watch=["synthetic:5/test"])
    looks = [entry for entry in record["history"] if "watch" in entry]
    assert [entry["step"] for entry in looks] == [3, 6]
    assert set(looks[0]["watch"]["synthetic:5/test"]) == {"pck_bone_0.2", "pck_box_0.1"} < set(looks[0])
    assert record["elsewhere"]["synthetic:5/test"]["images"] == 5
    rows = list(csv.DictReader((tmp_path / "run" / "history.csv").open()))
    assert {"step", "loss", "watch synthetic:5/test pck_bone_0.2"} <= set(rows[0])
    assert cv2.imread(str(tmp_path / "run" / "curves.png")).shape[0] > 300
    with pytest.raises(TrainingError, match="synthetic: name the split"):
        run(tiny, small_set, tmp_path / "wrong", watch=["synthetic"])


def test_a_second_training_in_the_same_folder_is_refused(tiny, small_set, tmp_path):
    with checkpoint.locked(tmp_path / "run"), pytest.raises(TrainingError, match="another training is writing"):
        run(tiny, small_set, tmp_path / "run")
    assert not (tmp_path / "run" / "record.json").exists()
