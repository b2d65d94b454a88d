"""`Peer`: one RTCPeerConnection, what it sends and takes, and its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.exceptions import InvalidAccessError, InvalidStateError, OperationError
from aiortc.mediastreams import MediaStreamTrack
from aiortc.rtcrtptransceiver import RTCRtpTransceiver

from rtfilter.serve.app.events import ChannelListener
from rtfilter.serve.app.session import Session
from rtfilter.serve.app.stream import Stream
from rtfilter.serve.gate.networks import AllowedNetworks
from rtfilter.serve.gate.options import ServeOptions
from rtfilter.serve.gate.refusals import RefusedError
from rtfilter.serve.gate.sdp_offer import CheckedOffer
from rtfilter.serve.gate.transports import DTLS_FAILED, answer_passively, guard_ice, transports_of
from rtfilter.serve.rtc.tracks import FilteredTrack, drain
from rtfilter.serve.rtc.tuning import prefer_codec, tune_receiver, tune_sender

CHANNEL = "rtfilter"
_CLOSE_S = 5.0
_CHECK_S = 1.0

_log = logging.getLogger(__name__)


class Peer:
    """Answers one offer. All calls belong to the event loop's thread.

    takes: the stream that its tracks feed, for who sends. gives: the session whose pictures it gets, for
    who watches; a peer that does both has both. closed: told once, with the reason, when it is over.
    """

    def __init__(
        self,
        options: ServeOptions,
        networks: AllowedNetworks,
        closed: Callable[[str], None],
        *,
        takes: Stream | None = None,
        gives: Session | None = None,
        sound_of: Stream | None = None,
    ) -> None:
        self._options = options
        self._closed = closed
        self._takes = takes
        self._gives = gives
        self._sound_of = sound_of
        self._networks = networks
        # Without this list, a public STUN server would be asked who we are.
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._tasks: set[asyncio.Task[None]] = set()
        self._tracks: list[MediaStreamTrack] = []
        self._channel: ChannelListener | None = None
        self._over = False
        self.connection.on("datachannel", self._take_channel)
        self.connection.on("connectionstatechange", self._state_changed)

    async def answer(self, offer: CheckedOffer) -> str:
        """The answer to `offer`. Raises RefusedError when the connection cannot be made of it."""
        try:
            await self.connection.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
            guard_ice(self.connection, self._networks)
            if not offer.is_passive and (self._takes is None or self._gives is None):
                answer_passively(self.connection)
            self._connect_tracks()
            answer = await self.connection.createAnswer()
            await self.connection.setLocalDescription(answer)
        except (
            ValueError,
            LookupError,
            AttributeError,
            AssertionError,
            TypeError,
            InvalidAccessError,
            InvalidStateError,
            OperationError,
        ) as error:
            # What a parser or a negotiation says of an offer that makes no sense.
            raise RefusedError(400, f"the offer cannot be answered: {_one_line(error)}") from error
        self._spawn(self._watch())
        return offer.answer(self.connection.localDescription.sdp)

    def _connect_tracks(self) -> None:
        """Give every media section of the offer what it is for."""
        sent_video = 0
        for transceiver in self.connection.getTransceivers():
            track = transceiver.receiver.track
            if self._offers(transceiver):
                self._tune(transceiver)
            taken = self._take(track, transceiver) if self._offers(transceiver) else False
            if self._wants(transceiver) and self._gives is not None:
                if transceiver.kind == "video" and sent_video < 2:
                    self._send(transceiver, FilteredTrack(self._gives.results, original=sent_video == 1))
                    sent_video += 1
                elif transceiver.kind == "audio" and self._sound_of is not None:
                    sound = self._sound_of.audio()
                    if sound is not None:
                        self._send(transceiver, sound)
            if not taken and track is not None and self._offers(transceiver):
                self._spawn(drain(track))

    def _take(self, track: MediaStreamTrack, transceiver: RTCRtpTransceiver) -> bool:
        """Feed the stream with `track`, when it has none of the kind yet."""
        stream = self._takes
        if stream is None or (stream.has_video if transceiver.kind == "video" else stream.has_audio):
            return False
        if transceiver.kind == "video":
            stream.take_video(track)
        else:
            stream.take_audio(track)
        return True

    def _tune(self, transceiver: RTCRtpTransceiver) -> None:
        """Bounds and low delay for what comes in, also for what is only drained."""
        limits = self._options.limits
        tune_receiver(
            transceiver.receiver,
            width_px=limits.width_px,
            height_px=limits.height_px,
            on_too_large=self._takes.refuse_size if self._takes is not None else None,
        )

    def _send(self, transceiver: RTCRtpTransceiver, track: MediaStreamTrack) -> None:
        transceiver.sender.replaceTrack(track)
        transceiver.direction = "sendrecv" if self._offers(transceiver) else "sendonly"
        if transceiver.kind == "video":
            prefer_codec(transceiver, self._options.codec)
            options = self._options
            tune_sender(transceiver.sender, bitrate_bps=options.bitrate_bps, fps=options.limits.fps)
        self._tracks.append(track)

    @staticmethod
    def _offers(transceiver: RTCRtpTransceiver) -> bool:
        return transceiver._offerDirection in ("sendrecv", "recvonly")

    @staticmethod
    def _wants(transceiver: RTCRtpTransceiver) -> bool:
        return transceiver._offerDirection in ("sendrecv", "sendonly")

    def _take_channel(self, channel: RTCDataChannel) -> None:
        session = self._gives or (self._takes.session if self._takes is not None else None)
        if channel.label == CHANNEL and session is not None and self._channel is None:
            self._channel = ChannelListener(channel, session)
        else:
            channel.close()

    async def _state_changed(self) -> None:
        if self.connection.connectionState in ("failed", "closed"):
            failed = any(each.state == "failed" for each in transports_of(self.connection))
            self._finish(DTLS_FAILED if failed else "the connection was lost or closed by the peer")

    async def _watch(self) -> None:
        """Close a peer that never connects, or has nothing to say any more."""
        limits = self._options.limits
        waited_s = 0.0
        while not self._over:
            await asyncio.sleep(_CHECK_S)
            waited_s += _CHECK_S
            session = self._gives or (self._takes.session if self._takes is not None else None)
            if session is not None:
                session.tell_state()
                if session.state == "ended":
                    return self._finish("the session ended")
            if self.connection.connectionState != "connected":
                if waited_s >= limits.ice_s:
                    return self._finish(f"no connection within {limits.ice_s:g} s")
            elif self._takes is not None and self._takes.session.silent_s > limits.idle_s:
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


def _one_line(error: Exception) -> str:
    said = str(error).splitlines()
    return f"{type(error).__name__}: {said[0][:120]}" if said else type(error).__name__
