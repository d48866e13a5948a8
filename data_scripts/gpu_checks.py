"""What `gpu_run.py` checks on a device before it trains there: at most a minute, one line and one entry each.

Those that need processes of their own (`ALONE`) are started at once, as ``python data_scripts/gpu_checks.py NAME ...``;
what they print last is their result.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import torch
from gpu_work import SCALES, Work, settings, speed

import handpose
from handpose import data, devices, pretrained
from handpose.train import config, evaluate, records
from handpose.train.monitor import Interrupted

#: Seconds after which a check with a process of its own has failed, by scale.
ALONE_SECONDS = {"full": 45, "tiny": 120}


class Failed(Exception):
    """A check that found something wrong; the message says what."""


def about(work: Work) -> dict:
    """Which device it is."""
    found = records.versions(work.device) | {"bfloat16": devices.half_precision(work.device)}
    if work.device.type == "cuda":
        found |= {"cuda": torch.version.cuda, "memory_gb": round(torch.cuda.mem_get_info(work.device)[1] / 1e9, 1)}
    return found


def train(work: Work) -> dict:
    """Training steps a second, at the configuration's batch and at four times that; the loss is to fall."""
    batch = settings(work.scale).schedule.batch
    steps = 60 if work.scale == "full" else 40
    found = {}
    for name, size in (("rate", batch), ("large", 4 * batch)):
        try:
            work.run(f"first-{size}", 3, batch=size)  # the first steps load and choose what the others find
            record = work.run(name, steps, batch=size, measured=True)
        except torch.OutOfMemoryError:
            if name == "large":
                break
            raise
        losses = [entry["loss"] for entry in record["history"] if "loss" in entry]
        if min(losses[1:]) >= losses[0]:
            raise Failed(f"the loss did not fall in {steps} steps of {size}: {losses}")
        found[str(size)] = round(steps / record["seconds"], 3)
    return {"steps_per_second": found}


def score(work: Work) -> dict:
    """The network that `train` left gives the same key-points as on the processor."""
    cut = evaluate.crop_dataset(data.open(work.hands, "val"), settings(work.scale).crop.size)
    file = work.folder / "rate" / "weights.safetensors"
    nets = [pretrained.load(file, device)[0] for device in (work.device, "cpu")]
    began = time.monotonic()
    scores = [evaluate.evaluate(net, cut)["metrics"]["pck_box"]["0.1"] for net in nets]
    return {"pck_box_0.1": scores, **same(*(evaluate.predict(net, cut)[-1] for net in nets)),
            "seconds": round(time.monotonic() - began, 2)}  # fmt: skip


def same(first: np.ndarray, second: np.ndarray, allowed: float = 0.25) -> dict:
    """How far apart two sets of key-points are; half of them may lie apart by so many pixels."""
    apart = np.linalg.norm(first - second, axis=-1)
    found = {"median_px": round(float(np.median(apart)), 4), "largest_px": round(float(apart.max()), 3)}
    if not found["median_px"] <= allowed:
        raise Failed(f"key-points lie apart by {found['median_px']} px in the median, more than {allowed}")
    return found


def predict(work: Work) -> dict:
    """Photograph in, hands out, with the bundled weights: with and without the detector, and as on the processor."""
    samples = data.open(work.hands, "val")
    images = [samples[i] for i in range(6)]
    device_names = str(work.device), "cpu"
    on_device, on_processor = (handpose.HandPose.from_pretrained(device=n, backend="torch") for n in device_names)
    keypoints = [np.stack([hp(p.image, [p.box])[0].keypoints for p in images]) for hp in (on_device, on_processor)]
    hands = [[len(hp(p.image)) for p in images] for hp in (on_device, on_processor)]
    if hands[0] != hands[1]:
        raise Failed(f"hands found in {len(images)} pictures: {hands[0]}, on the processor {hands[1]}")
    return {"hands": hands[0], **same(*keypoints)}


def bfloat16(work: Work) -> dict:
    """The bundled network under autocast finds what it finds in float32."""
    net, size = pretrained.load(None, work.device)
    cut = evaluate.crop_dataset(data.open(work.hands, "val"), size)
    exact = evaluate.predict(net, cut)[-1]
    with torch.autocast(work.device.type, torch.bfloat16):
        rough = evaluate.predict(net, cut)[-1]
    return same(rough, exact, 2.0)


def resume(work: Work) -> dict:
    """A run that was killed and resumed has the weights, to the bit, of one that was not."""
    for deterministic in (False, True):
        torch.backends.cudnn.deterministic = deterministic
        straight, killed = f"straight-{deterministic}", f"killed-{deterministic}"
        work.run(straight, 24)
        done = subprocess.run([*command("killed", work), "--name", killed], capture_output=True, text=True)
        if done.returncode != -signal.SIGKILL or not (work.folder / killed / "checkpoint.pt").exists():
            raise Failed(f"the run to be killed ended by itself: {last_line(done.stderr)}")
        work.run(killed, 24, resume=True)
        if work.weights(straight) == work.weights(killed):
            return {"bit_equal": True, "cudnn_deterministic": deterministic}
    raise Failed("the weights differ, also with deterministic convolutions")


