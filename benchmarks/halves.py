"""Does bfloat16 cost accuracy? The `small` configuration trained with and without it, three seeds each.

    HANDPOSE_DATA=... python benchmarks/halves.py [--data hand-keypoints]       writes book/results/speed/halves.json

On a device that multiplies in bfloat16; elsewhere both columns would be float32, and nothing is written.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from handpose import devices, files
from handpose.train import config, records, train

ROOT = Path(__file__).resolve().parent.parent
SEEDS = (0, 1, 2)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="hand-keypoints")
    source = parser.parse_args().data
    device, settings = devices.choose(), config.load("small")
    if not devices.half_precision(device):
        print(f"error: {devices.describe(device)} has no fast bfloat16", file=sys.stderr)
        return 1
    found = {"bfloat16": [], "float32": []}
    with tempfile.TemporaryDirectory() as folder:
        for seed in SEEDS:
            for name, rows in found.items():
                devices.half_precision = lambda _, half=name == "bfloat16": half
                record = train(settings, [source], Path(folder) / f"{name}-{seed}", seed=seed, progress=False)
                scores = {"pck_bone_0.2": record["metrics"]["pck_bone"]["0.2"],
                          "pck_box_0.1": record["metrics"]["pck_box"]["0.1"]}  # fmt: skip
                rows.append(scores | {"seed": seed, "seconds": record["seconds"]})
                print(name, rows[-1], flush=True)
    about = {"commit": records.commit(), "versions": records.versions(device), "data": source,
             "steps": settings.schedule.steps, "images": record["images"], "runs": found}  # fmt: skip
    files.write_json(ROOT / "book" / "results" / "speed" / "halves.json", about)
    return 0


if __name__ == "__main__":
    sys.exit(main())
