"""The bundled configurations; read them with `handpose.train.config.load`."""

from importlib import resources


def available() -> list[str]:
    """Their names; a command's help lists them, so this imports nothing large."""
    return sorted(p.name.removesuffix(".toml") for p in resources.files(__name__).iterdir() if p.name.endswith(".toml"))
