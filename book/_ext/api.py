"""A Sphinx extension: the API reference, made from the package's docstrings, and links between it and the chapters.

* ``{api} PAGE`` writes a page's sections, one a module, through autodoc; ``{api-offered}`` lists what `handpose` itself
  offers. What is public is `symbols.py`'s to say.
* In docstrings, "Chapter 4" becomes a link, and so does a name in `backticks`. Comments behind the fields of a
  dataclass become their descriptions. An entry that leaves its chapter to its module gets a line with the link.
* In chapters, the first `metrics.pck` or `PoseLoss` in backticks becomes a link to its entry. The notebooks stay as
  they are: the link is made on the built page.
"""

import dataclasses
import functools
import importlib
import inspect
import re

import symbols
from docutils import nodes
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective

DIRECTIVES = {"function": "autofunction", "class": "autoclass", "exception": "autoexception"}
LONGEST_VALUE = 60  # characters of a constant's value that are shown
CODE = re.compile(r"(``.+?``|(?::[\w:]+:)?`[^`]+`)", re.S)
MARKS = re.compile(r"(?<!^)(?<=\S)\*|\*(?=\S)|(?<=\w)_(?!\w)|\|")  # what would be markup; a docstring is plain text


@functools.cache
def targets() -> dict[int, str]:
    """The entry or module of the reference that an object has, by its identity."""
    named = {id(entry.value): entry.name for entry in reversed(symbols.entries()) if entry.kind != "data"}
    return named | {id(module): module.__name__ for module in symbols.modules().values()}


@functools.cache
def names() -> dict[str, object]:
    """How prose may begin a name: with a module, with `handpose`, or with a class's or function's telling name."""
    alone = symbols.telling({e.name: e.value for e in symbols.entries() if e.kind != "data"})
    return {"handpose": importlib.import_module("handpose")} | alone | symbols.modules()


def entry_of(span: str, known: dict[str, object]) -> str | None:
    """The full name that the reference has for a piece of code, such as ``metrics.pck`` or ``HandPose.from_onnx``."""
    found = re.fullmatch(r"([A-Za-z_][\w.]*\w)(?:\(.*\))?", span, re.S)
    path = symbols.along(found[1], known) if found else []
    if not path or len(path) != found[1].count(".") + 1:
        return None
    if id(path[-1]) in targets():
        return None if inspect.ismodule(path[-1]) and "." not in span else targets()[id(path[-1])]
    owner = targets().get(id(path[-2])) if len(path) > 1 and inspect.isclass(path[-2]) else None
    return owner and f"{owner}.{found[1].rpartition('.')[2]}"


# The pages


def lines_of(entry: symbols.Entry) -> list[str]:
    """The entry as reStructuredText."""
    if entry.kind != "data":
        members = ["   :members:", "   :special-members: __call__"] if entry.kind == "class" else []
        return [f".. {DIRECTIVES[entry.kind]}:: {entry.name}", *members, ""]
    value, (module, _, name) = repr(entry.value), entry.name.rpartition(".")
    shown = [f"   :value: {value}"] if len(value) <= LONGEST_VALUE else []
    return [f".. py:data:: {name}", f"   :module: {module}", *shown, "", f"   {linked(entry.comment, {})}", ""]


class Api(SphinxDirective):
    """The sections of one page of the reference."""

    required_arguments = 1

    def run(self):
        page = self.arguments[0]
        text = []
        for name, found in symbols.reference()[page].items():
            file = name.replace(".", "/")
            body = [f".. automodule:: {name}", ""]
            if any(entry.home == name and entry.kind != "data" for entry in found):  # else there is no page of it
                body += [f"`Source of {name} <../_modules/{file}.html>`__", ""]
            for entry in found:
                body += lines_of(entry)
            text += [f"# `{name.rpartition('.')[2]}`", "", "````{eval-rst}", *body, "````", ""]
        place = nodes.section()
        self.state.nested_parse(StringList(text, self.env.docname), 0, place, match_titles=True)
        return place.children


class Offered(SphinxDirective):
    """The names that stand in `handpose` itself, with the first paragraphs of their docstrings."""

    def run(self):
        package = importlib.import_module("handpose")
        text = ["````{eval-rst}"]
        for name in package.__all__:
            value = getattr(package, name)
            summary = inspect.getdoc(value).split("\n\n")[0].replace("\n", " ")
            if known := targets().get(id(value)):
                role = "mod" if inspect.ismodule(value) else "obj"
                text += [f":py:{role}:`handpose.{name} <{known}>`", f"   {linked(summary, {})}"]
        place = nodes.container()
        self.state.nested_parse(StringList([*text, "````"], self.env.docname), 0, place)
        return place.children


