"""Do everything that needs a CUDA device in the given minutes: check, train, compare.

    python data_scripts/pack.py hand-keypoints massey@train wild asl-letters@all --side 224 --quality 65 \\
        --out data/pack.npz
    python data_scripts/gpu_run.py --minutes 9 --packed data/pack.npz --out runs/gpu

1. At most a minute of checks: every path of training and prediction, a kill and a resume, bfloat16, torch.compile,
   torchrun. A check that fails does not stop the rest.
2. `best` at full width and 256 pixels, for the greater part of the time; the number of steps follows from the
   measured speed, so that the learning rate has fallen when the time is over.
3. `msahp`, `none` and `conv-ops` of experiments/best-scale.toml, with as many steps each as the remaining time allows.

Call it again with the same --out to continue: a run continues from its checkpoint, and finished work is not repeated.
From a machine that keeps no files, copy only the folder `results` in --out: at most six files, each complete whenever
the machine is taken away. To continue from there, give --init results/best.safetensors and another --out.
Needs torch, numpy, opencv, safetensors, pillow, platformdirs and tqdm, and no file except the packed one.
"""

import argparse
import os
import signal
import sys
import threading
import time
from pathlib import Path

import gpu_checks
import numpy as np
import run_experiments
import torch
from gpu_work import SCALES, Copies, settings

from handpose import data, devices, files, metrics, pretrained
from handpose.data import crops
from handpose.train import config, evaluate, records, train
from handpose.train.checkpoint import TrainingError
from handpose.train.monitor import Interrupted

TABLE = Path(__file__).resolve().parent / "experiments" / "best-scale.toml"
METHODS = ("msahp", "none", "conv-ops")
TRAIN = ("hand-keypoints", "massey", "wild")
TEST = ("hand-keypoints/val", "wild/val", "asl-letters/all")
BALANCE = {"hand-keypoints": 0.35, "massey": 0.1, "synthetic": 0.15, "wild": 0.4}
SHARE = 0.75  # of the time that is left after checks and reading, for `best`
LARGER = 0.6  # a batch four times as large is taken where it makes at least so many of the steps a second
SLACK = 0.93  # of the steps that the measured speed promises
#: Rendered hands, seconds to score a network, seconds kept free at the end, fewest steps of a comparison.
SIZES = {"full": (5000, 20, 15, 300), "tiny": (48, 2, 1, 3)}


