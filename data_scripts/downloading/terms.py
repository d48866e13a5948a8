"""What a user should know before a set is downloaded, and whether its terms are agreed to."""

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from downloading.verify import FetchError
from handpose.data.check import in_words
from handpose.data.dataset import Dataset


def facts(entry: Dataset) -> str:
    """A set's terms, size, place and faults, in lines."""
    about = "about " if any(archive.about for archive in entry.archives) else ""
    hosts = dict.fromkeys(urlsplit(url).netloc for archive in entry.archives for url in archive.urls)
    unpacked = ", and as much again unpacked" if entry.bytes else ""
    lines = [
        entry.title, f"  shows     {entry.shows}", f"  labels    {entry.labels}", f"  licence   {entry.licence}",
        f"  cite      {entry.citation}", f"  home page {entry.home or 'not recorded'}",
        f"  from      {', '.join(hosts) or 'no address that a program could use'}",
        f"  size      {about}{in_words(entry.bytes)}{unpacked}", f"  layout    {entry.layout}",
        *(f"  beware    {fault}" for fault in entry.faults),
    ]  # fmt: skip
    return "\n".join(lines)


def default_folder(entry: Dataset) -> Path:
    """Where the readers look for a set, `$HANDPOSE_DATA/NAME`; without that variable ``data/NAME``."""
    return Path(os.environ.get("HANDPOSE_DATA") or "data") / entry.folder_name


def agree(yes: bool) -> None:
    """Ask whether the terms are agreed to, unless `yes` says so.

    Raises:
        FetchError: they are not, or there is nobody to ask.
    """
    if yes:
        return
    advice = "nothing was fetched; read the terms above, and add --yes if you agree to them"
    if not sys.stdin or not sys.stdin.isatty():
        raise FetchError(f"no terminal to ask on, so {advice}")
    try:
        answer = input("Fetch it, and keep to these terms? [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise FetchError(f"not agreed to, so {advice}")
