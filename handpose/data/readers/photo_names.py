"""Which photograph a picture's name says it is: Roboflow's augmented copies of one, and the frames of a video.

What is held out of a training must not stand in it as a copy. Roboflow writes the copies of ``hand.jpg`` as
``hand_jpg.rf.0123456789abcdef0123456789abcdef.jpg``, one each, and may keep the first name as ``extra.name``.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

COPY = re.compile(r"\.rf\.[0-9a-zA-Z]{16,64}(?=\.\w+$)")
NUMBERED = re.compile(r"(.*?)(\d+)\.\w+")
SEVERAL = 10  # pictures, from which on numbers that follow each other are worth a line


def photograph(name: str, entry: Mapping | None = None) -> str:
    """The name of the photograph that a picture shows, the same for all of its copies.

    Args:
        name: the picture's own, with or without folders, which stay.
        entry: what a label file says of the picture; its ``extra.name`` is Roboflow's name of the photograph.
    """
    extra = (entry or {}).get("extra")
    first = extra.get("name") if isinstance(extra, Mapping) else None
    if isinstance(first, str) and PurePosixPath(first).suffix:  # a name of a file
        return str(PurePosixPath(name).parent / first.replace("\\", "/").split("/")[-1])
    return COPY.sub("", name)


def notes(images: Iterable[tuple[Path, Mapping]], undivided: bool) -> list[str]:
    """Lines that say how many photographs stand in several copies, and which names look like a video's frames.

    Args:
        images: file and entry of each picture, as for `photograph`; one may come several times.
        undivided: whether the set has no splits, so that what it trains on and what it holds out is yet to be chosen.
    """
    photographs = {file: photograph(file.as_posix(), entry) for file, entry in images}
    number = len(set(photographs.values()))
    found = [f"{len(photographs)} pictures are copies of {number} photographs; all copies of one are one group"]
    found = found if number < len(photographs) else []
    return found + (_frames([PurePosixPath(name).name for name in photographs.values()]) if undivided else [])


def _frames(names: Iterable[str]) -> list[str]:
    """A line for photographs of which most are numbered as frames of a video are, or none.

    Their names differ in the number alone, and most numbers stand equally far apart. A camera numbers photographs so
    too, hence they are not made one group.
    """
    names = sorted(set(names))
    numbers: dict[str, list[int]] = {}
    for name in names:
        if match := NUMBERED.fullmatch(name):
            numbers.setdefault(match[1], []).append(int(match[2]))
    regular = 0
    for found in numbers.values():
        steps = [b - a for a, b in zip(sorted(found), sorted(found)[1:], strict=False)]
        if len(found) >= SEVERAL and 2 * steps.count(max(set(steps), key=steps.count)) > len(steps):
            regular += len(found)
    if 2 * regular <= len(names):
        return []
    return [f"{regular} of {len(names)} photographs are numbered ({names[0]}, ...); if they are frames of videos, put "
            "whole videos into train and val yourself"]  # fmt: skip
