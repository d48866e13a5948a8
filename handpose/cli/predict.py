"""The command ``predict``: hands in photographs, in videos and before a camera."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from handpose import files
from handpose.apply import formats
from handpose.cli.renamed import Renamed

if TYPE_CHECKING:
    from handpose.pipeline import HandPose

HELP = "find the key-points in photographs and videos"
THRESHOLD = 0.5  # `handpose.pipeline`'s, which a help text does not wait for; a test compares them


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    command.description = (
        "Find the hands in photographs and the 21 key-points of each. A picture without a hand is no error: its list "
        "of hands is empty. In videos and before a camera, hands are followed from frame to frame; Ctrl-C ends it, and "
        "what was done by then is kept."
    )
    command.add_argument("photos", nargs="*", metavar="PHOTO_OR_FOLDER", help="pictures, folders of pictures, or "
                         f"videos, each by its name ({', '.join(formats.VIDEOS)})")  # fmt: skip
    command.add_argument("--camera", type=int, metavar="N", help="a camera in place of photos, the first is 0, in a "
                         "window where q or Esc ends")  # fmt: skip
    command.add_argument("--box", metavar="X0,Y0,X1,Y1",
                         help="a hand's box in pixels, for every photo, as --box=X0,Y0,X1,Y1, in place of looking for "
                              "hands; in a video, where to begin")  # fmt: skip
    command.add_argument("--threshold", type=float, default=THRESHOLD, metavar="T",
                         help=f"least confidence of a hand, 0 to 1 (default: {THRESHOLD}); lower finds more hands, and "
                              "more that are none")  # fmt: skip
    command.add_argument("--no-refine", dest="refine", action="store_false",
                         help="one pass for every hand; else one that is turned, or that the network is unsure of, is "
                              "cut out upright around its key-points and estimated again")  # fmt: skip
    command.add_argument("--second-look", action=Renamed, instead="turned and unsure hands are refined by default, and "
                         "--no-refine leaves that out")  # fmt: skip
    command.add_argument("--no-tiles", dest="tiles", action="store_false",
                         help="where the whole picture shows no hand, do not look again at four quarters of it for "
                              "small hands; in videos every few frames")  # fmt: skip
    command.add_argument("--json", metavar="F", help='write key-points and scores to this file: {"images": [{"path", '
                         '"hands"}]}, and of videos {"videos": [{"path", "fps", "frames": [{"frame", "hands"}]}]}, '
                         'where a hand has its number as "track" and fps may be null')  # fmt: skip
    command.add_argument("--draw", metavar="F", help="write the photo or video with the hand drawn in; a folder for "
                         f"several. Videos are written as {', '.join(formats.FILMED)}, without sound")  # fmt: skip
    networks = command.add_mutually_exclusive_group()
    networks.add_argument("--weights", help=".safetensors file (default: the bundled weights)")
    networks.add_argument("--onnx", metavar="FOLDER", help="run the networks that export wrote there, on the processor")
    command.add_argument("--device", help="cpu, cuda or mps (default: the fastest there is)")


def hand_pose(arguments: argparse.Namespace) -> "HandPose":
    """The pipeline that `predict` is asked for."""
    from handpose.pipeline import HandPose

    look = {"threshold": arguments.threshold, "refine": arguments.refine, "tiles": arguments.tiles}
    if arguments.onnx is None:
        return HandPose.from_pretrained(arguments.weights, device=arguments.device, **look)
    if arguments.device not in (None, "cpu"):
        raise ValueError(f"--device {arguments.device}: the networks of --onnx run on the processor only")
    return HandPose.from_onnx(arguments.onnx, **look)


def main(arguments: argparse.Namespace) -> int:
    """Find hands in all that is named; exit status 1 if one of the files could not be read."""
    from tqdm import tqdm

    from handpose.apply import photos, video
    from handpose.apply.capture import Source
    from handpose.apply.display import Window
    from handpose.book import figures
    from handpose.pipeline import read_image

    camera, boxes = arguments.camera, None
    if (camera is None) == (not arguments.photos):
        raise ValueError("name photos, folders or videos, or --camera N, but not both")
    found = photos.list_photos(arguments.photos) if camera is None else [(camera, Path(f"camera{camera}"))]
    if arguments.box:
        try:
            boxes = [tuple(float(v) for v in arguments.box.split(","))]
        except ValueError:
            raise ValueError(f"--box {arguments.box}: expected four numbers X0,Y0,X1,Y1") from None
    several = len(found) > 1 or any(Path(name).is_dir() for name in arguments.photos)
    targets = photos.drawings(found, Path(arguments.draw), several) if arguments.draw else {}
    for file in [*targets.values(), *([arguments.json] if arguments.json else [])]:
        files.check(file)
    taken = {Path(str(file)).resolve() for file in [*targets.values(), *dict(found)]}
    if arguments.json and Path(arguments.json).resolve() in taken:
        raise ValueError(f"--json {arguments.json}: would replace what is read or drawn; choose another name")
    window = None if camera is None else Window.opened(recording=bool(arguments.draw or arguments.json))
    hp = hand_pose(arguments)
    images, videos, status = [], [], 0
    try:
        for photo, _ in tqdm(found, disable=not several, unit="file"):
            try:
                if photos.is_video(photo):
                    source = Source(photo)
                    rows = [] if arguments.json else None
                    videos.append({"path": source.title, "fps": source.fps, "frames": rows})
                    video.follow(hp, source, rows, targets.get(photo), boxes, window)
                    continue
                image = read_image(photo)
                hands = hp(image, boxes)
            except ValueError as error:  # DataError included
                message = str(error) if str(photo) in str(error) else f"{photo}: {error}"
                tqdm.write(f"error: {message}", file=sys.stderr)
                status = 1
                continue
            images.append({"path": str(photo), "hands": [photos.as_json(hand) for hand in hands]})
            if photo in targets:
                photos.write_picture(targets[photo], figures.draw_hands(image, hands))
            if not several and not arguments.json:
                photos.print_hands(photo, hands)
    except KeyboardInterrupt:
        print("\nstopped; what was done by then is kept", file=sys.stderr)
        status = 130
    if arguments.json:
        kinds = {"videos" if photos.is_video(photo) else "images" for photo, _ in found}
        found_all = {"images": images, "videos": videos}
        files.write_json(Path(arguments.json), {k: v for k, v in found_all.items() if k in kinds})
    return status
