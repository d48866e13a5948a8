"""The command ``predict``: hands in photographs, in videos and before a camera."""

import argparse
import contextlib
import hashlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from handpose import files
from handpose.apply import formats
from handpose.cli import Renamed, check_drawing, check_json

if TYPE_CHECKING:
    from handpose.apply.batch import Batch
    from handpose.apply.display import Window
    from handpose.apply.listing import Listing
    from handpose.pipeline import HandPose

HELP = "find the key-points in photographs and videos"
THRESHOLD = 0.5  # `handpose.pipeline`'s, which a help text does not wait for; a test compares them


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    command.description = (
        "Find the hands in photographs and the 21 key-points of each. A picture without a hand is not an error: its "
        "list of hands is empty. In videos and from a camera, hands are followed from frame to frame. Ctrl-C ends the "
        "command, and the results so far are kept."
    )
    command.add_argument("photos", nargs="*", metavar="PHOTO_OR_FOLDER", help="pictures, folders of pictures, or "
                         "videos by their names; - for a picture on the standard input")  # fmt: skip
    command.add_argument("--camera", type=camera, metavar="N", help="use a camera in place of photos: 0 for the first, "
                         "or an address such as rtsp://HOST/PATH; opens a window, which q or Esc closes")  # fmt: skip
    command.add_argument("--box", metavar="X0,Y0,X1,Y1",
                         help="a hand's box in pixels, as --box=X0,Y0,X1,Y1, used in every photo instead of looking "
                              "for hands; in a video, the box in the first frame")  # fmt: skip
    command.add_argument("--threshold", type=float, default=THRESHOLD, metavar="T",
                         help=f"smallest confidence of a hand, 0 to 1 (default: {THRESHOLD}); a lower one finds more "
                              "hands, and more that are not hands")  # fmt: skip
    command.add_argument("--no-refine", dest="refine", action="store_false",
                         help="one pass for every hand; by default, a hand that is turned, or that the network is "
                              "unsure of, is cut out upright around its key-points and estimated again")  # fmt: skip
    command.add_argument("--second-look", action=Renamed, instead="turned and unsure hands are refined by default, and "
                         "--no-refine leaves that out")  # fmt: skip
    command.add_argument("--no-tiles", dest="tiles", action="store_false",
                         help="do not look for small hands in the four quarters of a picture in which no hand was "
                              "found (in videos this is done every few frames)")  # fmt: skip
    command.add_argument("--part", type=part, metavar="K/N", help="only every N-th file, from the K-th on, so that N "
                         "processes or machines can share a folder")  # fmt: skip
    command.add_argument("--json", metavar="F",
                         help="write key-points and scores to this .json file (replaces only results), - for the "
                         'standard output: {"joints", "weights", "images": [{"path", "width", "height", "hands"}], '
                         '"left_out"}, and for videos {"videos": [{"path", "fps", "width", "height", "frames": '
                         '[{"frame", "time_ms", "hands"}]}]}, where a hand has its number as "track" and fps may be '
                         "null. A file whose name ends in .jsonl gets a line for each picture or frame as soon as it "
                         "is done; its first line holds joints and weights, its last the files that were left "
                         "out")  # fmt: skip
    command.add_argument("--draw", metavar="F", help="write the photo or video with the hand drawn in; a folder for "
                         f"several. Videos are written as {', '.join(formats.FILMED)}, without sound. "
                         "Only earlier drawings are replaced")  # fmt: skip
    networks = command.add_mutually_exclusive_group()
    networks.add_argument("--weights", help=".safetensors file (default: the bundled weights)")
    networks.add_argument("--onnx", metavar="FOLDER", help="run the networks that `export` wrote there, on the CPU")
    command.add_argument("--backend", choices=("onnx", "torch"), help="what runs the bundled networks (default: ONNX "
                         "Runtime on a CPU, once its networks are in the cache; otherwise PyTorch)")  # fmt: skip
    command.add_argument("--device", help="cpu, cuda or mps (default: the fastest there is)")


def camera(text: str) -> int | str:
    """The number or the address of a camera."""
    if "://" not in text and not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor an address such as rtsp://HOST/PATH")
    return text if "://" in text else int(text)


def part(text: str) -> tuple[int, int]:
    """K and N of "K/N"."""
    k, _, n = text.partition("/")
    if not (k.isdecimal() and n.isdecimal() and 1 <= int(k) <= int(n)):
        raise argparse.ArgumentTypeError(f"{text!r}: expected K/N with K from 1 to N, such as 2/4")
    return int(k), int(n)


