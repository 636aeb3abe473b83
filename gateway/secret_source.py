"""Where a secret in the configuration really stands: the environment, or a file of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gateway.model.secret import Secret

SIZE_MAX_BYTES = 64 * 1024


def from_environment(name: str, environ: Mapping[str, str]) -> Secret:
    """Raises ValueError: what is wrong, and the cure."""
    return _filled(environ.get(name), f"environment variable {name}")


def from_file(path: Path) -> Secret:
    """Raises ValueError: what is wrong, and the cure."""
    try:
        with path.open("rb") as file:
            content = file.read(SIZE_MAX_BYTES + 1)
        if len(content) > SIZE_MAX_BYTES:
            raise ValueError(f"{path} is larger than {SIZE_MAX_BYTES} bytes: not a secret; name the right file")
        return _filled(content.decode().rstrip("\r\n"), str(path))
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist; write the secret into it") from None
    except OSError as error:
        raise ValueError(f"{path} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text; name the right file") from None


def _filled(value: str | None, source: str) -> Secret:
    if value is None:
        raise ValueError(f"{source} is not set; set it before the gateway starts")
    if not value.strip():
        raise ValueError(f"{source} is empty; put the secret there")
    if not value.isprintable():
        raise ValueError(f"{source} holds line breaks or control characters; put the secret there alone, on one line")
    return Secret(value)
