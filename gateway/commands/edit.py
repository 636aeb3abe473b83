"""``multihome edit`` and ``multihome delete``: what is out already says something else, or goes away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.commands.asking import ask
from gateway.commands.options import DEFAULT_CONFIG, Alts, ConfigFile, Images, Json, Plain, TextFile
from gateway.commands.terminal import cut, print_json, say, table, width
from gateway.commands.written import written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from gateway.commands.runs import Runs

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="An announcement's id or key (every copy), or one delivery's id.")
]


def edit(
    name: Name,
    file: TextFile,
    image: Images = None,
    alt: Alts = None,
    without_media: Annotated[
        bool, typer.Option("--without-media", help="Its media go; else they stay, unless there are new ones.")
    ] = False,
    plain: Plain = False,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Have every copy of something say this instead."""
    words, media = written(file, image, alt, plain=plain)
    asked = {"name": name, "text": words, "plain": plain, "without_media": without_media}
    answer, runs = ask(config, "edit", uploads=media, **asked)
    _tell(answer, runs, _address, as_json=as_json)


def delete(name: Name, config: ConfigFile = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Take every copy of something away."""
    answer, runs = ask(config, "delete", name=name)
    _tell(answer, runs, _place, as_json=as_json)


def _tell(
    answer: dict[str, Any], runs: Runs, below: Callable[[dict[str, Any]], Iterable[str]], *, as_json: bool
) -> None:
    """A row for each copy."""
    if as_json:
        print_json({**answer, "running": runs.here})
    else:
        for words in dict.fromkeys(copy["said"] for copy in answer["copies"] if copy.get("said")):
            say(cut(f"It said: {words}", width()))
        table("copies", ("account", "outcome", "reason"), answer["copies"], below)
        if not runs.here:
            say(runs.promise("what has left is changed", "what has left is changed by another one"))
    if any(copy["outcome"] in ("refused", "expired") for copy in answer["copies"]):
        raise typer.Exit(1)


def _address(copy: dict[str, Any]) -> Iterator[str]:
    """Where it is to be seen."""
    if copy["url"]:
        yield copy["url"]


def _place(copy: dict[str, Any]) -> Iterator[str]:
    """What was there, and where: the address of what is gone is nothing to click."""
    if copy["outcome"] != "done":
        yield from _address(copy)
    elif copy["url"]:
        yield f"was at {copy['url'].partition('://')[2]}"
