"""Speed, as ratios within one run: `make bench`.

Machines differ and are busy with other things; a ratio of two medians, taken in turns, says more than either. Beside
what was measured stands a floor: the operations over the measured rate of matrix products, or the bytes over the
measured rate of copies, whichever takes longer.

    python benchmarks/bench.py [--json F] [--repeats N] [--only WORD] [--whole] [--peer-python P]
"""

import argparse
import datetime
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "data_scripts"))

import attending  # noqa: E402
import prediction  # noqa: E402
import reading  # noqa: E402
import steps  # noqa: E402
import timing  # noqa: E402
import waiting  # noqa: E402

from handpose import devices, files  # noqa: E402
from handpose.train import records  # noqa: E402
from handpose.train.loop import keep_freed_memory  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="F", help="write the figures to this file")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument(
        "--only", metavar="WORD", help="those measurements alone whose name contains it; the file keeps the others"
    )
    parser.add_argument(
        "--whole", action="store_true", help="also the book's build and the test suite: a quarter of an hour"
    )
    parser.add_argument("--peer-python", metavar="PATH", help="an interpreter that has mediapipe; see peer.py")
    chosen = parser.parse_args()
    device, n = devices.choose(), chosen.repeats
    few = max(2, n // 3)
    batch = steps.BATCH if device.type == "cuda" else 8  # of the full-width network, which takes seconds a step
    keep_freed_memory()
    print(f"{devices.describe(device)}; medians of {n}")
    limit = timing.limits(device, n)
    tasks = {
        "training step, laptop network at 128 px": lambda: steps.step(128, 0.5, device, n, limit),
        "training step, paper's network at 256 px": lambda: steps.step(256, 1.0, device, few, limit, batch=batch),
        "memory format": lambda: steps.formats(128, 0.5, device, n) | steps.formats(256, 1.0, device, few, batch=batch),
        "networks of the attention experiment": lambda: steps.rivals(device, n),
        "pipeline, bundled weights": lambda: prediction.pipeline(device, 3 * n),
        "prediction, bundled weights": lambda: prediction.network(device, 3 * n, limit),
        "attention on the CPU": lambda: attending.forms(n),
        "data": lambda: reading.data_sources(n),
    } | waiting.all_of_it(chosen.peer_python, n)
    if chosen.whole:
        tasks["seconds of the whole"] = lambda: {
            "book": reading.seconds_of(["tools/book.py", "--force"]),
            "tests": reading.seconds_of(
                ["-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", "--nbval", "tests", "book/chapters"]
            ),
        }
    found = {"machine": records.versions(device), "commit": records.commit(), "date": str(datetime.date.today())}
    if chosen.only and chosen.json and Path(chosen.json).exists():
        found = json.loads(Path(chosen.json).read_text(encoding="utf-8")) | found
    tasks = {"limits of the machine": lambda: limit} | tasks
    for name, task in tasks.items():
        if chosen.only and chosen.only not in name:
            continue
        found[name] = {key: round(value, 4) for key, value in task().items()}
        print(f"\n{name}")
        for key, value in found[name].items():
            print(f"  {key.replace('_', ' '):45}{value:12.3f}")
        if chosen.json:
            files.write_json(Path(chosen.json), found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
