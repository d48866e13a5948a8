"""Pack data sets into one small file, for training where only a few megabytes can be transferred.

    python data_scripts/pack.py hand-keypoints:PATH --out hand-keypoints.npz
    python data_scripts/pack.py hand-keypoints massey@train wild asl-letters@all --side 224 --quality 65 \\
        --out pack.npz    # 39 MB

Then use hand-keypoints:pack.npz, massey:pack.npz and so on, wherever a command takes --data. Labels of your own that
have no splits are packed once, and divided as they would be from their folder.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from tqdm import tqdm

from handpose import files
from handpose.data import packed
from handpose.train.reading import Opener


def _wanted(text: str, splits: str) -> tuple[str, list[str]]:
    """Set and splits of NAME[:PATH][@SPLITS]."""
    source, at, own = text.rpartition("@")
    if not at or "/" in own:  # none, or one within a path
        source, own = text, splits
    return source, own.split(",")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="+", metavar="NAME[:PATH][@SPLITS]",
                        help="as for --data; with @SPLITS, separated by commas, in place of --splits")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, help="file to write, .npz")
    parser.add_argument("--splits", default="train,val", help="comma-separated (default: train,val)")
    parser.add_argument("--joint-order", help="of sets that take it, as for `train`; a pack keeps it")
    parser.add_argument("--unturned", action="store_true", help="as for `train`")
    parser.add_argument("--quality", type=int, default=80, help="WebP quality of the pictures, 1 to 100 (default: 80)")
    parser.add_argument("--side", type=int, help="shrink pictures whose longest side has more pixels than this")
    arguments = parser.parse_args()
    try:
        if arguments.out.suffix != ".npz":
            raise ValueError(f"--out {arguments.out}: give a name that ends in .npz")
        if not 1 <= arguments.quality <= 100:
            raise ValueError(f"--quality {arguments.quality}: it lies between 1 and 100")
        if arguments.side is not None and arguments.side < 32:
            raise ValueError(f"--side {arguments.side}: at least 32 pixels are needed")
        files.check(arguments.out)
        sets: dict[str, dict] = {}
        wanted = [_wanted(text, arguments.splits) for text in arguments.sources]
        opener = Opener([source for source, _ in wanted],
                        {"joint_order": arguments.joint_order, "unturned": arguments.unturned})  # fmt: skip
        for source, splits in wanted:
            held = sets.setdefault(name := source.partition(":")[0], {})
            if twice := sorted(held.keys() & set(splits)):
                raise ValueError(f"{source}: {name} {twice[0]} was named before, and a pack holds each split of a set "
                                 "once; write a second pack, and give both to --data")  # fmt: skip
            held.update({split: opener(source, split) for split in splits})
        number = packed.write(arguments.out, sets, quality=arguments.quality, side=arguments.side,
                              progress=partial(tqdm, unit="hand"))  # fmt: skip
    except ValueError as error:  # DataError and OutputError included
        print(f"pack: {error}", file=sys.stderr)
        return 1
    print(f"{arguments.out}: {number:,} hands, {arguments.out.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
