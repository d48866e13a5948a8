"""A Sphinx extension: what a cell only checks is folded into one quiet line.

A chapter proves its steps with assertions, and often prints the difference that they bound. On the page both stand
behind a line such as "Checked: equal, to 1e-06", which opens them. The notebooks stay as they are, and nbval runs them.

Folded are assertions at a cell's top level, loops that hold nothing else, and a print that begins with words, names a
difference, and whose output is zero to the digits shown. Solutions, whose assertions are the check of an exercise, and
cells that are folded already keep what they have.
"""

import ast
import re

from docutils import nodes

ZERO = re.compile(r"[^\d]*(?:0(?:\.0+)?(?:\s*(?:mm|px))?[^\d]*)+")
DIFFERENCE = re.compile(r"\b(difference|largest|apart|gap)\b")
TOLERANCE = re.compile(r"(?:atol=|<=?\s*)(\d*\.?\d*e-\d+)\b")


class checked(nodes.General, nodes.Element):
    """What is folded; ``summary`` is the line that opens it."""


def is_check(node: ast.stmt) -> bool:
    if isinstance(node, ast.For | ast.With):
        return all(is_check(inner) for inner in node.body)
    return isinstance(node, ast.Assert)


def prefix(node: ast.stmt) -> str:
    """The words with which a print begins; empty if it is no print, or begins with a value."""
    call = node.value if isinstance(node, ast.Expr) else None
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "print" and call.args):
        return ""
    first = call.args[0].values[0] if isinstance(call.args[0], ast.JoinedStr) else call.args[0]
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""


def quiet(words: str, output: list[str]) -> str | None:
    """The line of the output that such a print left, if it names a difference and shows zero."""
    if not DIFFERENCE.search(words):
        return None
    return next((line for line in output if line.startswith(words) and ZERO.fullmatch(line[len(words) :])), None)


def divide(code: str, output: str) -> tuple[str, str, str, str]:
    """A cell's code and output in two parts each: code to show, code to fold, output to show, output to fold."""
    try:
        tree = ast.parse(code)
    except SyntaxError:  # a magic of IPython
        return code, "", output, ""
    lines, printed = code.splitlines(), output.splitlines()
    folded, gone = set(), []
    for number, node in enumerate(tree.body):
        own = set(range(node.lineno, node.end_lineno + 1))
        others = {n for other in tree.body[:number] + tree.body[number + 1 :] for n in (other.lineno, other.end_lineno)}
        line = quiet(prefix(node), printed)
        if (is_check(node) or line is not None) and not own & others:
            folded |= own
            gone += [line] if line is not None else []
    if not any(is_check(node) and node.lineno in folded for node in tree.body):
        return code, "", output, ""  # a difference that nothing bounds is a result
    shown = "\n".join(line for number, line in enumerate(lines, 1) if number not in folded)
    behind = "\n".join(line for number, line in enumerate(lines, 1) if number in folded)
    return shown.strip("\n"), behind, "\n".join(line for line in printed if line not in gone), "\n".join(gone)


def summary(code: str) -> str:
    """The quiet line for folded code."""
    checks = sum(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(code)))
    to = "the package" if re.search(r"\b(package|theirs)\b", code) else ""
    if found := TOLERANCE.search(code):
        return f"Checked: equal{' to ' + to if to else ''}, within {float(found[1]):g}"
    if "allclose" in code or re.search(r"\bequal\(", code):
        return f"Checked: equal{' to ' + to if to else ''}"
    return f"Checked: {checks} assertion{'s' if checks > 1 else ''}"


def fold(app, doctree, docname):
    for cell in list(doctree.findall(lambda node: isinstance(node, nodes.container) and "cell" in node["classes"])):
        hidden = any(name.startswith("tag_hide") for name in cell["classes"])
        if hidden or any("solution" in ancestor.get("classes", ()) for ancestor in ancestors(cell)):
            continue
        inputs = [n for n in cell.children if "cell_input" in n.get("classes", ())]
        outputs = [n for n in cell.children if "cell_output" in n.get("classes", ())]
        source = next((n for part in inputs for n in part.findall(nodes.literal_block)), None)
        streams = [n for part in outputs for n in part.findall(nodes.literal_block)]
        text = streams[0] if len(streams) == 1 else None
        if source is None:
            continue
        shown, behind, printed, gone = divide(source.astext(), text.astext() if text is not None else "")
        if behind:
            folded = checked(summary=summary(behind))
            folded += [copy_of(source, behind), *([copy_of(text, gone)] if gone else [])]
            cell += folded
            replace(source, shown, inputs)
            if gone:
                replace(text, printed, outputs)


def copy_of(block, text: str):
    made = nodes.literal_block(text, text, **block.non_default_attributes())
    made["ids"], made["names"] = [], []
    return made


def replace(block, text: str, containers: list) -> None:
    """Another text for a block; without one the container around it goes too, if it holds nothing else."""
    if text:
        block.replace_self(copy_of(block, text))
        return
    block.parent.remove(block)
    for container in containers:
        if not any(isinstance(node, nodes.literal_block | nodes.image | nodes.raw) for node in container.findall()):
            container.parent.remove(container)


def ancestors(node):
    while node := node.parent:
        yield node


def open_details(self, node):
    self.body.append(f'<details class="checked"><summary>{self.encode(node["summary"])}</summary>')


def close_details(self, node):
    self.body.append("</details>")


def setup(app):
    app.add_node(checked, html=(open_details, close_details))
    app.connect("doctree-resolved", fold, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
