"""`Peer`: one RTCPeerConnection, its tracks and data channel, and its end. Called by `sessions`."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Callable, Coroutine
from typing import Any

from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.exceptions import InvalidAccessError, InvalidStateError, OperationError
from aiortc.mediastreams import MediaStreamTrack
from aiortc.rtcrtptransceiver import RTCRtpTransceiver

from rtfilter.serve.app.handle import handle
from rtfilter.serve.app.messages import MessageBudget
from rtfilter.serve.app.session import Session
from rtfilter.serve.app.shapes import Json
from rtfilter.serve.app.stream import Stream
from rtfilter.serve.gate.networks import AllowedNetworks
from rtfilter.serve.gate.options import ServeOptions
from rtfilter.serve.gate.refusals import RefusedError
from rtfilter.serve.gate.sdp_offer import CheckedOffer
from rtfilter.serve.gate.transports import DTLS_FAILED, answer_passively, guard_ice, transports_of
from rtfilter.serve.rtc.tracks import FilteredTrack, drain
from rtfilter.serve.rtc.tuning import prefer_codec, tune_receiver, tune_sender

CHANNEL = "rtfilter"
# Beyond this, a client that reads slowly misses timings and pongs, which are of no use late.
_MOST_BUFFERED = 64 * 1024
_CLOSE_S = 5.0
_CHECK_S = 1.0
# What a parser or a negotiation raises for an offer that makes no sense.
_BAD_OFFER = (
    ValueError,
    LookupError,
    AttributeError,
    AssertionError,
    TypeError,
    InvalidAccessError,
    InvalidStateError,
    OperationError,
)

_log = logging.getLogger(__name__)


class Peer:
    """Answers one offer. All calls belong to the event loop's thread.

    address: that the request came from. closed: called once, with the reason, when the connection is over.
    secret: names the connection, so that only its maker can end it. etag: of its only ICE session, quoted.
    ufrags: of the peer's offer.
    feeds: the stream that its tracks feed, if it sends. shows: the session whose pictures it gets, if it
        watches; with the sound of `sound`, by default of its own stream.
    """

    def __init__(
        self,
        options: ServeOptions,
        networks: AllowedNetworks,
        address: str,
        closed: Callable[[str], None],
        *,
        feeds: Stream | None = None,
        shows: Session | None = None,
        sound: Stream | None = None,
    ) -> None:
        self.address = address
        self.secret = secrets.token_urlsafe(18)
        self.etag = f'"{secrets.token_urlsafe(9)}"'
        self.ufrags: frozenset[str] = frozenset()
        self._options = options
        self._networks = networks
        self._closed = closed
        self._feeds = feeds
        self._shows = shows
        self._sound = sound or feeds
        self._session = shows or (feeds.session if feeds is not None else None)
        # An empty list: aiortc's default is a public STUN server.
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._tasks: set[asyncio.Task[None]] = set()
        self._tracks: list[MediaStreamTrack] = []
        self._channel: _Channel | None = None
        self._over = False
        self.connection.on("datachannel", self._take_channel)
        self.connection.on("connectionstatechange", self._state_changed)

    async def answer(self, offer: CheckedOffer) -> str:
        """The answer to `offer`. Raises RefusedError when the connection cannot be made of it."""
        self.ufrags = offer.ufrags
        try:
            await self.connection.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
            guard_ice(self.connection, self._networks)
            if not offer.is_passive and (self._feeds is None or self._shows is None):
                answer_passively(self.connection)
            self._connect_tracks()
            answer = await self.connection.createAnswer()
            await self.connection.setLocalDescription(answer)
        except _BAD_OFFER as error:
            raise RefusedError(400, f"the offer cannot be answered: {_one_line(error)}") from error
        self._spawn(self._watch())
        return offer.answer(self.connection.localDescription.sdp)

    def _connect_tracks(self) -> None:
        """Connect every media section of the offer with the stream and the session."""
        sent_video = 0
        for transceiver in self.connection.getTransceivers():
            receives = transceiver._offerDirection in ("sendrecv", "sendonly")
            if self._offers(transceiver):
                self._receive(transceiver)
            if receives and self._shows is not None:
                if transceiver.kind == "video" and sent_video < 2:
                    self._send(transceiver, FilteredTrack(self._shows.results, original=sent_video == 1))
                    sent_video += 1
                elif transceiver.kind == "audio" and self._sound is not None:
                    sound = self._sound.audio()
                    if sound is not None:
                        self._send(transceiver, sound)

    def _receive(self, transceiver: RTCRtpTransceiver) -> None:
        """Feed the stream, or drop what comes. Bounds and low delay hold for both."""
        track, feeds = transceiver.receiver.track, self._feeds
        limits = self._options.limits
        tune_receiver(
            transceiver.receiver,
            width_px=limits.width_px,
            height_px=limits.height_px,
            on_too_large=feeds.refuse_size if feeds is not None else None,
        )
        if not (feeds is not None and feeds.take(track)) and track is not None:
            self._spawn(drain(track))

    def _send(self, transceiver: RTCRtpTransceiver, track: MediaStreamTrack) -> None:
        transceiver.sender.replaceTrack(track)
        transceiver.direction = "sendrecv" if self._offers(transceiver) else "sendonly"
        if transceiver.kind == "video":
            options = self._options
            prefer_codec(transceiver, options.codec)
            tune_sender(transceiver.sender, bitrate_bps=options.bitrate_bps, fps=options.limits.fps)
        self._tracks.append(track)

    @staticmethod
    def _offers(transceiver: RTCRtpTransceiver) -> bool:
        """Whether the peer sends in this section."""
        return transceiver._offerDirection in ("sendrecv", "recvonly")

    def _take_channel(self, channel: RTCDataChannel) -> None:
        if channel.label == CHANNEL and self._session is not None and self._channel is None:
            self._channel = _Channel(channel, self._session)
        else:
            channel.close()

    async def _state_changed(self) -> None:
        if self.connection.connectionState in ("failed", "closed"):
            failed = any(each.state == "failed" for each in transports_of(self.connection))
            self._finish(DTLS_FAILED if failed else "the connection was lost or closed by the peer")

    async def _watch(self) -> None:
        """Close a peer that never connects, sends no pictures, or whose session ended."""
        limits = self._options.limits
        waited_s = 0.0
        while not self._over:
            await asyncio.sleep(_CHECK_S)
            waited_s += _CHECK_S
            if self._session is not None:
                self._session.notify_state()
                if self._session.state == "ended":
                    return self._finish("the session ended")
            if self.connection.connectionState != "connected":
                if waited_s >= limits.ice_s:
                    return self._finish(f"no connection within {limits.ice_s:g} s")
            elif self._feeds is not None and self._feeds.session.silent_s > limits.idle_s:
                return self._finish(f"no picture for {limits.idle_s:g} s")
        return None

    def _finish(self, reason: str) -> None:
        if not self._over:
            self._over = True
            self._closed(reason)

    async def close(self) -> None:
        """Hang up and release everything. May be called twice."""
        self._over = True
        if self._channel is not None:
            self._channel.leave()
        for track in self._tracks:
            track.stop()
        current = asyncio.current_task()
        for task in self._tasks:
            if task is not current:
                task.cancel()
        try:
            await asyncio.wait_for(self.connection.close(), _CLOSE_S)
        except asyncio.TimeoutError:
            _log.warning("a connection did not close within %g s and is given up", _CLOSE_S)

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Channel:
    """The messages of `session` over a peer's data channel, until `leave`."""

    def __init__(self, channel: RTCDataChannel, session: Session) -> None:
        self._channel = channel
        self._session = session
        self._budget = MessageBudget()
        self.leave = session.listen(self._send)
        channel.on("message", self._received)
        channel.on("close", self.leave)

    def _received(self, text: str | bytes) -> None:
        if self._budget.spend():
            handle(self._session, text, self._send)

    def _send(self, message: Json) -> None:
        channel = self._channel
        if channel.readyState != "open":
            return
        if channel.bufferedAmount > _MOST_BUFFERED and message["type"] in ("timings", "pong", "error"):
            return
        try:
            channel.send(json.dumps(message, separators=(",", ":")))
        except (InvalidStateError, ConnectionError):
            self.leave()


def _one_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0][:120]}" if lines else type(error).__name__
