"""One process against two: the speed of training, and what batch normalisation makes of a divided batch.

    python benchmarks/ranks.py            on a quiet machine; writes book/results/speed/ranks.json

Trains the `small` configuration for some steps on rendered hands, once by itself with one thread, once with two, and
once as two processes of one thread each. Nothing else differs: the same pictures, in the same order.
"""

import json
import os
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path

import torch

from handpose import devices, files
from handpose.train import records

ROOT = Path(__file__).resolve().parent.parent
STEPS, HANDS = 120, 400
WAYS = {"one process, one thread": (1, 1), "one process, two threads": (1, 2), "two processes, one thread each": (2, 1)}


def train(config: Path, processes: int, threads: int, out: Path) -> dict:
    """A run's record."""
    start = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)] if processes > 1 else []
    command = [sys.executable, *start, "-m", "handpose", "train", "--config", str(config), "--data",
               f"synthetic:{HANDS}", "--out", str(out), "--device", "cpu"]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return json.loads((out / "record.json").read_text(encoding="utf-8"))


def main() -> int:
    text = (resources.files("handpose.train.configs") / "small.toml").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "ranks.toml"
        config.write_text(text.replace("steps = 400", f"steps = {STEPS}"), encoding="utf-8")
        found = {}
        for name, (processes, threads) in WAYS.items():
            record = train(config, processes, threads, Path(folder) / name.replace(" ", "-"))
            losses = [entry["loss"] for entry in record["history"] if "loss" in entry]
            found[name] = {
                "processes": processes, "threads": threads, "steps": STEPS, "images_a_second":
                round(STEPS * record["config"]["schedule"]["batch"] / record["seconds"], 1),
                "last_loss": losses[-1], "pck_bone_0.2": record["metrics"]["pck_bone"]["0.2"],
                "pck_box_0.1": record["metrics"]["pck_box"]["0.1"],
            }  # fmt: skip
            print(f"{name:32}{found[name]['images_a_second']:7.1f} images/s, loss {losses[-1]:.3f}")
    about = {"commit": records.commit(), "versions": records.versions(devices.choose("cpu")), "ways": found,
             "torch": str(torch.__version__)}  # fmt: skip
    files.write_json(ROOT / "book" / "results" / "speed" / "ranks.json", about)
    return 0


if __name__ == "__main__":
    sys.exit(main())
