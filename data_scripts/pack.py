"""Pack a data set into one small file that travels, for training where only a few megabytes can be taken.

    python data_scripts/pack.py hand-keypoints:PATH --splits train,val --out hand-keypoints.npz [--quality 70]

Then --data hand-keypoints:hand-keypoints.npz wherever a data set is asked for.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from tqdm import tqdm

from handpose import data, files
from handpose.data import packed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="NAME or NAME:PATH, as for --data")
    parser.add_argument("--out", type=Path, required=True, help="file to write, .npz")
    parser.add_argument("--splits", default="train,val", help="comma-separated (default: train,val)")
    parser.add_argument("--quality", type=int, default=70, help="of the JPEGs, 1 to 100 (default: 70)")
    arguments = parser.parse_args()
    try:
        if arguments.out.suffix != ".npz":
            raise ValueError(f"--out {arguments.out}: give a name that ends in .npz")
        if not 1 <= arguments.quality <= 100:
            raise ValueError(f"--quality {arguments.quality}: it lies between 1 and 100")
        files.check(arguments.out)
        sets = {split: data.open(arguments.source, split) for split in arguments.splits.split(",")}
        name = arguments.source.partition(":")[0]
        number = packed.write(arguments.out, name, sets, quality=arguments.quality,
                              progress=partial(tqdm, unit="hand"))  # fmt: skip
    except ValueError as error:  # DataError and OutputError included
        print(f"pack: {error}", file=sys.stderr)
        return 1
    print(f"{arguments.out}: {number:,} hands, {arguments.out.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
