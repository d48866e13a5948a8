"""ONNX Runtime for the browser, kept compressed in book/live/runtime: make its files, or unpack them.

    npm pack onnxruntime-web@1.30.0
    pip download --no-deps onnxruntime==1.30.0
    python tools/live_runtime.py onnxruntime-web-1.30.0.tgz onnxruntime-1.30.0-*.whl      makes book/live/runtime anew

The book is built with Python alone, so two files of the package stand in the repository: the bundle that is a single
module, and the WebAssembly that it runs, without its variants for graphics cards. `runtime.json` holds where they come
from and the SHA-256 of each. The npm package has no licence in it; the Python package of the same version has it, and
the notices of what ONNX Runtime itself contains.
"""

import argparse
import hashlib
import json
import lzma
import re
import sys
import tarfile
import zipfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "book" / "live" / "runtime"
PACKAGE = "onnxruntime-web"
LICENCE, NOTICES = "LICENSE", "ThirdPartyNotices.txt"
FILES = {"bundle": "ort.wasm.bundle.min.mjs", "wasm": "ort-wasm-simd-threaded.wasm"}

#: Browsers' tools for developers would look for the file that this line names, which is not there.
SOURCE_MAP = re.compile(rb"\n//# sourceMappingURL=.*")
OWN_ADDRESS, EXPORTS = "import.meta.url", re.compile(r"export\{([^{}]*)\};\s*$")


class RuntimeFilesError(ValueError):
    """The files in book/live/runtime cannot be used; the message says which and what to do."""


def unpack(folder: Path = FOLDER) -> dict[str, bytes]:
    """The bundle, as `classic` makes it, and the WebAssembly, each compared with its SHA-256.

    Raises:
        RuntimeFilesError: a file is missing or damaged.
    """
    advice = f"get {folder.name} from the repository again, or make it with tools/live_runtime.py"
    try:
        about = read_about(folder)
        found = {name: lzma.decompress((folder / f"{file}.xz").read_bytes()) for name, file in FILES.items()}
    except (OSError, lzma.LZMAError, ValueError) as error:
        raise RuntimeFilesError(f"{folder}: cannot be unpacked ({error}); {advice}") from None
    for name, file in FILES.items():
        if hashlib.sha256(found[name]).hexdigest() != about["sha256"][file]:
            raise RuntimeFilesError(f"{folder / file}.xz: damaged (its SHA-256 is another); {advice}")
    return found | {"bundle": classic(SOURCE_MAP.sub(b"", found["bundle"]).decode()).encode()}


def classic(module: str) -> str:
    """The bundle, a module, as a script that leaves what it exports in ``self.ort``.

    The page puts it into the script of the worker, which comes from a Blob. There, WebKit lets a page that was opened
    from a folder import nothing. Given the WebAssembly's bytes, the bundle does nothing with its own address but look
    at it, for which the worker's will do (https://github.com/microsoft/onnxruntime/issues/27317).

    Raises:
        RuntimeFilesError: it exports nothing, or does so in another form.
    """
    exports = EXPORTS.search(module)
    if not exports:
        raise RuntimeFilesError("the bundle of ONNX Runtime exports nothing in the form `export{a as b};` at its end")
    named = ",".join(f"{name}:{own}" for own, name in re.findall(r"([\w$]+) as ([\w$]+)", exports[1]))
    body = module[: exports.start()].replace(OWN_ADDRESS, "self.location.href")
    return f"self.ort = (() => {{\n{body}\nreturn {{{named}}};\n}})();\n"


def read_about(folder: Path = FOLDER) -> dict:
    """``{"package", "version", "licence", "sha256": {file: hash}}``."""
    return json.loads((folder / "runtime.json").read_text("utf-8"))


def notices(folder: Path = FOLDER) -> bytes:
    """The notices of the software that ONNX Runtime contains, as its licences ask to hand them on."""
    return lzma.decompress((folder / f"{NOTICES}.xz").read_bytes())


def make(package: Path, wheel: Path, folder: Path = FOLDER) -> dict:
    """Write the compressed files, their licences and `runtime.json`.

    Args:
        package: what ``npm pack`` downloaded.
        wheel: the Python package of the same version.
    """
    with tarfile.open(package) as archive:

        def read(name: str) -> bytes:
            return archive.extractfile(f"package/{name}").read()

        about = json.loads(read("package.json"))
        if about["name"] != PACKAGE:
            raise RuntimeFilesError(f"{package}: the package {about['name']!r}, not {PACKAGE!r}")
        bodies = {file: read(f"dist/{file}") for file in FILES.values()}
    if f"-{about['version']}-" not in wheel.name:
        raise RuntimeFilesError(f"{wheel.name}: not of version {about['version']}, which the npm package has")
    with zipfile.ZipFile(wheel) as archive:
        licence, others = (archive.read(f"onnxruntime/{file}") for file in (LICENCE, NOTICES))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / LICENCE).write_bytes(licence)
    for file, body in (bodies | {NOTICES: others}).items():
        (folder / f"{file}.xz").write_bytes(lzma.compress(body, preset=9 | lzma.PRESET_EXTREME))
    record = {
        "package": PACKAGE, "version": about["version"], "licence": about["license"],
        "source": f"npm pack {PACKAGE}@{about['version']}", "archive_sha256": _sha256(package.read_bytes()),
        "sha256": {file: _sha256(body) for file, body in bodies.items()},
    }  # fmt: skip
    (folder / "runtime.json").write_text(json.dumps(record, indent=1) + "\n")
    return record


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path, help="the .tgz that npm pack downloaded")
    parser.add_argument("wheel", type=Path, help="the .whl of the Python package onnxruntime of the same version")
    asked = parser.parse_args()
    try:
        record = make(asked.package, asked.wheel)
    except (OSError, tarfile.TarError, zipfile.BadZipFile, KeyError, RuntimeFilesError) as error:
        print(f"handpose: {error}", file=sys.stderr)
        return 1
    print(f"{FOLDER}: {record['package']} {record['version']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
