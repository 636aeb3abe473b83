"""Real processes, real client libraries, and every trouble at once. Counted from the networks.

Without --soak: rounds, each with one to three new troubles while people write and the agent answers. With it: steady
traffic and mild troubles for so many minutes, and a look at memory, open files and the database's size.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import signal
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from typing import Any

from chaos_disk import enter_namespace
from chaos_processes import ChaosError
from chaos_rounds import Rounds
from chaos_soak import Soak
from chaos_troubles import KINDS

WIDTH = 80


class Reporter:
    """Progress for people on stderr, and the same with the hour in ``chaos.log``."""

    def __init__(self, folder: Path) -> None:
        self._log = (folder / "chaos.log").open("w", buffering=1)
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        return round(time.monotonic() - self._began, 1)

    def tell(self, line: str) -> None:
        head = f"{self.seconds:7.1f} s  "
        self._log.write(f"{time.strftime('%H:%M:%S')} {head}{line}\n")
        sys.stderr.write(f"{_wrapped(head, line)}\n")

    def close(self) -> None:
        self._log.close()


def _wrapped(head: str, line: str) -> str:
    return textwrap.fill(line, WIDTH - 1, initial_indent=head, subsequent_indent=" " * max(2, len(head)))


def _options(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="script/chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=500, help="how many (500)")
    parser.add_argument("--seed", type=int, default=None, help="who says what, and which trouble comes in which round")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite", help="(sqlite)")
    parser.add_argument("--gateways", type=int, default=None, help="on one database (1; on PostgreSQL 3)")
    parser.add_argument("--soak", type=float, metavar="MINUTES", default=None, help="instead of rounds")
    parser.add_argument("--only", action="append", default=[], choices=[one.name for one in KINDS], metavar="TROUBLE",
                        help=f"only this one, may be repeated: {', '.join(one.name for one in KINDS)}")  # fmt: skip
    parser.add_argument("--keep", action="store_true", help="keep the folder with all logs in any case")
    parser.add_argument("--json", action="store_true", help="the result as one line of JSON")
    options = parser.parse_args(arguments)
    options.gateways = options.gateways or (1 if options.database == "sqlite" else 3)
    if options.database == "sqlite" and options.gateways > 1:
        parser.error("an SQLite file belongs to one gateway: several need --database postgresql")
    if options.soak is not None and options.database != "sqlite":
        parser.error("a soak looks at one gateway and its file: leave --database out")
    options.seed = random.SystemRandom().randrange(1_000_000) if options.seed is None else options.seed
    return options


async def play(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Ctrl-C and SIGTERM end it as an error would: everything is closed on the way out."""
    playing = asyncio.current_task()
    assert playing is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, playing.cancel)
    reporter = Reporter(folder)
    chaos = Rounds(options, folder, reporter.tell) if options.soak is None else Soak(options, folder, reporter.tell)
    try:
        await chaos.play()
    except ChaosError as error:
        chaos.wrong.append(str(error))
    finally:
        reporter.close()
    return {"seed": options.seed, "seconds": reporter.seconds, **chaos.result(), "wrong": chaos.wrong}


def main() -> int:
    options = _options()
    enter_namespace()
    folder = Path(tempfile.mkdtemp(prefix="multihome-chaos-"))
    keep = True
    try:
        result = asyncio.run(play(options, folder))
        keep = options.keep or bool(result["wrong"])
    except (asyncio.CancelledError, KeyboardInterrupt):
        keep = options.keep
        sys.stderr.write("stopped\n")
        return 130
    finally:
        if keep:
            sys.stderr.write(f"all logs are in {folder}\n")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.write(f"{json.dumps(result) if options.json else told(result)}\n")
    return 1 if result["wrong"] else 0


def told(result: dict[str, Any]) -> str:
    """The result in words."""
    lines = []
    for key, value in result.items():
        head = f"{key.replace('_', ' ')}: "
        if isinstance(value, dict):
            lines.append(_wrapped(head, ", ".join(f"{name} {number}" for name, number in sorted(value.items()))))
        elif not isinstance(value, list):
            lines.append(f"{head}{value}")
        elif key != "wrong":
            lines += [_wrapped(head, str(one)) for one in value]
    lines += [_wrapped("WRONG: ", str(one)) for one in result["wrong"]]
    if result["wrong"]:
        lines.append(f"to play it again: --seed {result['seed']}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
