"""Logs to standard error: one line per event, with every known secret struck out."""

from __future__ import annotations

import base64
import json
import logging
import re
import sys
import threading
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from gateway.config import Config
from gateway.model.secret import Secret
from gateway.ports import Vault

_TOKENS = re.compile(
    r"(?i)\b(?:bearer|basic)\s+[\w.:~+/=-]{8,}|bot\d{4,}:[\w-]{16,}|\b\d{6,}:[\w-]{25,}|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"
)
_SECRET_KEY = re.compile(r"(?i)token|jwt|secret|password|access|refresh|cookie|verifier")
_CONTROL = {code: "?" for code in (*range(32), 127, *range(128, 160)) if chr(code) not in "\n\t"}
_ONE_LINE = {**_CONTROL, ord("\n"): "\\n", ord("\t"): " "}
SHORTEST = 4
"""A secret shorter than this is in every other word."""


class Redaction:
    """A structlog processor that strikes out secrets, known ones and what looks like one, and makes text printable."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: set[str] = set()
        self._longest_first: tuple[str, ...] = ()
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Strike these out as well from now on, in every spelling they may be written in."""
        fresh = {one for secret in secrets if len(secret) >= SHORTEST for one in _spellings(secret)} - self._known
        if fresh:
            self._known |= fresh
            self._longest_first = tuple(sorted(self._known, key=len, reverse=True))

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {key: self._printable(key, value) for key, value in event.items()}

    def clean(self, text: str) -> str:
        for secret in self._longest_first:
            text = text.replace(secret, "***")
        return _TOKENS.sub("***", text)

    def _printable(self, key: str, value: object) -> object:
        """Platforms write some of our lines: no escape sequence of theirs reaches a terminal."""
        if not isinstance(value, str):
            return value
        return self.clean(value).translate(_CONTROL if key in ("exception", "stack") else _ONE_LINE)


class QuietVault:
    """A vault whose secrets are struck out of the logs as soon as they are known."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def get(self, name: str) -> Secret | None:
        secret = await self._vault.get(name)
        if secret is not None:
            redaction.learn(_inside(secret.reveal()))
        return secret

    async def put(self, name: str, secret: Secret) -> None:
        redaction.learn(_inside(secret.reveal()))
        await self._vault.put(name, secret)


redaction = Redaction()
"""The process's own: its secrets are struck out of everything that is logged."""


def configure(config: Config, *, as_json: bool = False, level: int = logging.INFO) -> None:
    """Send everything through one handler. Call it before anything logs.

    ``level`` DEBUG shows what the client libraries say as well, which is a lot.
    """
    redaction.learn(_secrets(config))
    chain: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    last: Processor = structlog.processors.JSONRenderer() if as_json else _console()
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redaction, last],
        foreign_pre_chain=chain,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    # Client libraries say too much at their ease, some of it with credentials in it.
    others = logging.DEBUG if level <= logging.DEBUG else logging.WARNING
    logging.basicConfig(handlers=[handler], level=others, force=True)
    logging.captureWarnings(capture=True)
    logging.raiseExceptions = False  # a closed standard error is no reason to print a traceback to it
    logging.getLogger("multihome").setLevel(level)
    threading.excepthook = _thread_failed


def silence() -> None:
    """For commands whose answer is their only output."""
    logging.basicConfig(handlers=[logging.NullHandler()], force=True)


def _console() -> Processor:
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)


def _thread_failed(failure: threading.ExceptHookArgs) -> None:
    """Python's own hook would print to standard error, past the redaction."""
    info = (failure.exc_type, failure.exc_value, failure.exc_traceback)
    name = failure.thread.name if failure.thread else "unknown"
    logging.getLogger("multihome").error("the thread %s failed", name, exc_info=info)  # type: ignore[arg-type]  # typeshed: a value may be None


def _secrets(config: Config) -> Iterable[str]:
    for account in config.accounts:
        for name in account.settings.__struct_fields__:
            value = getattr(account.settings, name)
            if isinstance(value, Secret):
                yield value.reveal()


def _spellings(secret: str) -> set[str]:
    """How a secret may be written: bare, in a URL, in JSON, in a repr, in base64."""
    in_json = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    in_url = {quote(secret), quote(secret, safe=""), quote_plus(secret)}
    return {secret, *in_json, *in_url, repr(secret)[1:-1], base64.b64encode(secret.encode()).decode()}


def _inside(kept: str) -> set[str]:
    """The secrets in what an adapter keeps: the text itself, and in JSON whatever is named like a secret."""
    try:
        told = msgspec.json.decode(kept)
    except (msgspec.DecodeError, RecursionError):
        return {kept}
    if not isinstance(told, dict):
        return {kept}
    return {value for key, value in told.items() if isinstance(value, str) and _SECRET_KEY.search(key)}
