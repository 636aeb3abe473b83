"""Lines of previews, in the same words on every platform."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.duration import spoken


def poll_line(options: Iterable[str], open_for_s: float, *, multiple: bool) -> str:
    several = ", several may be chosen" if multiple else ""
    return f"poll, open for {spoken(open_for_s)}{several}: {' / '.join(options)}"
