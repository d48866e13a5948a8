"""Where the repository lies, for chapters that read its records: also for one downloaded alone, from its page."""

from pathlib import Path

import handpose

HERE = ("book/results", "handpose")  # by which its folder is known


class Missing(FileNotFoundError):
    """The repository is not there. A notebook shows the message alone, in one line and without a traceback."""

    def _render_traceback_(self, *_: object) -> list[str]:
        return [str(self)]


def path(name: str = "") -> Path:
    """The place of a file or folder of the repository.

    It is looked for in the present folder and those above, then where the package itself was installed from.

    Args:
        name: as in the repository, such as "book/results"; "" for the repository's own folder.

    Raises:
        Missing: neither is, or lies in, a repository that has it.
    """
    present = Path.cwd()
    for root in (present, *present.parents, Path(handpose.__file__).resolve().parents[1]):
        if all((root / part).is_dir() for part in HERE) and (root / name).exists():
            return root / name
    raise Missing(f"This chapter reads {name or 'files'} of handpose's repository, which is neither in {present} or "
                  "above it nor beside the installed package: get the whole repository (git clone, or its archive) and "
                  "open this notebook in its folder book/chapters.")  # fmt: skip
