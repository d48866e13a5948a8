"""A Sphinx extension: chapters carry their numbers, also where the text refers to them by title.

The sidebar, the titles and the exercises get theirs from `numbered` in _toc.yml. A link in the text that consists of a
chapter's title gets "(chapter 4)" behind it, the first time in a paragraph, a table's cell or an item. In a numbered
list of chapters, such as the introduction's, the number stands there already. References to exercises are written with
words, "an exercise", because JupyterLab, which sees one cell at a time, cannot number them; here the number follows.
"""

import re

from docutils import nodes


def number_of(env, docname: str) -> int | None:
    found = env.toc_secnumbers.get(docname, {}).get("")
    return found[0] if found else None


def target_of(app, docname: str, link: nodes.reference) -> str | None:
    """The document to whose beginning a link leads."""
    address = link.get("refuri", "")
    if not link.get("internal") or "#" in address:
        return None
    for other in app.env.titles:
        if address == app.builder.get_relative_uri(docname, other):
            return other
    return None


def exercise_of(app, docname: str, link: nodes.reference) -> str | None:
    """The number, such as 4.2, of the exercise to which a link of other words leads."""
    page, _, anchor = link.get("refuri", "").partition("#")
    anchor = anchor or link.get("refid", "")
    if not anchor or re.search(r"\d", link.astext()):
        return None
    for other, kinds in app.env.toc_fignumbers.items():
        numbers = kinds.get("exercise", {})
        if anchor in numbers and page in ("", app.builder.get_relative_uri(docname, other)):
            return ".".join(map(str, numbers[anchor]))
    return None


def name_chapters(app, doctree, docname):
    for link in list(doctree.findall(nodes.reference)):
        if exercise := exercise_of(app, docname, link):
            link.parent.insert(link.parent.index(link) + 1, nodes.inline("", f" ({exercise})"))
            continue
        other = target_of(app, docname, link)
        number = number_of(app.env, other) if other else None
        if number is None or link.astext() != app.env.titles[other].astext():
            continue
        above = list(ancestors(link))
        if any(isinstance(node, nodes.enumerated_list) and docname == "intro" for node in above):
            continue
        place = above[0]
        if any(node.get("chapter") == number for node in place.findall(nodes.inline)):
            continue
        kind = "appendix" if other in appendices(app) else "chapter"
        note = nodes.inline("", f" ({kind} {number})", chapter=number)
        link.parent.insert(link.parent.index(link) + 1, note)


def appendices(app) -> set[str]:
    """The documents of that part of the table of contents."""
    parts = app.env.external_site_map.root.subtrees
    return {str(item) for part in parts if part.caption == "Appendices" for item in part.items}


def ancestors(node):
    while node := node.parent:
        yield node


def setup(app):
    app.connect("doctree-resolved", name_chapters, priority=550)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
