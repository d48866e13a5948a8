"""The files of one call of ``python -m handpose predict``: hands found, drawn, printed, and gathered for JSON."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from tqdm import tqdm

from handpose.apply import listing, photos, video
from handpose.apply.ahead import Lines, Rows
from handpose.apply.capture import Source
from handpose.apply.display import Window
from handpose.apply.listing import Listing
from handpose.data import DataError, pictures
from handpose.pipeline import HandPose, resized


class Batch:
    """Does one file after the other, and holds what came out of it.

    Args:
        hp: finds the hands.
        boxes: of the hands, in place of looking for some.
        targets: where drawings go.
        keep: keep the numbers of videos, for JSON.
        show: print the hands of photos.
        lines: where what is found is written at once, and not kept.
    """

    def __init__(
        self, hp: HandPose, boxes: list | None, targets: dict, keep: bool, show: bool, lines: Lines | None = None
    ) -> None:  # fmt: skip
        self.hp, self.boxes, self.targets, self.keep, self.print_hands = hp, boxes, targets, keep, show
        self.lines = lines
        self.images: list[dict] | Lines = [] if lines is None else lines
        self.videos: list[tuple[Source, list[dict] | None]] = []
        self.left_out: list[tuple[Path, str]] = []  # with the reason
        self.failed: list[tuple[str, str]] = []  # files that were named and not, or not wholly, used; with the reason

    def read(self, names: Iterable[Path | int | str]) -> Iterator[tuple[Path | int | str, object]]:
        """Each file with its picture, with the error that reading it raised, or, for a video or camera, with None."""
        for name in names:
            try:
                if listing.is_video(name):
                    yield name, None
                elif name == listing.STDIN:
                    yield name, pictures.decode(standard_input(), "standard input")
                else:
                    yield name, pictures.read(str(name))
            except ValueError as error:
                yield name, error

    def photo(self, path: Path, image: pictures.Picture) -> None:
        """Raises a ValueError for a picture that cannot be used or drawn."""
        for note in image.notes:
            tqdm.write(f"{path}: {note}", file=sys.stderr)
        hands = self.hp(image, self.boxes)
        width, height = image.size
        self.images.append({"path": str(path), "width": width, "height": height,
                            "hands": [photos.as_json(hand) for hand in hands]})  # fmt: skip
        if image.further:
            what = "pages or frames" if image.further > 1 else "page or frame"
            self.left_out.append((path, f"{image.further} {what} behind the first"))
        if path in self.targets:
            from handpose.book import figures  # here: Matplotlib takes a moment

            small = [resized(hand, 1 / image.scale) for hand in hands]
            photos.write_image(self.targets[path], figures.draw_hands(image.image, small), drawing=True)
        if self.print_hands:
            photos.print_hands(path, hands)

    def video(self, name: Path | int | str, window: Window | None) -> None:
        """Raises a ValueError for a file that cannot be read or drawn, after what could be."""
        source = Source(name)
        if self.lines:
            rows: list[dict] | Rows | None = self.lines.under(source.title)
        else:
            frames: list[dict] | None = [] if self.keep else None
            rows = frames
            self.videos.append((source, frames))
        video.follow(self.hp, source, rows, self.targets.get(name), self.boxes, window)

    def as_json(self, found: Listing) -> dict:
        """What `--json` writes of it; no list of videos where none was named, and no list of images likewise.

        Where no file is there at all, as in a part of few files, both are empty.
        """
        videos = []
        for source, rows in self.videos:
            width, height = source.size or (None, None)
            videos.append({"path": source.title, "fps": source.fps, "width": width, "height": height, "frames": rows})
        kinds = {"videos" if listing.is_video(name) else "images" for name, _ in found.files}
        kinds = kinds or {"images", "videos"}
        left_out = [{"path": str(path), "why": why} for path, why in found.left_out + self.left_out + self.failed]
        done = {k: v for k, v in {"images": self.images, "videos": videos}.items() if k in kinds}
        return done | {"left_out": left_out}


def standard_input() -> bytes:
    """All of it. Raises a DataError where it is closed or cannot be read."""
    if sys.stdin is None:
        raise DataError("standard input: is closed; give the name of a picture, or < FILE")
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise DataError(f"standard input: cannot be read ({error.strerror or error})") from None
