"""Logs to standard error: one line per event, with every known secret struck out."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable

import structlog
from structlog.typing import EventDict, WrappedLogger

from gateway.config import Config
from gateway.model.secret import Secret

_TOKENS = re.compile(r"(?i)(bearer\s+|bot)[\w.:~+/=-]{12,}|\b\d{6,}:[\w-]{25,}|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*")


class Redaction:
    """A structlog processor that strikes out secrets, known ones and what looks like one."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = tuple(sorted({secret for secret in secrets if len(secret) >= 4}, key=len, reverse=True))

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {key: self.clean(value) if isinstance(value, str) else value for key, value in event.items()}

    def clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return _TOKENS.sub("***", text)


def configure(config: Config, *, as_json: bool = False, level: int = logging.INFO) -> None:
    """Send everything through one handler. Call it before anything logs."""
    redact = Redaction(_secrets(config))
    chain = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    last = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact, last], foreign_pre_chain=chain
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    # Client libraries say too much at their ease, some of it with credentials in it.
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("multihome").setLevel(level)


def _secrets(config: Config) -> Iterable[str]:
    for account in config.accounts:
        for name in account.settings.__struct_fields__:
            value = getattr(account.settings, name)
            if isinstance(value, Secret):
                yield value.reveal()
