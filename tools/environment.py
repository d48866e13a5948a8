"""Make the environment in .venv, or leave it alone when it is up to date. Needs nothing but Python.

    python3 tools/environment.py           # a .venv that is there stays, whatever Python it was made with
    python3 tools/environment.py --named   # refuses a .venv of another Python: what is tested must be what was named

A stamp in .venv holds a hash of everything the environment depends on, so a second run takes a moment. An installation
that was cut short leaves another mark behind, and the next run starts that environment afresh.
"""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "handpose-installed"
UNFINISHED = VENV / "handpose-installing"
OLDEST, NEWEST = (3, 11), (3, 14)  # what requirements.txt has been tried with, or has wheels for


def fail(text):
    sys.exit("\nhandpose: " + text)


def run(*command):
    """Run one step of the set-up; True when it went well."""
    return subprocess.call([str(part) for part in command], cwd=str(ROOT)) == 0


def fingerprint():
    """Hash of the requirements, the package's metadata and the place: an environment does not survive being moved."""
    text = str(ROOT).encode()
    for name in ("requirements.txt", "pyproject.toml"):
        text += (ROOT / name).read_bytes()
    return hashlib.sha256(text).hexdigest()


def installed():
    """Version of the Python in .venv, such as (3, 12); None where none works, has pip and is supported."""
    try:
        code = "import sys, pip; print(*sys.version_info[:2])"
        output = subprocess.check_output([str(PYTHON), "-c", code], stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return None
    version = tuple(int(part) for part in output.split())
    return version if OLDEST <= version <= NEWEST else None


def dotted(version):
    return ".".join(str(part) for part in version)


def check_python(named):
    """Refuse a Python that is not supported, and one that was named where .venv has another."""
    here, in_venv = tuple(sys.version_info[:2]), installed()
    if (named or in_venv is None) and not OLDEST <= here <= NEWEST:
        span = f"{dotted(OLDEST)} to {dotted(NEWEST)}"
        fail(f"this is Python {dotted(here)}, and the book needs {span}; name one:  make book PYTHON=python3.12")
    if named and in_venv not in (None, here):
        fail(
            f"in .venv is Python {dotted(in_venv)}, not the {dotted(here)} that was named; remove .venv to make it anew"
        )


def create():
    print(f"Making the environment in {VENV.name} (Python {sys.version_info[0]}.{sys.version_info[1]}) ...", flush=True)
    if not run(sys.executable, "-m", "venv", "--clear", VENV) or not installed():
        fail(
            f"could not make an environment with `{sys.executable} -m venv`; see the lines above.\n"
            "On Debian and Ubuntu the package python3-venv is missing:  sudo apt install python3-venv"
        )


def pip(*what):
    """pip install, with a line now and then instead of two hundred; all of its lines when it fails."""
    command = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off", *what]
    lines, packages = [], 0
    with subprocess.Popen(
        command, cwd=str(ROOT), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True
    ) as process:
        for line in process.stdout:
            lines.append(line)
            size = re.search(r"Downloading .*\((\d+)\.?\d* ([MG])B\)", line)
            if line.startswith(("Collecting ", "Processing ")):
                packages += 1
                if packages % 40 == 0:
                    print("  found %d packages" % packages, flush=True)  # noqa: UP031
            elif line.startswith("Installing collected packages") or (
                size and (size.group(2) == "G" or int(size.group(1)) >= 50)
            ):
                print("  " + line.strip().split(": ")[0], flush=True)
    if process.returncode:
        if process.returncode > 0:  # pip ended by itself, so it left nothing half-done
            UNFINISHED.unlink()
        fail("".join(lines[-30:]) + "pip failed; its last lines are above. Running the same command again is safe.")


def install():
    UNFINISHED.touch()
    print("Installing what requirements.txt names (a few minutes the first time: PyTorch is large) ...", flush=True)
    pip("-r", "requirements.txt")
    print("Installing the package handpose, editable ...", flush=True)
    pip("--no-deps", "--no-build-isolation", "-e", ".")
    UNFINISHED.unlink()


def check():
    """opencv-python needs three system libraries that slim Linux images do not have."""
    result = subprocess.run([str(PYTHON), "-c", "import cv2"], capture_output=True, text=True)
    if result.returncode:
        fail(
            "`import cv2` fails: " + (result.stderr.strip().splitlines() or ["no message"])[-1] + "\n"
            "OpenCV needs system libraries. On Debian and Ubuntu:  sudo apt install libgl1 libglib2.0-0 libxcb1\n"
            "(in a container without sudo:  apt-get update && apt-get install -y libgl1 libglib2.0-0 libxcb1)"
        )


def main():
    check_python(named="--named" in sys.argv[1:])
    wanted = fingerprint()
    if STAMP.exists() and STAMP.read_text() == wanted and installed():
        return
    if UNFINISHED.exists():
        print("The last installation did not finish; starting afresh.", flush=True)
    if UNFINISHED.exists() or not installed():
        create()
    install()
    check()
    STAMP.write_text(wanted)
    print("The environment is ready.", flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        fail("stopped. Run the same command again to carry on.")
