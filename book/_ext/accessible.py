"""A Sphinx extension: the built pages say to a screen reader what they show.

The theme and its parts leave some controls without a name or with a wrong one. Once the pages are built:

* what opens and closes a part of the sidebar is named after that part;
* what opens a folded cell is named by its own words, "Show code cell source", not by others that hide them;
* the arguments of a signature are lines of it, not a list of definitions without terms;
* the references are no list, which could hold nothing but its entries.
"""

import re
from pathlib import Path

SIDEBAR = re.compile(r'(<li class="toctree-l\d[^"]*\bhas-children"><a [^>]*>)([^<]*)(</a><details[^>]*>)<summary>')
ARGUMENTS = re.compile(r'<dl>\n((?:<dd><em class="sig-param">.*?</dd>\n)+)</dl>', re.S)


def named(page: str) -> str:
    """A page of HTML with its controls named."""
    page = SIDEBAR.sub(r'\1\2\3<summary aria-label="Pages of \2">', page)
    page = page.replace('<summary aria-label="Toggle hidden content">', "<summary>")
    page = page.replace('<div role="list" class="citation-list">', '<div class="citation-list">')
    return ARGUMENTS.sub(lambda found: lines(found[1]), page)


def lines(arguments: str) -> str:
    return arguments.replace("<dd>", '<span class="sig-line">').replace("</dd>", "</span>")


def name_controls(app, exception):
    if exception is None and app.builder.format == "html":
        for path in Path(app.outdir).rglob("*.html"):
            page = path.read_text(encoding="utf-8")
            if (better := named(page)) != page:
                path.write_text(better, encoding="utf-8")


def setup(app):
    app.connect("build-finished", name_controls)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
