"""What happened, line by line: the same seed must tell the same story, byte for byte."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable

from sim_time import Universe

WIDE = 118


class Story:
    """Told as it happens; ``digest`` is made of every line, and of what is only noted."""

    def __init__(self, universe: Universe, echo: Callable[[str], None] | None = None) -> None:
        self._universe = universe
        self._echo = echo
        self._hash = hashlib.sha256()
        self.lines: list[str] = []
        self.happened: Counter[str] = Counter()
        """How often each kind of trouble struck."""

    def tell(self, what: str) -> None:
        line = f"{clock(self._universe.now)}  {_printable(what)}"
        self.note(line)
        self.lines.append(line)
        if self._echo is not None:
            self._echo(line if len(line) <= WIDE else line[: WIDE - 1] + "…")

    def note(self, what: str) -> None:
        """Part of what must be the same each time, and nothing for readers."""
        self._hash.update(what.encode("utf-8", "replace"))

    def strikes(self, trouble: str, what: str = "") -> None:
        """A trouble begins."""
        self.happened[trouble] += 1
        self.tell(f"** {what or trouble}")

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()


def clock(now_s: float) -> str:
    """The hour of the story: day, hour, minute, second."""
    whole = int(now_s)
    day, rest = divmod(whole, 86_400)
    hundredths = int((now_s - whole) * 100)
    return f"{day}d {rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}.{hundredths:02}"


def _printable(text: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in text)
