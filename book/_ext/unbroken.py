"""A Sphinx extension: a number and its per cent sign stay on one line."""

import re

from docutils import nodes

APART = re.compile(r"(?<=\d) (?=%)")


def keep_together(app, doctree):
    for text in list(doctree.findall(nodes.Text)):
        as_it_is = isinstance(text.parent, nodes.literal | nodes.FixedTextElement | nodes.math)
        if not as_it_is and APART.search(text):
            text.parent.replace(text, nodes.Text(APART.sub("\N{NO-BREAK SPACE}", text)))


def setup(app):
    app.connect("doctree-read", keep_together)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
