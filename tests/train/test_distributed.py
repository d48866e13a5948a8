"""Several processes train one network: the same weights as one, and no run is lost when one of them is."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from handpose.train import distributed
from handpose.train.checkpoint import TrainingError

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(
    not torch.distributed.is_available() or os.name == "nt", reason="PyTorch's gloo back end is not here"
)
TINY = """
evaluate_every = 1000
checkpoint_every = 5
[network]
width = 0.0625
attention = [10]
[crop]
size = 64
[augment]
flip = 0.5
colour = 0.3
[schedule]
kind = "one-cycle"
steps = {steps}
batch = 4
peak = 1e-3
"""
# Fifty steps in float64 with batch normalisation in evaluation mode: nothing in it depends on the batch's parts.
STEPS = """
import sys, torch
from handpose import PoseEstimationNet, losses
from handpose.train import distributed
torch.manual_seed(0)
net = PoseEstimationNet(width=0.0625).double().eval()
loss, optimiser = losses.PoseLoss(), torch.optim.Adam(net.parameters(), lr=1e-3)
with distributed.group(torch.device("cpu")):
    whole, mine = distributed.wrapped(net), distributed.part(4)
    for step in range(50):
        rng = torch.Generator().manual_seed(step)
        images = torch.rand(4, 3, 64, 64, generator=rng, dtype=torch.float64)[mine]
        points, seen = 64 * torch.rand(4, 21, 2, generator=rng), torch.rand(4, 21, generator=rng) < 0.8
        total, _ = loss([m for m in whole(images)], points[mine], seen[mine])
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
if distributed.is_first():
    torch.save(net.state_dict(), sys.argv[1])
"""


def command(*arguments, processes=2):
    """A command line under torchrun, on a port that is free."""
    start = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes), "--standalone"] if processes > 1 else []
    return [sys.executable, *start, *map(str, arguments)]


def environment():
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "TQDM_DISABLE": "1"}


def run(*arguments, processes=2):
    return subprocess.run(command(*arguments, processes=processes), cwd=ROOT, env=environment(), capture_output=True,
                          text=True, timeout=240)  # fmt: skip


@pytest.fixture
def config(tmp_path):
    def write(steps):
        file = tmp_path / f"tiny-{steps}.toml"
        file.write_text(TINY.format(steps=steps))
        return file

    return write


def test_two_processes_make_the_weights_of_one(tmp_path):
    (tmp_path / "steps.py").write_text(STEPS)
    weights = []
    for processes in (1, 2):
        done = run(tmp_path / "steps.py", tmp_path / f"{processes}.pt", processes=processes)
        assert done.returncode == 0, done.stderr[-2000:]
        weights.append(torch.load(tmp_path / f"{processes}.pt"))
    apart = max((weights[0][k].double() - weights[1][k].double()).abs().max().item() for k in weights[0])
    torch.manual_seed(0)
    from handpose import PoseEstimationNet

    first = PoseEstimationNet(width=0.0625).double().state_dict()
    assert max((weights[0][k].double() - first[k].double()).abs().max().item() for k in first) > 1e-2  # it did train
    assert apart < 1e-10


def test_a_run_of_two_processes_is_one_run(tmp_path, config):
    start = ["-m", "handpose", "train", "--config", config(8), "--data", "synthetic:8", "--validate", "synthetic:4"]
    records = []
    for processes in (1, 2):
        out = tmp_path / f"run{processes}"
        done = run(*start, "--out", out, processes=processes)
        assert done.returncode == 0, done.stderr[-2000:]
        assert done.stdout.count("weights and record are in") == 1
        assert sorted(p.name for p in out.iterdir()) == [
            "curves.png",
            "history.csv",
            "record.json",
            "weights.safetensors",
        ]
        records.append(json.loads((out / "record.json").read_text()))
    one, two = records
    assert (one["versions"]["ranks"], two["versions"]["ranks"]) == (1, 2)
    assert one["data_sha256"] == two["data_sha256"] and one["steps"] == two["steps"] == 8
    # The same pictures in the same order; only the statistics of batch normalisation are taken over other parts.
    losses = [[h["loss"] for h in record["history"] if "loss" in h] for record in records]
    assert len(losses[0]) == len(losses[1]) and losses[0][0] == pytest.approx(losses[1][0], rel=0.2)


def child(parent: int, rank: int) -> int:
    """The process below another one whose environment says that it has this rank."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(words[1]) == parent and f"RANK={rank}\0".encode() in (folder / "environ").read_bytes():
                return int(folder.name)
        except OSError:
            continue
    raise AssertionError(f"no process of rank {rank}")


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are looked up in /proc")
def test_a_killed_process_ends_the_run_and_nothing_is_lost(tmp_path, config):
    out = tmp_path / "run"
    start = ["-m", "handpose", "train", "--config", config(60), "--data", "synthetic:8", "--validate", "synthetic:4"]
    started = subprocess.Popen(command(*start, "--out", out), cwd=ROOT, env=environment(), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)  # fmt: skip
    try:
        for _ in range(1500):
            if (out / "checkpoint.pt").exists() or started.poll() is not None:
                break
            time.sleep(0.1)
        os.kill(child(started.pid, 1), signal.SIGKILL)
        stderr = started.communicate(timeout=120)[1]
    finally:
        started.kill()
    assert started.returncode != 0
    assert "another process of this run was lost" in stderr and "--resume" in stderr
    before = torch.load(out / "checkpoint.pt", weights_only=True)["step"]
    assert 5 <= before < 60 and not (out / "record.json").exists()
    done = run(*start, "--out", out, "--resume")
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads((out / "record.json").read_text())["steps"] == 60


def test_a_batch_that_cannot_be_divided_is_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setenv("RANK", "2")
    assert distributed.part(6) == slice(4, 6)
    with pytest.raises(TrainingError, match="a batch of 4 cannot be divided evenly among 3 processes"):
        distributed.part(4)
