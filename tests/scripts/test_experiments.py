"""Tables of runs: what is missing is run, what is there is left alone, and methods are compared in pairs."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from handpose import metrics
from handpose.train import config, records
from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "data_scripts"))
import run_experiments  # noqa: E402

TABLE = """
config = "quick"
validate = "hand-keypoints:{data}"
elsewhere = ["hand-keypoints:{data}/all"]
seeds = [0]
[set]
evaluate_every = 9
checkpoint_every = 1
[set.schedule]
steps = 2
batch = 4
[[run]]
method = "first"
data = ["hand-keypoints:{data}"]
[[run]]
method = "tuned"
data = ["hand-keypoints:{data}"]
init = "first"
[run.set.schedule]
peak = 1e-4
[[compare]]
first = "tuned"
second = "first"
"""


@pytest.mark.parametrize(
    "name", ["ablations", "attention", "best-scale", "claim", "claim-crops", "paper-scale", "spread", "transfer"]
)
def test_the_tables_that_come_with_the_book(name):
    """Every run can be built; rivals of "msahp" have its parameters or its operations, as their names say.

    And every record is still of the run that its table asks for, also after a change to what the table builds on.
    """
    table = run_experiments.read(ROOT / "data_scripts" / "experiments" / f"{name}.toml")
    weights, work = {}, {}
    for one in table["run"]:
        settings = run_experiments.settings(table, one)
        net = config.build(settings.network)
        weights[one["method"]] = sum(p.numel() for p in net.parameters())
        work[one["method"]] = records.macs(net, settings.crop.size)
    for method, measure, of in (("conv-params", weights, "msahp"), ("conv-ops", work, "msahp"), ("cpm", work, "msahp")):
        if method in measure:
            assert measure[method] == pytest.approx(measure[of], rel=0.04)
    for file in sorted((ROOT / "book" / "results" / name).glob("*-s?.json")):
        run = next(r for r in table["run"] if r["method"] == file.stem[:-3])
        assert run_experiments.otherwise(file, run_experiments.settings(table, run)) is None


@pytest.fixture
def table(tmp_path, small_set):
    (tmp_path / "tiny.toml").write_text(TABLE.format(data=small_set))
    return tmp_path / "tiny.toml"


def run(monkeypatch, table, *more):
    folder = table.parent
    monkeypatch.setattr(sys, "argv", ["run_experiments", str(table), "--out", str(folder / "runs"), "--results",
                                      str(folder / "results"), "--device", "cpu", *more])  # fmt: skip
    return run_experiments.main()


def test_a_table_is_run_once_and_goes_on_after_a_stop(monkeypatch, table, capsys):
    results = table.parent / "results" / "tiny"
    assert run(monkeypatch, table, "--list") == 0 and "first-s0: missing" in capsys.readouterr().out
    assert not results.exists()

    from handpose.train.monitor import Interrupted, Monitor

    save = Monitor.save

    def stop(self):  # as Ctrl-C after the first step
        save(self)
        if self.state.step == 1:
            raise Interrupted("stopped at step 1 of 2 and saved")

    with monkeypatch.context() as patch:
        patch.setattr(Monitor, "save", stop)
        assert run(patch, table) == 1
    assert "stopped at step 1" in capsys.readouterr().err and not results.exists()

    assert run(monkeypatch, table) == 0
    first, tuned = (json.loads((results / f"{m}-s0.json").read_text()) for m in ("first", "tuned"))
    assert first["steps"] == 2 and first["experiment"] == "tiny" and first["method"] == "first"
    assert tuned["init"] == "first" and tuned["config"]["schedule"]["peak"] == 1e-4
    assert first["config"]["schedule"]["peak"] != 1e-4 and first["elsewhere"]
    pairs = json.loads((results / "comparisons.json").read_text())["comparisons"]
    assert pairs[0]["seeds"] == [0] and len(pairs[0]["sets"]) == 2
    found = pairs[0]["sets"][f"hand-keypoints:{first['validation'].partition(':')[2]}/val"]["last"]["pck_bone"]["0.2"]
    assert found["difference"] == pytest.approx(
        tuned["metrics"]["pck_bone"]["0.2"] - first["metrics"]["pck_bone"]["0.2"], abs=1e-5
    )

    before = (results / "first-s0.json").stat().st_mtime_ns
    assert run(monkeypatch, table) == 0 and (results / "first-s0.json").stat().st_mtime_ns == before

    # What a trial with fewer steps left must not pass for the table's run.
    table.write_text(table.read_text().replace("steps = 2", "steps = 9"))
    assert run(monkeypatch, table) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "first-s0.json: a run with schedule.steps 2, where the table has 9" in error and "--results" in error
    table.write_text(
        table.read_text().replace("steps = 9", "steps = 2").replace("[set]", "[set]\ncrop = { noise = 0.2 }")
    )
    assert run(monkeypatch, table) == 1
    assert "a run with crop.noise 0.03125, where the table has 0.2" in capsys.readouterr().err


def test_several_runs_at_once_leave_the_records_of_one_by_one(monkeypatch, table):
    """Also where one run starts from another's weights; and a failure in a process reaches the exit status."""
    assert run(monkeypatch, table, "--jobs", "2") == 0
    results = table.parent / "results" / "tiny"
    assert json.loads((results / "tuned-s0.json").read_text())["init"] == "first"
    assert (results / "comparisons.json").exists()
    for record in results.glob("*-s0.json"):
        record.unlink()
        (table.parent / "runs" / "tiny" / record.stem / "weights.safetensors").write_bytes(b"cut")
    assert run(monkeypatch, table, "--jobs", "2") == 1 and not list(results.glob("*-s0.json"))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send to another process")
