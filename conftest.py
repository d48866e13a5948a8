"""For every test: the environment that the chapters' kernels run under, and the order (package, chapters, book)."""

import os

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
