"""The command ``export``: the networks as ONNX files."""

import argparse

HELP = "write the networks as ONNX files"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    command.description = (
        "Write detector, pose network and classifier as ONNX files, for other programs and for predict --onnx. "
        "Needs the packages onnx, onnxscript and onnxruntime."
    )
    command.add_argument("--weights", help=".safetensors file of the pose network (default: the bundled weights)")
    command.add_argument("--out", required=True, metavar="DIR", help="folder for the three files")


def main(arguments: argparse.Namespace) -> int:
    """Export, and say what was written."""
    from handpose.apply.export import export

    for path, most in export(arguments.out, arguments.weights).items():
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB; its outputs differ from PyTorch's by at most {most:.0e}")
    return 0
