"""The command line: ``handpose COMMAND`` or ``python -m handpose COMMAND``; the commands stand in `handpose.cli`."""

import argparse
import os
import sys
from pathlib import Path

from handpose import files
from handpose.cli import compare, data, doctor, evaluate, export, predict, reproduce, train

COMMANDS = (train, evaluate, compare, predict, reproduce, data, export, doctor)


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


def main(arguments: list[str] | None = None) -> int:
    """Run a command; errors a user can cause become one line and exit status 1."""
    try:
        chosen = parser().parse_args(arguments)
        with files.stdout_kept_for(getattr(chosen, "json", None)):
            return chosen.main(chosen)
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
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


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
