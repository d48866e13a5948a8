"""Places in a page that a tool fills."""

import pytest

from tools import marked


def test_only_what_stands_between_the_marks_is_replaced():
    page = "a <!-- x -->old\nlines<!-- /x --> b <!-- y -->kept<!-- /y -->"
    assert marked.fill(page, "x", r"new \1") == r"a <!-- x -->new \1<!-- /x --> b <!-- y -->kept<!-- /y -->"


@pytest.mark.parametrize("page", ["", "<!-- x -->", 2 * "<!-- x -->a<!-- /x -->"])
def test_a_place_that_is_missing_or_there_twice_is_an_error(page):
    with pytest.raises(ValueError, match="<!-- x -->"):
        marked.fill(page, "x", "a")
