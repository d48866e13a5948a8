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


# A browser per file of tests, not one for all: Playwright's event loop runs in this thread as long as its browser is
# open, and a file of other tests that comes next may want one of its own.
@pytest.fixture(scope="module")
def chromium():
    if reason := browser.missing():
        pytest.skip(reason)
    with browser.Browser() as opened:
        yield opened
