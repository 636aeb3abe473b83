"""Where we are in each channel (the cursor), and the pause that guards the daily allowance of logins. Pure."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import msgspec

log = logging.getLogger("multihome.discord")

EPOCH_UNIX_S = 1_420_070_400
CHANNELS_MAX = 256
DIRECTS_MAX = 1024

FREE_LOGINS = 3
CALM_S = 600.0
PAUSE_MAX_S = 900.0


def snowflake(at: datetime) -> int:
    """An id between those made before and after (reference: snowflakes count milliseconds in the high bits)."""
    return max(0, int((at.timestamp() - EPOCH_UNIX_S) * 1000 * (1 << 22)))


def moment(message_id: int) -> datetime:
    """When the id was made."""
    return datetime.fromtimestamp((message_id >> 22) / 1000 + EPOCH_UNIX_S, UTC)


class Position(msgspec.Struct, omit_defaults=True):
    """What was seen: per channel the newest message, ``floor`` for channels never heard of.

    Direct channels are kept longest: no API lists a bot's DMs, so one that is forgotten can't be looked into.
    ``last_login_unix_s`` and ``streak`` survive restarts, so that a crash loop slows down instead of using up the
    1000 IDENTIFYs a day, after which Discord resets the token.
    """

    floor: int
    channels: dict[str, int] = {}
    directs: dict[str, int] = {}
    session: tuple[str, str, int] | None = None
    """The gateway's session, where to resume it, and the last event of it that is in this position."""
    last_login_unix_s: float = 0.0
    streak: int = 0

    def dump(self) -> str:
        return msgspec.json.encode(self).decode()

    def saw(self, channel: str, message_id: int, *, private: bool) -> None:
        seen, limit = (self.directs, DIRECTS_MAX) if private else (self.channels, CHANNELS_MAX)
        newest = max(message_id, seen.pop(channel, 0))
        seen[channel] = newest
        if len(seen) > limit:
            oldest = next(iter(seen))
            # A forgotten channel falls back on the floor, which must not lie behind what was seen there.
            self.floor = max(self.floor, seen.pop(oldest))

    def heard(self, sequence: int) -> None:
        """An event of the session is dealt with."""
        if sequence and self.session is not None:
            self.session = (*self.session[:2], sequence)

    def forget(self, channel: str) -> None:
        self.channels.pop(channel, None)
        self.directs.pop(channel, None)

    def since(self, channel: str) -> int:
        """The newest message of a channel that was seen, or that need not be."""
        return self.directs.get(channel) or self.channels.get(channel) or self.floor

    def copy(self) -> Position:
        return Position(self.floor, dict(self.channels), dict(self.directs))

    def pause_s(self, now: datetime, step_s: float) -> float:
        """How long to rest before the next login: nothing at first, then doubling while they come fast."""
        planned = self._pause_after_streak(step_s)
        return max(0.0, planned - (now.timestamp() - self.last_login_unix_s)) if planned else 0.0

    def logged_in(self, now: datetime, step_s: float) -> None:
        """A login was used up."""
        calm = now.timestamp() - self.last_login_unix_s > CALM_S + self._pause_after_streak(step_s)
        self.streak = 1 if calm else self.streak + 1
        self.last_login_unix_s = now.timestamp()

    def _pause_after_streak(self, step_s: float) -> float:
        beyond = self.streak - FREE_LOGINS
        return min(PAUSE_MAX_S, step_s * 2 ** min(beyond, 30)) if beyond >= 0 else 0.0


def load(cursor: str | None, now: datetime) -> Position:
    """The position of a stored cursor. Without one, and where it can't be read: from now on."""
    if cursor is not None:
        try:
            return msgspec.json.decode(cursor, type=Position)
        except msgspec.MsgspecError:
            log.exception("the stored position can't be read; receiving goes on from now")
    return Position(snowflake(now))
