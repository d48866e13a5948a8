"""Photos and videos in, drawings and numbers out: the files that ``python -m handpose predict`` reads and writes."""

from pathlib import Path

import cv2
import numpy as np

from handpose import files
from handpose.apply.formats import DRAWN, FILMED, PICTURES, VIDEOS
from handpose.book import figures
from handpose.pipeline import Hand


def is_video(name: Path | int) -> bool:
    """Whether this is the name of a video, or the number of a camera."""
    return isinstance(name, int) or name.suffix.lower() in VIDEOS


def print_hands(photo: Path, hands: list[Hand]) -> None:
    """What `predict` prints of one photo."""
    if not hands:
        print(f"{photo}: no hand found (--threshold with a lower number looks harder, --box says where it is)")
    for number, hand in enumerate(hands, 1):
        where = ", ".join(f"{v:.0f}" for v in hand.box)
        letter = f"; as a letter {hand.gesture[0]} ({hand.gesture[1]:.2f})" if hand.gesture else ""
        print(f"hand {number} of {len(hands)}, confidence {hand.score:.2f}, box {where}{letter}")
        for name, (x, y), score in zip(figures.JOINTS, hand.keypoints, hand.scores, strict=True):
            print(f"  {name:12} x {x:7.1f}  y {y:7.1f}  score {score:.2f}")


def drawings(photos: list[tuple[Path | int, Path]], place: Path, several: bool) -> dict[Path | int, Path]:
    """Where the drawing of each photo or video goes: `place` itself for one, a file in the folder `place` for several.

    Raises:
        ValueError: a drawing would replace a photo, video or another drawing, or its kind cannot be written.
    """
    if several or place.is_dir():
        if place.suffix.lower() in (*DRAWN, *FILMED) and not place.is_dir():
            kind = "video" if place.suffix.lower() in FILMED else "picture"
            raise ValueError(f"--draw {place}: several photos need a folder, and this is the name of a {kind}")
        targets = {photo: place / name.with_suffix(".mp4" if is_video(photo) else ".png") for photo, name in photos}
    else:
        kinds = FILMED if is_video(photos[0][0]) else DRAWN
        if place.suffix.lower() not in kinds:
            raise ValueError(f"--draw {place}: give a name that ends in {', '.join(kinds)}")
        targets = {photos[0][0]: place}
    taken = {photo.resolve(): photo for photo, _ in photos if isinstance(photo, Path)}
    for photo, target in targets.items():
        if target.resolve() in taken:
            raise ValueError(f"--draw: {target} would replace {taken[target.resolve()]}; choose another place")
        taken[target.resolve()] = f"the drawing of {photo}"
    return targets


def list_photos(names: list[str]) -> list[tuple[Path, Path]]:
    """The files named, and the photos in the folders named, sorted; each with its name below what was named.

    A folder's videos are left out: one of them may take longer than all photos.
    """
    photos: list[tuple[Path, Path]] = []
    for name in names:
        path = Path(name)
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in PICTURES and p.is_file())
            if not inside:
                raise ValueError(f"{path}: no pictures in this folder ({', '.join(PICTURES)}); name videos one by one")
            photos += [(file, file.relative_to(path)) for file in inside]
        else:
            photos.append((path, Path(path.name)))
    return list(dict(photos).items())


def as_json(hand: Hand) -> dict:
    """A hand as plain numbers."""
    gesture = [hand.gesture[0], round(hand.gesture[1], 4)] if hand.gesture else None
    keypoints, scores, box = (a.astype(float) for a in (hand.keypoints, hand.scores, hand.box))
    return {"keypoints": keypoints.round(2).tolist(), "scores": scores.round(4).tolist(),
            "box": box.round(2).tolist(), "score": round(hand.score, 4), "gesture": gesture}  # fmt: skip


def write_picture(path: Path, image: np.ndarray) -> None:
    """Write a picture (H, W, 3) uint8 RGB in the form that its name asks for."""
    _, code = cv2.imencode(path.suffix.lower(), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    with files.writing(path) as unfinished:
        unfinished.write_bytes(code.tobytes())
