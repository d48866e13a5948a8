"""Text that a tool writes into a page kept by hand, between ``<!-- name -->`` and ``<!-- /name -->``."""

import re


def fill(text: str, name: str, value: str) -> str:
    """The page with the text between its marks of this name replaced.

    Raises:
        ValueError: the marks are not there, or more than once.
    """
    marks = rf"(<!-- {re.escape(name)} -->).*?(<!-- /{re.escape(name)} -->)"
    text, count = re.subn(marks, lambda found: f"{found[1]}{value}{found[2]}", text, flags=re.S)
    if count != 1:
        raise ValueError(f"the page has {count} places between <!-- {name} --> and <!-- /{name} -->, not one")
    return text