class Gpu:
    """One call: the clock, the report, and what all runs share."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.began, self.scale = time.monotonic(), arguments.scale
        self.hands, self.scoring, self.margin, self.fewest = SIZES[arguments.scale]
        self.end = self.began + 60 * arguments.minutes - self.margin
        self.device, self.init = devices.choose(arguments.device), arguments.init
        self.out, self.results = arguments.out, arguments.out / "results"
        self.packed = arguments.packed
        self.samples = {name: data.open(self.source_name(name), "train") for name in TRAIN}
        self.samples["synthetic"] = data.open(self.source_name("synthetic"), "train")
        self.tests = {name: data.open(*self.split(name)) for name in TEST}
        if self.init:
            pretrained.load(self.init)
        files.check(self.results / "report.json")
        old = self.results / "report.json"
        self.report = data.common.read_json(old) if old.exists() else {}
        self.report = {"checks": {}, "plan": {}, "calls": []} | self.report
        self.report["calls"].append({"device": devices.describe(self.device), "minutes": arguments.minutes})

    def source_name(self, name: str) -> str:
        """A data set as `data.open` wants it named."""
        return f"synthetic:{self.hands}" if name == "synthetic" else f"{name}:{self.packed}"

    def split(self, name: str) -> tuple[str, str]:
        source, _, split = name.partition("/")
        return self.source_name(source), split

    def left(self) -> float:
        return self.end - time.monotonic()

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self.began:6.1f} s  {text}", flush=True)

    def write(self) -> None:
        self.report["calls"][-1]["seconds"] = round(time.monotonic() - self.began, 1)
        files.write_json(self.results / "report.json", self.report)

    def check(self, names: list[str]) -> None:
        """The checks that have not passed on this device; without "train" there is no speed to plan with."""
        done = self.report["checks"]
        here = records.versions(self.device)
        if any(done.get("device", {}).get(key) != here[key] for key in ("device", "torch", "threads")):
            done.clear()
        wanted = [n for n in gpu_checks.CHECKS if n in {*names, "device", "train"} and not done.get(n, {}).get("ok")]

        def note(name: str, found: dict) -> None:
            done[name] = found
            self.say(f"check {name}: {'passed' if found['ok'] else 'FAILED'}: "
                     + ", ".join(f"{k} {v}" for k, v in found.items() if k != "ok"))  # fmt: skip
            self.write()

        gpu_checks.check_all(wanted, self.device, self.scale, note)

    def prepare(self) -> None:
        """Crops of everything that is trained on, and of what is scored, once for all runs."""
        size = settings(self.scale).crop.size
        self.crops = {
            name: crops.load_crops(name, samples, size, progress=False) for name, samples in self.samples.items()
        }
        self.cuts = {name: evaluate.crop_dataset(samples, size) for name, samples in self.tests.items()}
        volume = 0
        for loaded in self.crops.values():
            loaded.fingerprint()
            volume += loaded.images.numel()
        if self.device.type == "cuda" and torch.cuda.mem_get_info(self.device)[0] > 4 * volume:
            for name, loaded in self.crops.items():
                self.crops[name] = loaded.to(self.device)
                self.crops[name].parts = loaded.parts  # the choice of samples is made on the processor
        self.say(f"{sum(map(len, self.crops.values())):,} hands to train on, {volume / 1e9:.1f} GB")

    def train(self, name: str, chosen: config.Config, sources: list[str], init: Path | None = None) -> dict:
        """One run to its end, from its checkpoint where there is one; its record, also in `results`."""
        folder = self.out / name
        self.say(f"{name}: {chosen.schedule.steps} steps of {chosen.schedule.batch}")
        if not (folder / "record.json").exists():
            train(
                chosen, [self.source_name(s) for s in sources], folder, validate=self.source_name("hand-keypoints"),
                init=init, device=str(self.device), resume=(folder / "checkpoint.pt").exists(), loaded=self.crops,
                progress=False,
            )  # fmt: skip
        record = data.common.read_json(folder / "record.json")
        net, _ = pretrained.load(folder / "weights.safetensors", self.device)
        predicted = {test: evaluate.predict(net, cut) for test, cut in self.cuts.items()}
        with files.writing(folder / "predictions.npz") as unfinished, open(unfinished, "wb") as stream:
            np.savez_compressed(stream, **{k: v.astype(np.float32) for k, v in predicted.items()})
        record |= {"experiment": "gpu", "method": name, "data": sources, "validation": "hand-keypoints",
                   "init": self.init.name if init else None,
                   "history": run_experiments.thin(record["history"]),
                   "elsewhere": {test: evaluate.evaluate(net, cut) for test, cut in self.cuts.items()
                                 if test != "hand-keypoints/val"}}  # fmt: skip
        files.write_json(self.results / f"{name}.json", record)
        found = {"hand-keypoints/val": record, **record["elsewhere"]}
        self.say(f"{name}: PCK at 0.2 of s, 0.1 of the box: " + ", ".join(
            f"{test} {one['metrics']['pck_bone']['0.2']:.3f} {one['metrics']['pck_box']['0.1']:.3f}"
            for test, one in found.items()))  # fmt: skip
        return record

    def best(self) -> bool:
        """`best` until its time is over; whether it is done."""
        rates, plan = self.report["checks"]["train"].get("steps_per_second"), self.report["plan"]
        if "best" not in plan:
            if not rates:
                raise TrainingError("nothing can be trained here: see the check named train")
            small, large = min(rates, key=int), max(rates, key=int)
            batch = large if rates[large] >= LARGER * rates[small] else small
            steps = int(SLACK * rates[batch] * (SHARE * self.left() - self.scoring))
            if steps < self.fewest:
                self.say(f"best: {max(0, steps)} steps would fit into its time; at least {self.fewest} are wanted")
                return False
            plan["best"] = {"steps": steps, "batch": int(batch)}
            self.write()
        chosen = settings(self.scale, **plan["best"])
        chosen = config.from_dict(chosen.as_dict() | {"name": "best", "balance": BALANCE}, "best")
        with Copies(self.out / "best", self.results / "best.safetensors", chosen):
            self.train("best", chosen, list(BALANCE), self.init)
        with files.writing(self.results / "best.safetensors") as unfinished:
            unfinished.write_bytes((self.out / "best" / "weights.safetensors").read_bytes())
        return True

    def compare(self) -> bool:
        """The methods of the table, of equal steps, then their paired differences; whether it is done."""
        table, plan = run_experiments.read(TABLE), self.report["plan"]
        if "compare" not in plan:
            rates = self.report["checks"]["train"]["steps_per_second"]
            rate = rates[min(rates, key=int)]
            steps = int(SLACK * rate * (self.left() / len(METHODS) - self.scoring))
            if steps < self.fewest:
                self.say(f"comparison: {max(0, steps)} steps a method would fit into what is left; at least "
                         f"{self.fewest} are wanted. call again with more minutes")  # fmt: skip
                return False
            plan["compare"] = {"steps": steps}
            self.write()
        for run in table["run"]:
            if run["method"] in METHODS:
                chosen = settings(self.scale, run_experiments.settings(table, run).as_dict(), **plan["compare"])
                self.train(run["method"], chosen, table["data"])
        predictions = {m: np.load(self.out / m / "predictions.npz") for m in METHODS}
        self.report["comparisons"] = [
            {"first": first, "second": second, "seeds": [0], "sets": {
                test: metrics.paired(predictions[first][test][None, -1], predictions[second][test][None, -1],
                                     cut.keypoints, cut.visible, cut.groups) for test, cut in self.cuts.items()}}
            for first, second in ((METHODS[0], METHODS[1]), (METHODS[0], METHODS[2]))
        ]  # fmt: skip
        return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, required=True, help="end after this many minutes")
    parser.add_argument("--packed", type=Path, required=True, help="the file that pack.py wrote")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", help="cpu, cuda or mps (default: the fastest there is)")
    parser.add_argument("--scale", choices=SCALES, default="full", help="tiny: to try it out on a CPU")
    parser.add_argument("--init", type=Path, help="weights that `best` starts from")
    parser.add_argument("--checks", default=",".join(gpu_checks.CHECKS), help="comma-separated (default: all)")
    arguments = parser.parse_args()
    try:
        if unknown := set(arguments.checks.split(",")) - set(gpu_checks.CHECKS):
            raise ValueError(f"--checks {min(unknown)}: choose from {', '.join(gpu_checks.CHECKS)}")
        if not arguments.minutes > 0:
            raise ValueError(f"--minutes {arguments.minutes}: it must be more than 0")
        return work(Gpu(arguments), arguments.checks.split(","))
    except (ValueError, TrainingError) as error:
        print(f"gpu_run: {error}", file=sys.stderr)
        return 1


def work(gpu: Gpu, names: list[str]) -> int:
    """All parts in turn until the time is over; the exit status, 1 where a check failed."""
    for name in (signal.SIGINT, signal.SIGTERM):  # a shell starts what runs in the background with Ctrl-C ignored
        signal.signal(name, signal.default_int_handler)
    timer = threading.Timer(max(0.0, gpu.left()), lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.daemon = True
    timer.start()
    try:
        gpu.check(names)
        gpu.prepare()
        if gpu.best() and gpu.compare():
            gpu.say("done")
    except (KeyboardInterrupt, Interrupted) as error:
        gpu.say(f"stopped; call it again with the same --out to go on {f'({error})' if str(error) else ''}")
    finally:
        timer.cancel()
        gpu.write()
    return 0 if all(found["ok"] for found in gpu.report["checks"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
