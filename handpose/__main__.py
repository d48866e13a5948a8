"""The command line: ``handpose COMMAND`` or ``python -m handpose COMMAND``; the commands stand in `handpose.cli`."""

import argparse
import errno
import io
import os
import sys
from itertools import pairwise
from pathlib import Path

from handpose import files
from handpose.cli import compare, data, doctor, evaluate, export, predict, reproduce, train

COMMANDS = (train, evaluate, compare, predict, reproduce, data, export, doctor)
#: Why a stream does not take what is printed: the disk behind it is full or broken, or it is closed.
UNWRITTEN = (errno.ENOSPC, errno.EIO, errno.EBADF, errno.EFBIG)


def parser() -> argparse.ArgumentParser:
    """The arguments of all commands."""
    called = "python -m handpose" if Path(sys.argv[0]).name == "__main__.py" else "handpose"
    top = argparse.ArgumentParser(prog=called, description="Find the 21 key-points of each hand in a picture.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in COMMANDS:
        command = commands.add_parser(module.__name__.rpartition(".")[2], help=module.HELP)
        module.add_arguments(command)
        command.set_defaults(main=module.main)
    return top


def refuse_empty(arguments: list[str]) -> None:
    """Raise a ValueError for an empty value, as from an unset variable of the shell: it does not mean the default."""
    for before, value in pairwise(["handpose", *arguments]):
        name = before if value == "" else value[:-1] if value.startswith("--") and value.endswith("=") else None
        if name is not None:
            what = name if name.startswith("-") else f"the argument behind {name}"
            raise ValueError(f"{what} is empty: give a value (is a variable of the shell unset?), or leave it out")


def main(arguments: list[str] | None = None) -> int:
    """Run a command; errors a user can cause become one line and exit status 1."""
    arguments = sys.argv[1:] if arguments is None else arguments
    ready_streams()
    try:
        chosen = parser().parse_args(arguments)
        refuse_empty(arguments)
        with files.stdout_kept_for(getattr(chosen, "json", None)):
            status = chosen.main(chosen)
        if sys.stdout:
            sys.stdout.flush()  # what cannot be written is to be found out here, not when Python ends
        return status
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except RuntimeError as error:
        return stopped(error)
    except ImportError as error:
        return missing(error)
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever reads the output, such as head, has seen enough
        drop_output()
        return 0
    except OSError as error:
        if error.filename is not None or error.errno not in UNWRITTEN:  # a mistake of ours
            raise
        drop_output()
        print(f"error: the output cannot be written ({error.strerror or error})", file=sys.stderr)
        return 1


def ready_streams() -> None:
    """Streams that take every name, also one that a terminal cannot show; and a standard error output, though closed.

    Without one, `print` would write errors to the standard output.
    """
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  open to the end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def drop_output() -> None:
    """What waits to be written to the standard output is not tried again when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def stopped(error: RuntimeError) -> int:
    """What a run that cannot go on says, or one that was interrupted; other errors are raised again."""
    from handpose.train.checkpoint import TrainingError  # here, because both import PyTorch
    from handpose.train.monitor import Interrupted

    if not isinstance(error, TrainingError):
        raise error
    interrupted = isinstance(error, Interrupted)
    print(f"\n{error}" if interrupted else f"error: {error}", file=sys.stderr)
    return 130 if interrupted else 1


def missing(error: ImportError) -> int:
    """A package that is not installed, or is broken, as one line; a mistake in our own imports is raised again."""
    if (error.name or "handpose").partition(".")[0] == "handpose":
        raise error
    print(f"error: {error}; `{parser().prog} doctor` says what this installation lacks", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
