"""The sets of a training run, opened as the command line asks, with what their readers say of them."""

import sys
from collections.abc import Iterable, Mapping

from handpose import data


class Opener:
    """Opens sets; what their readers decided or left out goes to standard error, once.

    Args:
        sources: all that will be opened, "NAME[:PATH]".
        reading: `joint_order` and `unturned` of `data.open`, for those sets that take them.

    Attributes:
        notes: what was said of each source.

    Raises:
        handpose.data.DataError: none of the sets takes what `reading` holds.
    """

    def __init__(self, sources: Iterable[str], reading: Mapping) -> None:
        self.options = data.reading(list(sources), **reading)
        self.notes: dict[str, list[str]] = {}

    def __call__(self, source: str, split: str):
        """A split of one of the sets, an object with ``len`` and ``[i] -> Sample``; DataError where it is not there."""
        samples = data.open(source, split, **self.options[source])
        for note in getattr(samples, "notes", []):
            if note not in self.notes.setdefault(source, []):
                self.notes[source].append(note)
                print(f"note: {source.partition(':')[0]}: {note}", file=sys.stderr)
        return samples


def as_options(reading: Mapping) -> str:
    """`joint_order` and `unturned` as options of the command line, for messages."""
    order, unturned = reading.get("joint_order"), reading.get("unturned")
    given = ([f"--joint-order {order}"] if order else []) + (["--unturned"] if unturned else [])
    return " ".join(given) or "neither --joint-order nor --unturned"