def hand_pose(arguments: argparse.Namespace) -> "HandPose":
    """The pipeline that `predict` is asked for."""
    from handpose.pipeline import HandPose

    options = {"threshold": arguments.threshold, "refine": arguments.refine, "tiles": arguments.tiles}
    if arguments.onnx is None:
        return HandPose.from_pretrained(
            arguments.weights, device=arguments.device, backend=arguments.backend, **options
        )
    if arguments.device not in (None, "cpu"):
        raise ValueError(f"--device {arguments.device}: the networks of --onnx run on the processor only")
    return HandPose.from_onnx(arguments.onnx, **options)


def weights(arguments: argparse.Namespace) -> dict:
    """Which networks `hand_pose` takes: {"pose": {"file", "sha256"}, ...}."""
    from handpose import pretrained

    if arguments.onnx is not None:
        used = {name: Path(arguments.onnx) / f"{name}.onnx" for name in ("pose", "detector", "gesture")}
    else:
        used = pretrained.weights_files(arguments.weights)
    return {n: {"file": p.name, "sha256": hashlib.sha256(p.read_bytes()).hexdigest()} for n, p in used.items()}


@contextlib.contextmanager
def stopped_by_ctrl_c() -> Iterator[None]:
    """SIGTERM, with which clusters and containers end a program, does what Ctrl-C does."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not the main thread
        before = None
    try:
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def main(arguments: argparse.Namespace) -> int:
    """Find hands in all that is named; exit status 1 if one of the files could not be read."""
    from handpose.apply import listing
    from handpose.apply.ahead import Lines
    from handpose.apply.batch import Batch
    from handpose.apply.display import Window
    from handpose.skeleton import JOINTS

    camera, boxes = arguments.camera, None
    if (camera is None) == (not arguments.photos):
        raise ValueError("name photos, folders or videos, or --camera N, but not both")
    if camera is None:
        found = listing.list_files(arguments.photos)
    else:
        found = listing.Listing([(camera, Path(f"camera{camera}" if isinstance(camera, int) else "camera"))])
    if arguments.box:
        try:
            boxes = [tuple(float(v) for v in arguments.box.split(","))]
        except ValueError:
            raise ValueError(f"--box {arguments.box}: expected four numbers X0,Y0,X1,Y1") from None
    several = len(found.files) > 1 or any(Path(name).is_dir() for name in arguments.photos)
    targets = listing.drawings(found.files, Path(arguments.draw), several) if arguments.draw else {}
    for file in targets.values():
        check_drawing("--draw", file)
    check_json(arguments.json)
    if arguments.part:
        k, n = arguments.part  # the drawings were named before: no two parts give two the same name
        number = len(found.files)
        found = listing.Listing(found.files[k - 1 :: n], found.left_out[k - 1 :: n])
        if not found.files:
            print(f"note: --part {k}/{n}: has none of the {number} file{'s' * (number > 1)}", file=sys.stderr)
    window = None if camera is None else Window.opened(recording=bool(arguments.draw or arguments.json))
    hp = hand_pose(arguments)  # refuses files that cannot be used, before they are hashed or an earlier result emptied
    about = {"joints": list(JOINTS), "weights": weights(arguments)} if arguments.json else {}
    lines = Lines(arguments.json, about) if (arguments.json or "").lower().endswith(".jsonl") else None
    work = Batch(hp, boxes, targets, bool(arguments.json), not several and not about, lines)
    status = each(work, found, window, several)
    for line in listing.Listing(left_out=found.left_out + work.left_out).lines():
        print(line, file=sys.stderr)
    if lines:
        lines.append({"left_out": work.as_json(found)["left_out"]})
        lines.close()
    elif arguments.json:
        files.write_json(arguments.json, about | work.as_json(found))
    return status


def each(work: "Batch", found: "Listing", window: "Window | None", several: bool) -> int:
    """Do one file after the other, while the next ones are read; the exit status."""
    from tqdm import tqdm

    from handpose.apply import capture
    from handpose.apply.ahead import ahead

    status, names, done = 0, [name for name, _ in found.files], 0
    try:
        with stopped_by_ctrl_c(), contextlib.closing(ahead(work.read(names))) as ready:
            for name, image in tqdm(ready, total=len(names), disable=not several, unit="file"):
                try:
                    if isinstance(image, ValueError):
                        raise image
                    work.video(name, window) if image is None else work.photo(name, image)
                except ValueError as error:  # DataError included
                    shown = capture.without_password(name)
                    known = any(text in str(error) for text in (shown, "standard input", "--camera"))
                    tqdm.write(f"error: {error}" if known else f"error: {shown}: {error}", file=sys.stderr)
                    work.failed.append((shown, str(error).removeprefix(f"{shown}: ")))
                    status = 1
                done += 1
    except KeyboardInterrupt:
        print("\nstopped; what was done by then is kept", file=sys.stderr)
        work.failed += [(str(name), "the command was stopped") for name in names[done:] if isinstance(name, Path)]
        status = 130
    return status