def be_killed(work: Work, name: str) -> None:
    """Train, and end as a lost machine does as soon as there is a checkpoint."""

    def watch() -> None:
        while not (work.folder / name / "checkpoint.pt").exists():
            time.sleep(0.005)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
    torch.backends.cudnn.deterministic = name.endswith("True")
    work.run(name, 24)


def torchrun(work: Work) -> dict:
    """One process under PyTorch's launcher trains as one without it."""
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "1"]
    done = subprocess.run([*start, *command("launched", work)[1:]], capture_output=True, text=True)
    if done.returncode:
        raise Failed(last_line(done.stderr))
    work.run("plain", 9)
    return {"bit_equal": work.weights("launched") == work.weights("plain")}


def compiled(work: Work) -> dict:
    """`torch.compile` gives the same maps as the network itself; images a second of both."""
    torch.manual_seed(0)
    short = settings(work.scale)
    net = config.build(short.network).to(work.device, memory_format=torch.channels_last).eval()
    images = torch.rand(32, 3, short.crop.size, short.crop.size, device=work.device)
    images = images.contiguous(memory_format=torch.channels_last)
    fast = torch.compile(net)
    found: dict = {"batch": len(images), "images_per_second": {}}
    with torch.inference_mode():
        began = time.monotonic()
        eager, compiled_maps = net(images)[-1], fast(images)[-1]
        found["compile_seconds"] = round(time.monotonic() - began, 1)
        found["apart"] = float(f"{((eager - compiled_maps).norm() / eager.norm()).item():.2g}")
        for half in (False, True):
            with torch.autocast(work.device.type, torch.bfloat16, enabled=half):
                for name, module in (("eager", net), ("compiled", fast)):
                    kind = f"{name}, {'bfloat16' if half else 'float32'}"
                    found["images_per_second"][kind] = round(speed(module, images), 1)
    if not found["apart"] < 5e-3:
        raise Failed(f"the maps differ by {found['apart']} of their length")
    return found


CHECKS = {"device": about, "train": train, "evaluate": score, "predict": predict, "bfloat16": bfloat16,
          "resume": resume, "torchrun": torchrun, "compile": compiled}  # fmt: skip
ALONE = ("resume", "torchrun", "compile")


def command(name: str, work: Work) -> list[str]:
    return [sys.executable, __file__, name, "--folder", str(work.folder), "--device", str(work.device),
            "--scale", work.scale]  # fmt: skip


def last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1][:300]


def attempt(name: str, work: Work, of_child: subprocess.Popen | None, until: float) -> dict:
    """One check: ``{"ok", "seconds"}`` and what it found, or an error in one line."""
    began = time.monotonic()
    try:
        if of_child is None:
            found = CHECKS[name](work)
        else:
            stdout, errors = of_child.communicate(timeout=max(0.1, until - time.monotonic()))
            if of_child.returncode:
                raise Failed(last_line(errors))
            found = json.loads(last_line(stdout))
        found = {"ok": True, **found}
    except (KeyboardInterrupt, Interrupted):  # the time is over
        raise
    except subprocess.TimeoutExpired:
        found = {"ok": False, "error": f"not done after {ALONE_SECONDS[work.scale]} seconds"}
    except Exception as error:  # whatever a device that was never tried raises: the other checks go on
        found = {"ok": False, "error": f"{type(error).__name__}: {last_line(str(error))}"}
    finally:
        if of_child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(of_child.pid, signal.SIGKILL)  # with what it started
            of_child.wait()
    return found | {"took": round(time.monotonic() - began, 1)}


def check_all(names: list[str], device: torch.device, scale: str, note) -> None:
    """Every check named; `note(name, found)` is called after each."""
    with tempfile.TemporaryDirectory(prefix="gpu-checks-") as folder:
        work = Work(Path(folder), device, scale)
        work.draw()
        until = time.monotonic() + ALONE_SECONDS[scale]
        children = {
            name: subprocess.Popen(command(name, work),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
            for name in names if name in ALONE
        }  # fmt: skip
        try:
            # Processes of their own come first, side by side, so that nothing runs beside what measures the speed.
            for name in sorted(names, key=lambda n: n not in ALONE):
                note(name, attempt(name, work, children.get(name), until))
        finally:
            for child in children.values():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("check", choices=[*ALONE, "killed", "launched"])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--device", required=True)
    parser.add_argument("--scale", choices=SCALES, required=True)
    parser.add_argument("--name")
    arguments = parser.parse_args()
    work = Work(arguments.folder, devices.choose(arguments.device), arguments.scale)
    if arguments.check == "killed":
        be_killed(work, arguments.name)
    elif arguments.check == "launched":
        work.run("launched", 9)
    else:
        print(json.dumps(CHECKS[arguments.check](work)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
