"""The options and arguments that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]
OwnConfigFile = Annotated[Path | None, typer.Option("--config", "-c", help="The configuration file.")]
"""For a command below another, which has the default."""
TextFile = Annotated[str, typer.Argument(metavar="FILE|-", help="The text; - reads standard input.")]
Accounts = Annotated[list[str] | None, typer.Option("--account", "-a", help="Only there; may be repeated.")]
Images = Annotated[
    list[Path] | None,
    typer.Option("--image", help="A picture, film, sound or file to go with it; may be repeated."),
]
Alts = Annotated[
    list[str] | None,
    typer.Option("--alt", help="What it shows, for who can't see it: the first for the first, and so on."),
]
Plain = Annotated[bool, typer.Option("--plain", help="The text is not Markdown.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON value on standard output, for scripts.")]
DEFAULT_CONFIG = Path("multihome.toml")
USAGE = 2
