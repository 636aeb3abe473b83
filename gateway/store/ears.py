"""Hearing what other gateways tell: one connection that only listens, on a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import selectors
import socket
import threading
from collections.abc import Callable
from typing import Any

import psycopg

from gateway.books import StoreError, Topic
from gateway.store.server import Server

log = logging.getLogger("multihome.store")

LOOK_EVERY_S = 1.0
PAUSES_S = (0.1, 0.5, 1.0, 2.0)

Listener = Callable[[Topic, str], None]


class Ears:
    """Hears from the moment it is made. What comes from ``sender`` is its own."""

    def __init__(self, server: Server, channel: str, sender: str, heard: Listener) -> None:
        """``heard`` is called on the thread."""
        self._server = server
        self._channel = channel
        self._sender = sender
        self._heard = heard
        self._told: list[tuple[asyncio.AbstractEventLoop, Listener]] = []
        self._closed = threading.Event()
        self._wake, self._bell = socket.socketpair()
        self._thread = threading.Thread(target=self._work, args=[self._listening()], name="store-ears", daemon=True)
        self._thread.start()

    def listen(self, listener: Listener) -> None:
        """Have it called in the running loop."""
        self._told.append((asyncio.get_running_loop(), listener))

    def close(self) -> None:
        self._closed.set()
        with contextlib.suppress(OSError):
            self._bell.send(b".")
        self._thread.join()
        self._bell.close()

    def _listening(self) -> psycopg.Connection[Any]:
        connection = self._server.connect()
        try:
            connection.execute(f"LISTEN {self._channel}".encode())
        except psycopg.Error:
            connection.close()
            raise
        return connection

    def _work(self, connection: psycopg.Connection[Any] | None) -> None:
        with self._wake:
            while connection is not None:
                self._hear(connection)
                connection = self._again()

    def _hear(self, connection: psycopg.Connection[Any]) -> None:
        """Until the connection breaks, or all is over; it is closed then, and at once where all was over before."""
        with contextlib.closing(connection), selectors.DefaultSelector() as selector:
            selector.register(connection.fileno(), selectors.EVENT_READ)
            selector.register(self._wake, selectors.EVENT_READ)
            try:
                while not self._closed.is_set():
                    connection.pgconn.consume_input()
                    while note := connection.pgconn.notifies():
                        self._take(note.extra.decode("utf-8", "replace"))
                    selector.select(LOOK_EVERY_S)
                    self._server.hang_up()
            except psycopg.Error as error:
                log.info("listening to other gateways ended: %s", error)
            except Exception:
                log.exception("listening to other gateways failed, beginning again")

    def _take(self, news: str) -> None:
        sender, _, rest = news.partition(" ")
        topic, _, name = rest.partition(" ")
        if sender != self._sender and topic in list(Topic):
            self._tell(Topic(topic), name)

    def _tell(self, topic: Topic, name: str) -> None:
        self._heard(topic, name)
        for loop, listener in self._told:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(listener, topic, name)

    def _again(self) -> psycopg.Connection[Any] | None:
        """Another connection, as soon as there is one; ``None`` when all is over."""
        tries = 0
        while not self._closed.wait(PAUSES_S[min(tries, len(PAUSES_S) - 1)]):
            tries += 1
            self._server.hang_up()
            try:
                connection = self._listening()
            except (StoreError, psycopg.Error) as error:
                if tries == 1:
                    log.warning("other gateways can't be heard: %s", error)
                continue
            self._tell(Topic.MISSED, "")
            return connection
        return None
