"""The built book and a browser, once for all tests of the pages."""

from pathlib import Path

import pytest

from tests import browser
from tools import book


@pytest.fixture(scope="session")
def trouble() -> str | None:
    """What went wrong when the book was built, which is done first when it is not up to date; None if nothing did."""
    return book.build()


@pytest.fixture(scope="session")
def site(trouble) -> Path:
    """The folder of the built book."""
    if trouble:
        pytest.skip("the book was not built")
    return book.INDEX.parent


@pytest.fixture(scope="session")
def chromium():
    if browser.PATH is None:
        pytest.skip("no chromium on the PATH: the pages are not opened in a browser")
    with browser.Browser() as opened:
        yield opened