# Docstrings


def linked(text: str, local: dict[str, object]) -> str:
    """A docstring with its chapters and its names in backticks as roles that Sphinx resolves."""

    def chapter_links(found: re.Match) -> str:
        return re.sub(r"(Chapters?\s+)?(\d+)", lambda number: chapter_role(int(number[2]), number[0]), found[0])

    def code(span: str) -> str:
        if not span.startswith("`") or span.startswith("``"):
            return span
        entry = entry_of(span[1:-1], names() | local)
        return f":py:obj:`{span[1:-1]} <{entry}>`" if entry else f"`{span}`"

    parts = CODE.split(text)  # prose, code, prose, ...
    parts[::2] = [symbols.CHAPTERS.sub(chapter_links, MARKS.sub(r"\\\g<0>", part)) for part in parts[::2]]
    parts[1::2] = [code(part) for part in parts[1::2]]
    return re.sub(r"(?<=`)\0(?=\w)", r"\\ ", "\0".join(parts)).replace("\0", "")  # `Sample`s: markup must end in a gap


def chapter_role(number: int, text: str) -> str:
    file = symbols.chapters().get(number)
    return f":doc:`{text} </chapters/{file.stem}>`" if file else text


@functools.cache
def explained() -> dict[int, set[int]]:
    """What each chapter uses or names, by identity."""
    texts = {number: path.read_text("utf-8") for number, path in symbols.chapters().items()}
    return {n: {id(v) for v in symbols.used(text) + symbols.named(text, names())} for n, text in texts.items()}


def chapters_for(value: object) -> list[int]:
    """The chapters for an entry that names none: those of its module's docstring that use it, or else all of them."""
    module = importlib.import_module(value.__module__)
    told = sorted(symbols.chapters_of(module.__doc__))
    return [number for number in told if id(value) in explained().get(number, ())] or told


def mend_docstring(app, what, name, value, options, lines):
    """Before napoleon reads the Google style: links, fields, and the chapter's line."""
    home = inspect.getmodule(value)
    local = {k: v for k, v in vars(home).items() if id(v) in targets()} if home else {}
    if inspect.isroutine(value) or inspect.isclass(value):
        local = {key: v for key, v in local.items() if key not in parameters(value)}
    own = symbols.chapters_of("\n".join(lines))
    if dataclasses.is_dataclass(value) and isinstance(value, type):
        fields = {key: comment for key, comment in symbols.field_comments(value).items() if comment}
        lines += ["", "Fields:", *(f"    {key}: {comment}" for key, comment in fields.items())] if fields else []
    lines[:] = linked("\n".join(lines), local).split("\n")
    if what in ("function", "class") and not own and (found := chapters_for(value)):
        roles = [chapter_role(number, f"Chapter {number}") for number in found]
        lines += ["", f"Explained in {', '.join(roles)}.", ""]


def parameters(value) -> set[str]:
    try:
        return set(inspect.signature(value).parameters)
    except (TypeError, ValueError):
        return set()


# Chapters


def link_first_mentions(app, doctree, docname):
    """Wrap the first mention of each public name in a link; only what is in backticks and not yet a link."""
    if docname.split("/")[0] == "api":
        return
    objects = app.env.domaindata["py"]["objects"]
    linked_already = set()
    for literal in list(doctree.findall(nodes.literal)):
        if any(isinstance(above, nodes.reference | nodes.title | addnodes.desc) for above in ancestors(literal)):
            continue
        entry = entry_of(literal.astext(), names())
        if entry in objects and entry not in linked_already:
            linked_already.add(entry)
            target = objects[entry]
            address = f"{app.builder.get_relative_uri(docname, target.docname)}#{target.node_id}"
            link = nodes.reference("", "", internal=True, refuri=address, reftitle=entry, classes=["api"])
            literal.replace_self(link)
            link += literal


def ancestors(node):
    while node := node.parent:
        yield node


def setup(app):
    app.setup_extension("sphinx.ext.autodoc")
    app.add_directive("api", Api)
    app.add_directive("api-offered", Offered)
    app.connect("autodoc-process-docstring", mend_docstring, priority=400)
    app.connect("doctree-resolved", link_first_mentions)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
