"""The part of YAML in which tools describe a data set: names and values, lists, and tables in tables.

Block lists and tables by indentation, lists and tables in brackets, quoted and plain words, numbers, comments. No
anchors, tags, or text over several lines: these are refused.
"""

import re
from pathlib import Path
from typing import Any

from handpose.data.common import DataError

DEPTH = 20
_PLAIN = re.compile(r"""[^\[\]{},"'#&*!|>%@`]?[^\[\]{},#]*""")


def read(file: Path) -> dict:
    """The table in a file.

    Raises:
        DataError: it cannot be read, or holds something else; the message names the line.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror or error})") from None
    except ValueError:
        raise DataError(f"{file}: is not text (an archive is to be unpacked first)") from None
    try:
        lines = [(number, line) for number, line in enumerate(_joined(text.splitlines()), 1) if line.strip()]
        lines = [(number, len(line) - len(line.lstrip(" ")), line.strip()) for number, line in lines]
        value, rest = _block([line for line in lines if line[2] not in ("---", "...")], 0)
        if rest or not isinstance(value, dict):
            raise ValueError(f"line {rest[0][0]}: not understood" if rest else "it is not a table of names and values")
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file}: {str(error)[:200]}") from None
    return value


def _joined(lines: list[str]) -> list[str]:
    """Lines without comments, a list in brackets that runs over several put into one; their number stays."""
    done: list[str] = []
    begun: int | None = None
    for line in lines:
        if "\t" in line[: len(line) - len(line.lstrip())]:
            raise ValueError(f"line {len(done) + 1}: is indented with a tab")
        line = re.sub(r"""(^|\s)#(?=([^"']*["'][^"']*["'])*[^"']*$).*""", "", line).rstrip()
        if begun is None:
            done.append(line)
        else:
            done.append("")
            done[begun] += " " + line.strip()
        at = len(done) - 1 if begun is None else begun
        opened = len(re.findall(r"[\[{]", done[at])) > len(re.findall(r"[\]}]", done[at]))
        begun = at if opened else None
    return done


def _block(lines: list, depth: int) -> tuple[object, list]:
    """The list or table that begins with the first line, and the lines behind it."""
    if not lines or depth > DEPTH:
        raise ValueError("it is empty" if not lines else f"line {lines[0][0]}: too many tables in tables")
    indent: int = lines[0][1]
    value: Any = None
    while lines and lines[0][1] == indent:
        number, _, text = lines[0]
        if text == "-" or text.startswith("- "):
            value = [] if value is None else value
            rest = text[1:].strip()
            if not isinstance(value, list):
                break
            if rest and not _pair(rest):
                value.append(_value(rest, number))
                lines = lines[1:]
            else:  # a table or list within: as if it stood there alone
                within = [(number, indent + len(text) - len(rest), rest)] if rest else []
                inner, lines = _block(within + lines[1:], depth + 1)
                value.append(inner)
            continue
        if isinstance(value, list):
            break
        pair = _pair(text)
        if not pair:
            raise ValueError(f"line {number}: not understood")
        value = {} if value is None else value
        name, rest = _value(pair[0], number), pair[1]
        if isinstance(name, list | dict) or name in value:
            raise ValueError(f"line {number}: {str(name)[:40]!r} cannot be a name, or stands there twice")
        lines = lines[1:]
        deeper = lines and (lines[0][1] > indent or (lines[0][1] == indent and re.match(r"-(\s|$)", lines[0][2])))
        if rest or not deeper:
            value[name] = _value(rest, number) if rest else None
        elif lines[0][2][0] in "[{":
            value[name], lines = _value(lines[0][2], lines[0][0]), lines[1:]
        else:
            value[name], lines = _block(lines, depth + 1)
    if lines and lines[0][1] > indent:
        raise ValueError(f"line {lines[0][0]}: is indented more than what it belongs to")
    return value, lines


def _pair(text: str) -> tuple[str, str] | None:
    """Name and value of a line "name: value"."""
    found = re.match(r"""("[^"]*"|'[^']*'|[^\[\]{}"'#:]+|[^\[\]{}"'#]+?)\s*:(?:\s+(.*)|$)""", text)
    return (found[1], (found[2] or "").strip()) if found else None


def _value(text: str, number: int) -> object:
    """A value in one line."""
    value, rest = _flow(text, number, 0)
    if rest.strip():
        raise ValueError(f"line {number}: {rest.strip()[:40]!r} is not understood")
    return value


def _flow(text: str, number: int, depth: int) -> tuple[object, str]:
    text = text.strip()
    if depth > DEPTH:
        raise ValueError(f"line {number}: too many lists in lists")
    if text[:1] in ("[", "{"):
        end, text = {"[": "]", "{": "}"}[text[0]], text[1:].strip()
        items: list[Any] = []
        while not text.startswith(end):
            if end == "}":
                named = re.match(r"""("[^"]*"|'[^']*'|[^:,{}\[\]"']+):\s""", text)
                if not named:
                    raise ValueError(f"line {number}: a table in braces without a name and a value")
                value, text = _flow(text[named.end() :], number, depth + 1)
                item = (_value(named[1], number), value)
            else:
                item, text = _flow(text, number, depth + 1)
            text = text.strip()
            items.append(item)
            if text.startswith(","):
                text = text[1:].strip()
            elif not text.startswith(end):
                raise ValueError(f"line {number}: a list without an end")
        return (dict(items) if end == "}" else items), text[1:]
    if text[:1] in ('"', "'"):
        end = text.find(text[0], 1)
        if end < 0:
            raise ValueError(f"line {number}: a quotation without an end")
        return text[1:end], text[end + 1 :]
    match = (_PLAIN if depth else re.compile(r"""[^&*!|>%@`"'].*|""")).match(text)
    found = match[0] if match else ""
    if text and not found:
        raise ValueError(f"line {number}: {text[:40]!r} is not understood")
    return _plain(found), text[len(found) :]


def _plain(text: str) -> object:
    """A plain word as a number, a truth value, nothing, or text."""
    text = text.strip()
    if re.fullmatch(r"[-+]?\d{1,18}", text):
        return int(text)
    if re.fullmatch(r"[-+]?\d{1,18}\.\d{0,18}", text):
        return float(text)
    return {"": None, "null": None, "~": None, "true": True, "false": False}.get(text.lower(), text)
