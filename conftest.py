"""For every test: the environment that the chapters' kernels run under, the order, and the times."""

import os
from collections import Counter

import pytest

from tools.notebooks import KERNEL_ENV

BEFORE = {name: os.environ.get(name) for name in KERNEL_ENV}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """A kernel inherits the environment at its start; the unit tests keep the user's own."""
    wanted = KERNEL_ENV if item.path.suffix == ".ipynb" else BEFORE
    for name, value in wanted.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def pytest_collection_modifyitems(items):
    """The book is tested last: it shows what the chapters hold."""
    items.sort(key=lambda item: item.path.name in ("test_api.py", "test_book.py"))


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
