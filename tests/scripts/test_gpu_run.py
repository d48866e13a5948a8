"""The command for a lent device, at its tiniest scale on a processor and rendered hands: killed, and called again."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch

from handpose import data, pretrained
from handpose.data import packed
from tests.conftest import ROOT

# What a bare machine may lack. Python runs this file at its start if it finds it, in every process of the script.
BARE = "import sys\nfor name in ('scipy', 'matplotlib', 'requests'):\n    sys.modules[name] = None\n"


@pytest.fixture(scope="module")
def script():
    """The modules `gpu_run` and `gpu_checks`."""
    sys.path.insert(0, str(ROOT / "data_scripts"))
    try:
        import gpu_checks
        import gpu_run

        yield gpu_run, gpu_checks
    finally:
        sys.path.remove(str(ROOT / "data_scripts"))


@pytest.fixture(scope="module")
def hands(tmp_path_factory):
    file = tmp_path_factory.mktemp("hands") / "hands.npz"
    drawn = {s: data.SyntheticHands(split=s, length=6, size=96, seed=1) for s in ("train", "val")}
    sets = {"hand-keypoints": drawn, "massey": {"train": drawn["train"]}, "wild": drawn}
    packed.write(file, sets | {"asl-letters": {"all": drawn["val"]}})
    return file


def start(hands, out, minutes):
    bare = out.parent / "bare"
    bare.mkdir(exist_ok=True)
    (bare / "sitecustomize.py").write_text(BARE)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join((str(bare), str(ROOT)))}
    line = [sys.executable, ROOT / "data_scripts" / "gpu_run.py", "--minutes", str(minutes), "--packed", hands,
            "--out", out, "--device", "cpu", "--scale", "tiny", "--checks", "evaluate,predict,bfloat16"]  # fmt: skip
    return subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.skipif(os.name == "nt", reason="processes are killed by a POSIX signal")
def test_killed_and_called_again(hands, tmp_path):
    out, results = tmp_path / "out", tmp_path / "out" / "results"
    for minutes in (0.4, 1, 2):  # on a busy machine the checks alone may take the first
        first = start(hands, out, minutes)
        try:
            while not (out / "best" / "checkpoint.pt").exists() and first.poll() is None:
                time.sleep(0.1)
            first.send_signal(signal.SIGKILL)
            stdout, errors = first.communicate(timeout=60)
        finally:
            first.kill()
        if first.returncode:
            break
        shutil.rmtree(out)
    assert first.returncode == -signal.SIGKILL, errors[-2000:]
    assert "check predict: passed" in stdout and "FAILED" not in stdout
    report = json.loads((results / "report.json").read_text())
    assert {name for name, found in report["checks"].items() if found["ok"]} == {
        "device", "train", "evaluate", "predict", "bfloat16"
    }  # fmt: skip
    saved = torch.load(out / "best" / "checkpoint.pt", weights_only=True)["step"]
    assert 0 < saved < report["plan"]["best"]["steps"]

    for minutes in (0.25, 0.5, 1, 2, 4):  # on a busy machine the first will not do
        again = start(hands, out, minutes)
        stdout, errors = again.communicate(timeout=60 * minutes + 60)
        assert again.returncode == 0, errors[-2000:]
        assert "check predict" not in stdout  # it has passed
        if stdout.endswith("done\n"):
            break
        assert "call" in stdout.splitlines()[-1]
    assert sorted(p.name for p in results.iterdir()) == [
        "best.json", "best.safetensors", "conv-ops.json", "msahp.json", "none.json", "report.json"
    ]  # fmt: skip
    after = json.loads((results / "report.json").read_text())
    assert after["plan"]["best"] == report["plan"]["best"] and after["checks"] == report["checks"]
    assert len(after["calls"]) >= 2 and {p["second"] for p in after["comparisons"]} == {"none", "conv-ops"}
    net, size = pretrained.load(results / "best.safetensors")
    for method in ("best", "msahp", "none", "conv-ops"):
        text = (results / f"{method}.json").read_text()
        record = json.loads(text)
        kind = "best" if method == "best" else "compare"
        assert record["method"] == method and record["steps"] == after["plan"][kind]["steps"]
        assert set(record["elsewhere"]) == {"wild/val", "asl-letters/all"} and str(tmp_path) not in text
        assert str(hands) not in text and record["config"]["crop"]["size"] == size == 64
    assert sum(p.numel() for p in net.parameters()) == json.loads((results / "best.json").read_text())["params"]


def test_when_the_time_is_over_the_weights_so_far_are_there(script, hands, tmp_path):
    """Without a checkpoint nothing is copied; with one, its running average is."""
    from gpu_work import Copies, Work, settings

    (tmp_path / "checks").mkdir()
    work = Work(tmp_path / "checks", torch.device("cpu"), "tiny")
    packed.write(work.folder / "hands.npz", {"synthetic": {s: data.open(f"wild:{hands}", s) for s in ("train", "val")}})
    chosen = settings("tiny", steps=4)
    with Copies(tmp_path / "run", tmp_path / "copy.safetensors", chosen):
        pass
    assert not (tmp_path / "copy.safetensors").exists()
    work.run("run", 3)
    net, size = pretrained.load(work.folder / "run" / "weights.safetensors")
    (tmp_path / "run").mkdir()
    torch.save({"average": net.state_dict(), "net": None}, tmp_path / "run" / "checkpoint.pt")
    with Copies(tmp_path / "run", tmp_path / "copy.safetensors", chosen):
        pass
    assert (tmp_path / "copy.safetensors").read_bytes() == work.weights("run")


def test_a_check_that_fails_does_not_stop_the_rest(script, monkeypatch):
    _, checks = script

    def broken(work):
        raise RuntimeError("the device is on fire\nand more")

    monkeypatch.setattr(checks.Work, "draw", lambda work: None)
    monkeypatch.setitem(checks.CHECKS, "train", broken)
    monkeypatch.setattr(checks, "command", lambda name, work: [sys.executable, "-c", f"raise SystemExit({name!r})"])
    found = {}
    checks.check_all(["device", "train", "torchrun"], torch.device("cpu"), "tiny", found.__setitem__)
    assert found["device"]["ok"] and not found["train"]["ok"] and not found["torchrun"]["ok"]
    assert found["train"]["error"] == "RuntimeError: and more" and "torchrun" in found["torchrun"]["error"]


@pytest.mark.parametrize("kind", ["missing", "damaged", "another set", "minutes", "checks", "init"])
def test_bad_input_is_one_line(script, hands, tmp_path, monkeypatch, capsys, kind):
    gpu_run, _ = script
    file, more, minutes = tmp_path / "pack.npz", [], "1"
    if kind == "damaged":
        file.write_bytes(hands.read_bytes()[:-500])
    elif kind == "another set":
        packed.write(file, {"massey": {"train": data.open(f"massey:{hands}", "train")}})
    elif kind != "missing":
        file = hands
        minutes = "0" if kind == "minutes" else "1"
        more = {"checks": ["--checks", "speed"], "init": ["--init", str(tmp_path / "no.safetensors")]}.get(kind, [])
    line = ["gpu_run.py", "--minutes", minutes, "--packed", str(file), "--out", str(tmp_path / "out"), "--device",
            "cpu", "--scale", "tiny", *more]  # fmt: skip
    monkeypatch.setattr(sys, "argv", line)
    assert gpu_run.main() == 1
    stderr = capsys.readouterr().err
    words = {"missing": "pack.npz: not a whole packed set (No such file", "damaged": "pack.npz: not a whole packed set",
             "another set": "holds massey, not hand-keypoints", "minutes": "must be more than 0",
             "checks": "--checks speed: choose from", "init": "no such weights file"}[kind]  # fmt: skip
    assert stderr.startswith("gpu_run: ") and stderr.count("\n") == 1 and words in stderr
    assert not (tmp_path / "out" / "results" / "report.json").exists()
