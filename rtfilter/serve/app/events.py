"""Sessions' messages on their way to clients: over a data channel, and over a WebSocket."""

from __future__ import annotations

import asyncio
import json

from aiohttp import WSMsgType, web
from aiortc import RTCDataChannel
from aiortc.exceptions import InvalidStateError

from rtfilter.serve.app.messages import LONGEST_MESSAGE
from rtfilter.serve.app.session import Json, Session
from rtfilter.system.clock import NS_PER_S, monotonic_ns

# A client that does not take its messages misses timings; they are worth nothing late.
MOST_BUFFERED = 64 * 1024
# Sliders send one message a screen refresh at most; more is a program gone wild.
MESSAGES_PER_S = 240
TIMINGS_EVERY_NS = NS_PER_S // 10
WAITING_MESSAGES = 64


class MessageBudget:
    """Whether one more message may be handled this second."""

    def __init__(self, per_s: int = MESSAGES_PER_S) -> None:
        self._per_s = per_s
        self._second = -1
        self._count = 0

    def spend(self) -> bool:
        second = monotonic_ns() // NS_PER_S
        if second != self._second:
            self._second, self._count = second, 0
        self._count += 1
        return self._count <= self._per_s


class ChannelListener:
    """Speaks for `session` on a peer's data channel until it leaves."""

    def __init__(self, channel: RTCDataChannel, session: Session) -> None:
        self._channel = channel
        self._session = session
        self._budget = MessageBudget()
        channel.on("message", self._received)
        channel.on("close", self.leave)
        self._leave = session.listen(self._send)

    def leave(self) -> None:
        """Stop telling."""
        self._leave()

    def _received(self, text: str | bytes) -> None:
        if self._budget.spend():
            self._session.handle(text, self._send)

    def _send(self, message: Json) -> None:
        channel = self._channel
        if channel.readyState != "open":
            return
        if channel.bufferedAmount > MOST_BUFFERED and message["type"] in ("timings", "pong", "error"):
            return
        try:
            channel.send(json.dumps(message, separators=(",", ":")))
        except (InvalidStateError, ConnectionError):
            self.leave()


async def serve_websocket(request: web.Request, session: Session) -> web.WebSocketResponse:
    """Speak for `session` on a WebSocket until either side has enough."""
    socket = web.WebSocketResponse(heartbeat=15.0, max_msg_size=2 * LONGEST_MESSAGE, protocols=("rtfilter",))
    await socket.prepare(request)
    waiting: asyncio.Queue[Json | None] = asyncio.Queue()
    budget = MessageBudget()
    last_timings_ns = 0

    def enqueue(message: Json) -> None:
        nonlocal last_timings_ns
        if message["type"] == "timings":
            now_ns = monotonic_ns()
            if now_ns - last_timings_ns < TIMINGS_EVERY_NS or waiting.qsize() > 2:
                return
            last_timings_ns = now_ns
        elif waiting.qsize() >= WAITING_MESSAGES:
            waiting.put_nowait(None)  # whoever reads so slowly is cut off: every message says the whole state
            return
        waiting.put_nowait(message)
        if message["type"] == "state" and message["state"] == "ended":
            waiting.put_nowait(None)

    async def send_all() -> None:
        while (message := await waiting.get()) is not None:
            await socket.send_str(json.dumps(message, separators=(",", ":")))
        await socket.close()

    leave = session.listen(enqueue)
    sending = asyncio.create_task(send_all())
    try:
        async for message in socket:
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                break
            if budget.spend():
                session.handle(message.data, enqueue)
    finally:
        leave()
        sending.cancel()
    return socket
