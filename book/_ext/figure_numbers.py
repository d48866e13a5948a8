"""A Sphinx extension: a chapter's figures carry numbers.

A caption is a paragraph that begins in italics, directly behind a cell that shows a picture or an explorer. It gets
"Figure 4.2" before it, and can be linked to as #figure-4-2. The notebooks stay as they are: in JupyterLab a caption has
no number.
"""

from chapter_numbers import number_of
from docutils import nodes


def is_caption(node: nodes.Node | None) -> bool:
    return isinstance(node, nodes.paragraph) and bool(node.children) and isinstance(node[0], nodes.emphasis)


def shows_picture(cell: nodes.Element) -> bool:
    """Whether an output of the cell is a picture, or an explorer, which is a figure in raw HTML."""
    outputs = (part for part in cell.children if "cell_output" in part.get("classes", ()))
    return any(
        isinstance(node, nodes.image) or (isinstance(node, nodes.raw) and "<figure" in node.astext())
        for part in outputs
        for node in part.findall()
    )


def captions(doctree: nodes.document) -> list[nodes.paragraph]:
    """The captions of a chapter's figures, in their order."""
    cells = doctree.findall(lambda node: isinstance(node, nodes.container) and "cell" in node["classes"])
    behind = ((cell, cell.next_node(descend=False, siblings=True)) for cell in cells)
    return [after for cell, after in behind if is_caption(after) and shows_picture(cell)]


def number_figures(app, doctree, docname):
    chapter = number_of(app.env, docname)
    if chapter is None:
        return
    for number, caption in enumerate(captions(doctree), 1):
        caption["classes"].append("numbered")
        caption["ids"].append(f"figure-{chapter}-{number}")
        caption.insert(0, [nodes.strong("", f"Figure {chapter}.{number}"), nodes.Text(" ")])


def setup(app):
    app.connect("doctree-resolved", number_figures, priority=540)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
