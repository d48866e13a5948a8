"""The sets of a training run, opened."""

import sys
from collections.abc import Mapping, Sequence

from handpose import data


def open_sets(
    sources: Sequence[str], split: str, held_out: Mapping[str, tuple[str, str]], reading: Mapping
) -> tuple[list[tuple[str, object]], dict[str, object], dict[str, list[str]]]:
    """Open what is trained on and what is scored; what their readers decided or left out goes to standard error.

    Args:
        sources: what is trained on, "NAME[:PATH]"; split: of them.
        held_out: set and split by name.
        reading: `joint_order` and `unturned`, for those sets that take them.

    Returns:
        (NAME, samples) of each source, samples by name of each held-out set, and what was said of each by its source.

    Raises:
        handpose.data.DataError: a set is not there, or none takes what `reading` holds.
    """
    how = data.reading([*sources, *(source for source, _ in held_out.values())], **reading)
    notes: dict[str, list[str]] = {}

    def opened(source: str, part: str):
        samples = data.open(source, part, **how[source])
        for note in getattr(samples, "notes", []):
            if note not in notes.setdefault(source, []):
                notes[source].append(note)
                print(f"note: {source.partition(':')[0]}: {note}", file=sys.stderr)
        return samples

    first = [(source.partition(":")[0], opened(source, split)) for source in sources]
    return first, {name: opened(*place) for name, place in held_out.items()}, notes
