"""What a person sees: a live table while it plays, and the count at the end."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gateway.demo.stage import Stage

REFRESH_S = 0.25
LINES = 8
COLUMNS = ("accepted", "delivered", "diverted", "held", "lost", "doubled")


class View:
    """Lines as they come; on a terminal, a live table above them."""

    def __init__(self, console: Console, *, quiet: bool) -> None:
        self._console = console
        self._quiet = quiet
        self._began = time.monotonic()  # noqa: TID251 - shown to a person, decides nothing
        self._lines: list[str] = []

    def tell(self, line: str) -> None:
        elapsed_s = time.monotonic() - self._began  # noqa: TID251 - shown to a person, decides nothing
        self._lines.append(f"{elapsed_s:5.1f} s  {line}")
        if not self._quiet and not self._console.is_terminal:
            self._console.print(self._lines[-1], highlight=False, markup=False)

    @contextlib.asynccontextmanager
    async def live(self, stage: Stage) -> AsyncIterator[None]:
        """Keep the table fresh while the story plays."""
        if self._quiet or not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, auto_refresh=False, transient=True) as screen:
            drawing = asyncio.create_task(self._draw(stage, screen))
            try:
                yield
            finally:
                drawing.cancel()
                await asyncio.gather(drawing, return_exceptions=True)
        for line in self._lines:
            self._console.print(line, highlight=False, markup=False)

    async def _draw(self, stage: Stage, screen: Live) -> None:
        while True:
            screen.update(Group(await _scene(stage), Text("\n".join(self._lines[-LINES:]))), refresh=True)
            await asyncio.sleep(REFRESH_S)  # noqa: TID251 - shown to a person, decides nothing

    def result(self, result: dict[str, Any]) -> None:
        """The count, and one sentence."""
        table = Table(title="What the networks hold", box=box.SIMPLE_HEAD, title_justify="left")
        for column in ("network", *COLUMNS):
            table.add_column(column, justify="left" if column == "network" else "right")
        for name, row in result["per_platform"].items():
            table.add_row(name, *(str(row[column]) for column in COLUMNS))
        table.add_section()
        table.add_row("all", *(str(result[column]) for column in COLUMNS))
        self._console.print(table)
        self._console.print(sentence(result), highlight=False, markup=False, soft_wrap=True)


def sentence(result: dict[str, Any]) -> str:
    """What a person takes home, in two lines."""
    failover = result["failover_seconds"]
    took = "Nothing had to take another road" if failover is None else f"Failover took {failover * 1000:.0f} ms"
    answers = f"{result['replies_seen']} of {result['replies_expected']} answers seen"
    return (
        f"{result['lost']} lost, {result['doubled']} doubled, {result['out_of_order']} out of order; {answers}.\n"
        f"{took}; {result['kills']} kills; {result['waiting']} wait for the operator."
    )


async def _scene(stage: Stage) -> Table:
    table = Table(title="Multihome", box=box.SIMPLE_HEAD, title_justify="left")
    for column in ("account", "standing", "held by the network", "under way", "waiting at home"):
        table.add_column(column)
    for row in await stage.desk("accounts") or []:
        name = row["account"].partition("/")[0]
        posts = await stage.control("GET", f"{name}/messages?by=agent")
        counts = row["deliveries"]
        moving = sum(counts.get(state, 0) for state in ("queued", "waiting", "sending"))
        style = "green" if row["standing"] == "healthy" else "bold red"
        held = str(counts.get("held", 0))
        table.add_row(row["account"], Text(row["standing"], style=style), str(len(posts)), str(moving), held)
    return table
