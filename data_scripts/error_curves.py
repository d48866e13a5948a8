"""Whole PCK curves of the bundled weights on photographs, as records that chapter 8 draws.

    HANDPOSE_DATA=... python data_scripts/error_curves.py

Writes book/results/curves/NAME.json, numbers alone: no picture of a person is in the repository.
"""

import sys
from pathlib import Path

from handpose import data, devices, files, pretrained
from handpose.train import evaluate, records

ROOT = Path(__file__).resolve().parent.parent
SETS = {"hand-keypoints": "val", "asl-letters": "all"}


def main() -> int:
    device = devices.choose()
    net, size = pretrained.load(None, device)
    for name, split in SETS.items():
        try:
            cut = evaluate.crop_dataset(data.open(name, split), size, progress=True)
        except data.DataError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        found = evaluate.evaluate(net, cut, intervals=False)
        about = {"data": name, "split": split, "images": found["images"], "weights": pretrained.bundled().name}
        file = ROOT / "book" / "results" / "curves" / f"{name}.json"
        files.write_json(file, records.read_metadata("curves", name, 0, device) | about | {"curves": found["curves"]})
        print(f"{file}: {found['images']} hands")
    return 0


if __name__ == "__main__":
    sys.exit(main())
