"""For every test: the environment that the chapters' kernels run under, the order, and the times."""

import gc
import os
from collections import Counter

import pytest

from tools.notebooks import KERNEL_ENV

#: The files that take longest, longest first: of two processes, neither should begin a long file at the end.
LONGEST = (
    "test_book.py", "07-loss-and-training.ipynb", "test_gpu_run.py", "test_experiments.py",
    "10-reading-finger-spelling.ipynb", "08-experiments.ipynb", "test_training.py", "test_weights.py", "test_try_it.py",
    "test_distributed.py", "test_export.py", "03-finding-the-hand.ipynb", "test_networks.py", "06-attention.ipynb",
    "09-does-attention-help.ipynb", "13-training-at-scale.ipynb", "test_heldout.py", "02-hand-representation.ipynb",
)  # fmt: skip
BEFORE = {name: os.environ.get(name) for name in KERNEL_ENV}
#: Two kernels of two threads each on two cores wait for one another more than they work.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


gc.set_threshold(100_000, 50, 100)  # thousands of tests and all of PyTorch stay: nothing there to collect, often


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """A kernel inherits the environment at its start; the unit tests keep the user's own."""
    wanted = KERNEL_ENV | ONE_THREAD if item.path.suffix == ".ipynb" else BEFORE
    for name, value in wanted.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def pytest_collection_modifyitems(items):
    """The longest files first; all others in their order."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


def pytest_terminal_summary(terminalreporter):
    """Which files took longest, set-up of their fixtures included."""
    seconds = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if hasattr(report, "duration"):
                seconds[report.nodeid.partition("::")[0]] += report.duration
    if sum(seconds.values()) > 60:
        terminalreporter.section("files that took longest")
        for name, taken in seconds.most_common(10):
            terminalreporter.write_line(f"{taken:7.1f} s  {name}")
