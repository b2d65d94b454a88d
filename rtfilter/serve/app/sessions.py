"""`Sessions`: all sessions of one server and their peers. Only this file makes and ends them.

Called by `api` and `whip` for requests, and by `server` at its start and end.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import secrets
from collections.abc import Coroutine, Mapping
from typing import Any

from rtfilter.controls import Controls
from rtfilter.media.card import still_card
from rtfilter.presets import Preset
from rtfilter.profiles.profile import Profile
from rtfilter.serve.app.admission import Processors, admit, give_back_free_memory
from rtfilter.serve.app.entry import Entry
from rtfilter.serve.app.live_controls import LiveControls
from rtfilter.serve.app.metrics import Metrics
from rtfilter.serve.app.peer import Peer
from rtfilter.serve.app.pool import FilterPool
from rtfilter.serve.app.session import Session
from rtfilter.serve.app.steering import Steering
from rtfilter.serve.app.stream import Stream
from rtfilter.serve.app.wearing import LiveProfile
from rtfilter.serve.gate.networks import AllowedNetworks
from rtfilter.serve.gate.options import ServeOptions
from rtfilter.serve.gate.refusals import RefusedError
from rtfilter.serve.gate.sdp_offer import CheckedOffer

TIDY_AFTER_S = 1.0

_log = logging.getLogger(__name__)


class Sessions:
    """All calls belong to the event loop's thread. profile: whose skin a session paints at first."""

    def __init__(
        self,
        options: ServeOptions,
        presets: Mapping[str, Preset],
        pool: FilterPool,
        metrics: Metrics,
        profile: Profile | None = None,
    ) -> None:
        self._options = options
        self.presets = presets
        self._pool = pool
        self._profile = profile
        self._networks = AllowedNetworks(options)
        self._card = still_card(1280, 720, "Paused", "the picture comes back when it is switched on again")
        self._metrics = metrics
        self.processors = Processors()
        self._entries: dict[str, Entry] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._tidying: asyncio.TimerHandle | None = None
        metrics.watch(lambda: self.count, self.processors.load)

    @property
    def count(self) -> int:
        return len(self._entries)

    def networks_for(self, address: str) -> AllowedNetworks:
        """The networks that media may be exchanged with for a request from `address`."""
        return self._networks.for_peer(address or None)

    def all(self) -> list[Session]:
        return [entry.session for entry in self._entries.values()]

    def has(self, session_id: str) -> bool:
        return session_id in self._entries

    def find(self, session_id: str) -> Session:
        """Raises RefusedError 404."""
        return self._entry(session_id).session

    def add(self, session: Session) -> None:
        """Add a session that this process feeds itself: the camera's."""
        self._entries[session.id] = Entry(session)

    def replace_profile(self, name: str, profile: Profile | None) -> None:
        """Where a profile of this name is painted, or is to be in new sessions, paint this one, or none."""
        if self._profile is not None and self._profile.name == name:
            self._profile = profile
        for session in self.all():
            worn = session.profile.newest
            if worn is not None and worn.name == name:
                session.wear(profile)

    async def open_peer(
        self,
        kind: str,
        offer: CheckedOffer,
        address: str,
        controls: Controls | None = None,
        name: str | None = None,
    ) -> tuple[Session, Peer, str]:
        """A new session, the peer behind `offer` that feeds it, and the answer to that.

        Args:
            kind: "peer", which gets its picture back, or "whip".
            name: the session's id; random without.

        Raises:
            RefusedError: 503, 429, 409 for a name that is taken, 400 for an offer that cannot be answered.
        """
        session_id = name or secrets.token_urlsafe(9)
        self._admit(address)
        if session_id in self._entries:
            raise RefusedError(409, f"{session_id!r} is being sent already: end that, or choose another name")
        live = LiveControls(controls or self._options.controls)
        steering = Steering(live, LiveProfile(self._profile))
        faces = self._options.faces
        session = Session(session_id, kind, live, self.presets, steering=steering, faces=faces)

        def ended(reason: str) -> None:
            self._spawn(self._close_this(session, reason))

        stream = Stream(session, self._pool, self._options.limits, self._card, ended)
        shown = session if kind == "peer" else None
        peer = Peer(self._options, self.networks_for(address), address, ended, feeds=stream, shows=shown)
        self._entries[session_id] = Entry(session, stream, peer)
        self._metrics.opened(kind)
        session.listen(self._metrics.record)
        try:
            answer = await peer.answer(offer)
        except BaseException:
            await self._close_this(session, "the offer could not be answered")
            raise
        _log.info("session %s opened", session_id, extra={"session": session_id, "peer": address})
        return session, peer, answer

    async def open_watcher(self, session_id: str, offer: CheckedOffer, address: str) -> tuple[Peer, str]:
        """A watcher of a session, and the answer to its offer.

        Raises RefusedError as `open_peer` does, and 404.
        """
        entry = self._entry(session_id)
        self._admit(address, filters=False)

        def ended(_: str) -> None:
            self._spawn(self.close_watcher(session_id, peer.secret))

        peer = Peer(
            self._options,
            self.networks_for(address),
            address,
            ended,
            shows=entry.session,
            sound=entry.stream,
        )
        entry.watchers[peer.secret] = peer
        self._metrics.opened("whep")
        try:
            return peer, await peer.answer(offer)
        except BaseException:
            await self.close_watcher(session_id, peer.secret)
            raise

    def peer(self, session_id: str, watcher: str | None = None) -> Peer | None:
        """The peer that feeds a session, or the watcher with that secret; None where there is none."""
        entry = self._entries.get(session_id)
        if entry is None:
            return None
        return entry.peer if watcher is None else entry.watchers.get(watcher)

    async def close_watcher(self, session_id: str, secret: str) -> None:
        """End a watcher's connection, if it is still there."""
        entry = self._entries.get(session_id)
        peer = entry.watchers.pop(secret, None) if entry is not None else None
        if peer is not None:
            await peer.close()
            self._tidy_soon()

    async def close(self, session_id: str, reason: str) -> None:
        """End a session with its peer and watchers, if it is still there."""
        entry = self._entries.pop(session_id, None)
        if entry is None:
            return
        _log.info("session %s ended: %s", session_id, reason, extra={"session": session_id})
        if entry.stream is not None:
            await entry.stream.close(reason)
        else:
            entry.session.end(reason)
        for peer in (*entry.watchers.values(), entry.peer):
            if peer is not None:
                await peer.close()
        self._tidy_soon()

    async def _close_this(self, session: Session, reason: str) -> None:
        """Close `session`, but not a newer one of the same name."""
        entry = self._entries.get(session.id)
        if entry is not None and entry.session is session:
            await self.close(session.id, reason)

    async def close_all(self, reason: str) -> None:
        """End all sessions; the server stops."""
        await asyncio.gather(*(self.close(session_id, reason) for session_id in list(self._entries)))
        while self._closing:
            await asyncio.gather(*self._closing)
        if self._tidying is not None:
            self._tidying.cancel()

    def _tidy_soon(self) -> None:
        """Collect garbage shortly, once for all that close together.

        The parts of a connection refer to each other and hold encoders and decoders: megabytes that Python's
        collector does not count, so that by itself it runs after a hundred connections and more.
        """
        if self._tidying is None:
            self._tidying = asyncio.get_running_loop().call_later(TIDY_AFTER_S, self._tidy)

    def _tidy(self) -> None:
        self._tidying = None
        gc.collect()
        asyncio.get_running_loop().run_in_executor(None, give_back_free_memory)

    def _admit(self, address: str, filters: bool = True) -> None:
        members = [member for entry in self._entries.values() for member in entry.members()]
        admit(members, address, self._options.limits, self.processors.load(), filters=filters)

    def _entry(self, session_id: str) -> Entry:
        entry = self._entries.get(session_id)
        if entry is None:
            raise RefusedError(
                404, "no such session: it ended, or the server was started anew; connect again"
            )
        return entry

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run what closes a peer outside that peer's own task."""
        task = asyncio.create_task(coroutine)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
