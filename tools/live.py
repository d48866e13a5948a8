"""Put the networks that run in the page beside the built book: the modules of book/live joined, runtime and networks.

    python tools/live.py [FOLDER]       writes into _build/html/_static/live or another folder; `make book` calls it

Every part that is loaded after the reader's start is a script that holds it compressed and in base64: pages opened from
a folder may load nothing else.
"""

import argparse
import base64
import gzip
import json
import re
import shutil
import sys
from pathlib import Path

import handpose

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tools import live_networks, live_runtime

ROOT = Path(__file__).resolve().parent.parent
SOURCE, VIEWS = ROOT / "book" / "live", ROOT / "book" / "live" / "views"
TARGET = ROOT / "_build" / "html" / "_static" / "live"
IMPORT = re.compile(r'^import (\* as (\w+)|\{[^}]*\}) from "\./(\w+)\.js";\n', re.M)
EXPORT = re.compile(r"^export ((?:async )?function|const|class) (\w+)", re.M)
LIST = re.compile(r"^export const (\w+ = [^;\n]*(?:, \w+ = [^;\n]*)+);$", re.M)  # const A = 1, B = 2;


class ModuleError(ValueError):
    """The modules of book/live cannot be joined."""


def join(entry: str, folder: Path = SOURCE) -> str:
    """A module and all that it imports as one classic script, in which each module keeps a scope of its own.

    Args:
        entry: name of the module without its ending.

    Raises:
        ModuleError: a module is missing, imports go round in a circle, or a name is imported that is not exported.
    """
    done: dict[str, list[str]] = {}
    texts: list[str] = []

    def add(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ModuleError(f"{name}.js imports itself: {' -> '.join((*above, name))}")
        if name in done:
            return
        try:
            text = (folder / f"{name}.js").read_text("utf-8")
        except OSError as error:
            needed = f", which {above[-1]}.js imports" if above else ""
            raise ModuleError(f"{name}.js{needed}: {error.strerror}") from None
        found = list(IMPORT.finditer(text))
        for match in found:
            add(match[3], (*above, name))
            wanted = [] if match[2] else re.findall(r"\w+", match[1])
            if missing := [w for w in wanted if w not in done[match[3]]]:
                raise ModuleError(f"{name}.js imports {missing[0]}, which {match[3]}.js does not export")
        text = IMPORT.sub(lambda m: f"const {m[2] or m[1]} = modules.{m[3]};\n", text)
        exported = [name for _, name in EXPORT.findall(text)]
        exported += [w for line in LIST.findall(text) for w in re.findall(r"(?:^|, )(\w+) = ", line)]
        exported = list(dict.fromkeys(exported))
        text = re.sub(r"^export (?=(?:async )?function|const|class)", "", text, flags=re.M)
        if re.search(r"^(import|export)\b", text, re.M):
            raise ModuleError(f"{name}.js: an import or export in a form that tools/live.py does not join")
        done[name] = exported
        texts.append(f"// {name}.js\nmodules.{name} = (() => {{\n{text}\nreturn {{ {', '.join(exported)} }};\n}})();\n")

    add(entry, ())
    return '"use strict";\n(() => {\nconst modules = {};\n' + "".join(texts) + "})();\n"


def hands() -> list[dict]:
    """The rendered hands that are built in, with their pictures as data URIs."""
    folder = SOURCE / "hands"
    listed = json.loads((folder / "hands.json").read_text("utf-8"))
    for hand in listed:
        body = base64.b64encode((folder / hand.pop("file")).read_bytes()).decode()
        hand["image"] = f"data:image/jpeg;base64,{body}"
    return listed


def build(target: Path = TARGET) -> dict[str, int]:
    """Write everything; the sizes of the parts in bytes."""
    networks, manifest = live_networks.parts()
    about = live_runtime.read_about()
    bodies = live_runtime.unpack() | networks | {"worker": join("worker").encode()}
    packed = {name: gzip.compress(body, 9, mtime=0) for name, body in bodies.items()}
    sizes = {name: len(body) for name, body in packed.items()}
    manifest |= {"runtime": f"{about['package']} {about['version']}", "handpose": handpose.__version__, "sizes": sizes}
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name, body in packed.items():
        (target / f"{name}.js").write_text(as_script(name, body))
    (target / "hands.js").write_text(f"window.handposeLiveHands = {json.dumps(hands())};\n", "utf-8")
    (target / "page.js").write_text(join("page", VIEWS), "utf-8")
    shutil.copy(VIEWS / "live.css", target)
    page = f"const MANIFEST = {json.dumps(manifest)};\n" + join("interface")
    (target / "live.js").write_text(f"(() => {{\n{page}}})();\n", "utf-8")
    shutil.copy(live_runtime.FOLDER / live_runtime.LICENCE, target / "LICENSE-onnxruntime")
    (target / "NOTICES-onnxruntime.txt").write_bytes(live_runtime.notices())
    return sizes


def as_script(name: str, packed: bytes) -> str:
    """A part as a script that leaves it in base64 for `parts.js`."""
    return f'(window.handposeLiveParts ??= {{}})["{name}"] = "{base64.b64encode(packed).decode()}";\n'


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=TARGET)
    asked = parser.parse_args()
    try:
        sizes = build(asked.folder)
    except (ModuleError, live_runtime.RuntimeFilesError, OSError, ValueError) as error:
        print(f"handpose: {error}", file=sys.stderr)
        return 1
    print(f"{asked.folder}: " + ", ".join(f"{name} {size / 1e6:.2f} MB" for name, size in sizes.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