@pytest.mark.parametrize("to", ["SIGINT", "SIGTERM to all"])  # the two signals are one to the program
def test_stopping_several_runs_at_once_saves_them_all(table, to):
    """Ctrl-C, the end of --minutes, a cluster: every process saves its run and ends; another call goes on with them."""
    text = table.read_text().replace("steps = 2", "steps = 5000").replace('init = "first"\n', "")
    table.write_text(text)
    script = ROOT / "data_scripts" / "run_experiments.py"
    with subprocess.Popen(
        [sys.executable, str(script), str(table), "--out", str(table.parent / "runs"), "--results",
         str(table.parent / "results"), "--device", "cpu", "--jobs", "2"], stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),  # as a shell starts it in the background
        start_new_session=True,
    ) as process:  # fmt: skip
        checkpoints = [table.parent / "runs" / "tiny" / f"{m}-s0" / "checkpoint.pt" for m in ("first", "tuned")]
        try:
            until = time.monotonic() + 120
            while not all(c.exists() for c in checkpoints) and process.poll() is None and time.monotonic() < until:
                time.sleep(0.2)
            if to == "SIGTERM to all":  # the runs, and twice, as clusters do
                os.killpg(process.pid, signal.SIGTERM)
                time.sleep(0.2)
            process.send_signal(signal.SIGINT if to == "SIGINT" else signal.SIGTERM)
            error = process.communicate(timeout=60)[1]
        finally:
            process.kill()
    assert process.returncode == 130 and error.count("and saved; go on with --resume") == 2
    assert "Traceback" not in error
    assert all(c.exists() for c in checkpoints) and not (table.parent / "results").exists()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [('method = "tuned"', 'method = "first"', "method of its own"),
     ('init = "first"', 'init = "last"', "no earlier run"),
     ('second = "first"', 'second = "third"', "which is no run"), ("seeds", "sedes", "unknown key 'sedes'"),
     ("steps = 2", "stpes = 2", "stpes"), ("[[run]]", "[[run", "tiny.toml")],
)  # fmt: skip
def test_a_wrong_table_is_one_line(monkeypatch, table, capsys, old, new, says):
    table.write_text(table.read_text().replace(old, new))
    assert run(monkeypatch, table) == 1
    error = capsys.readouterr().err.strip()
    assert says in error and "\n" not in error


def test_paired_differences():
    """Where one method is right on ten joints a hand more than the other in every group, the interval is a point."""
    rng = np.random.default_rng(0)
    target = rng.uniform(0, 100, (40, 21, 2)).astype(np.float32)
    visible, groups = np.ones((40, 21), bool), [f"g{i // 4}" for i in range(40)]
    worse = target.copy()
    worse[:, :10] += 1000
    better = np.stack([target, target])
    found = metrics.paired(better, worse[None], target, visible, groups, repeats=50)
    for scores in found["pck_bone"].values():
        assert scores["difference"] == pytest.approx(10 / 21) and np.allclose(scores["interval"], 10 / 21)
    # One of two seeds no better than the other method: the interval reaches from nothing to all of the gain.
    mixed = np.stack([target, worse])
    found = metrics.paired(mixed, worse[None], target, visible, groups, repeats=200)["pck_box"]["0.1"]
    assert found["difference"] == pytest.approx(5 / 21) and np.allclose(found["interval"], [0, 10 / 21])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to send to another process")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_sigterm_while_hands_are_read_ends_in_one_line(table, jobs):
    """Not only amid the steps: before them, and while the end is scored, nothing answers but the program itself."""
    table.write_text(table.read_text().replace('data = ["hand', 'data = ["synthetic:5000", "hand'))
    script, out = ROOT / "data_scripts" / "run_experiments.py", table.parent / "runs"
    with subprocess.Popen(
        [sys.executable, str(script), str(table), "--out", str(out), "--results", str(table.parent / "results"),
         "--device", "cpu", "--jobs", jobs, "--only", "first"], stderr=subprocess.PIPE, text=True,
        env=os.environ | {"HANDPOSE_CACHE": str(table.parent / "cache")}, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            assert any("cutting synthetic" in line for line in process.stderr)  # reads as far as the first of them
            process.send_signal(signal.SIGTERM)
            error = process.communicate(timeout=60)[1]
        finally:
            process.kill()
    assert process.returncode == 130 and "stopped; call it again to go on" in error and "Traceback" not in error
