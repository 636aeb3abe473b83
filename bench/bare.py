"""The client libraries alone, as most programs use them: one shared client, the same calls, nothing kept."""

from __future__ import annotations

import asyncio
import itertools
import logging
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bodies import CID, DID, WORDS

Send = Callable[[int], Awaitable[Any]]
THREADS = 16
_numbers = itertools.count(1)


async def sender(platform: str, url: str) -> tuple[Send, Callable[[], Awaitable[None]]]:
    """``send(caller)`` on one client, and how to close it."""
    opened: tuple[Send, Callable[[], Awaitable[None]]] = await _SENDERS[platform](url)
    return opened


async def _x(url: str) -> tuple[Send, Callable[[], Awaitable[None]]]:
    import aiohttp
    from tweepy.asynchronous import AsyncClient

    class Elsewhere(aiohttp.ClientSession):
        """tweepy has its host written in."""

        def request(self, method: str, address: str, **options: Any) -> Any:
            return super().request(method, url + address.removeprefix("https://api.twitter.com"), **options)

    client = AsyncClient("token")
    client.session = Elsewhere()

    async def send(caller: int) -> None:
        await client.create_tweet(text=WORDS, in_reply_to_tweet_id=str(1000 + caller), user_auth=False)

    return send, client.session.close


async def _discord(url: str) -> tuple[Send, Callable[[], Awaitable[None]]]:
    import discord
    from discord.http import Route

    Route.BASE = f"{url}/api/v10"
    client = discord.Client(intents=discord.Intents.none())
    await client.login("bare")
    channels = [client.get_partial_messageable(1000 + caller) for caller in range(64)]

    async def send(caller: int) -> None:
        await channels[caller].send(WORDS)

    return send, client.close


async def _telegram(url: str) -> tuple[Send, Callable[[], Awaitable[None]]]:
    from telegram import Bot
    from telegram.request import HTTPXRequest

    bot = Bot("4242:bare", base_url=f"{url}/bot", request=HTTPXRequest(connection_pool_size=256))
    await bot.initialize()

    async def send(caller: int) -> None:
        await bot.send_message(1000 + caller, WORDS)

    return send, bot.shutdown


async def _bluesky(url: str) -> tuple[Send, Callable[[], Awaitable[None]]]:
    from atproto import AsyncClient, models

    client = AsyncClient(url)
    await client.login("agent.test", "secret")

    async def send(caller: int) -> None:
        at = models.ComAtprotoRepoStrongRef.Main(uri=f"at://{DID}/app.bsky.feed.post/{1000 + caller}", cid=CID)
        record = models.AppBskyFeedPost.Record(
            text=WORDS,
            created_at=client.get_current_time_iso(),
            reply=models.AppBskyFeedPost.ReplyRef(root=at, parent=at),
        )
        await client.app.bsky.feed.post.create(DID, record, rkey=f"{next(_numbers):013d}")

    return send, client.request.close


async def _mastodon(url: str) -> tuple[Send, Callable[[], Awaitable[None]]]:
    from mastodon import Mastodon

    client = Mastodon(
        access_token="secret", api_base_url=url, ratelimit_method="throw", mastodon_version="4.3.0", request_timeout=30
    )
    threads = ThreadPoolExecutor(THREADS)
    loop = asyncio.get_running_loop()

    def post(caller: int) -> None:
        client.status_post(
            WORDS, in_reply_to_id=str(1000 + caller), visibility="public", idempotency_key=str(uuid.uuid4())
        )

    async def close() -> None:
        threads.shutdown()

    return lambda caller: loop.run_in_executor(threads, post, caller), close


_SENDERS: dict[str, Callable[[str], Awaitable[tuple[Send, Callable[[], Awaitable[None]]]]]] = {
    "x": _x,
    "discord": _discord,
    "telegram": _telegram,
    "bluesky": _bluesky,
    "mastodon": _mastodon,
}


# Native bots: they answer each message on the spot.

BOT_TOKENS = {"telegram": "4242:native", "discord": "native"}


async def telegram_bot(url: str) -> None:
    """A plain getUpdates loop that awaits each send: the fastest of PTB's ways with one message in flight."""
    from telegram import Bot, Update

    bot = Bot(BOT_TOKENS["telegram"], base_url=f"{url}/bot")
    await bot.initialize()
    offset: int | None = None
    while True:
        for update in await bot.get_updates(offset, timeout=20, allowed_updates=[Update.MESSAGE]):
            offset = update.update_id + 1
            if update.message is not None:
                await bot.send_message(update.message.chat_id, WORDS)


async def discord_bot(url: str) -> None:
    """``on_message`` and ``channel.send``."""
    import discord
    from discord.gateway import DiscordWebSocket
    from discord.http import Route
    from yarl import URL

    Route.BASE = f"{url}/api/v10"
    DiscordWebSocket.DEFAULT_GATEWAY = URL(url.replace("http", "ws", 1) + "/gw")
    logging.getLogger("discord").setLevel(logging.ERROR)
    bot = discord.Client(intents=discord.Intents(messages=True, message_content=True), max_messages=None)

    @bot.event
    async def on_message(message: discord.Message) -> None:
        await message.channel.send(WORDS)

    await bot.start(BOT_TOKENS["discord"])
