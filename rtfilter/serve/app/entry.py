"""`Entry`: what `sessions` keeps of one session."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from rtfilter.serve.app.admission import Member
from rtfilter.serve.app.peer import Peer
from rtfilter.serve.app.session import Session
from rtfilter.serve.app.stream import Stream

# A session without a picture for so long does not load the processors.
SILENT_S = 2.0
# The cost of a watcher is known from the beginning.
WATCHER_AGE_S = 60.0


@dataclass(slots=True)
class Entry:
    """A session, what feeds it, and its watchers by secret. stream, peer: None for the camera's session."""

    session: Session
    stream: Stream | None = None
    peer: Peer | None = None
    watchers: dict[str, Peer] = field(default_factory=dict)

    def members(self) -> Iterator[Member]:
        """Who of it takes part in the load of the machine."""
        if self.peer is not None:
            # A peer that vanished is noticed only after half a minute: without pictures it costs nothing.
            filters = self.session.silent_s < SILENT_S
            yield Member(self.peer.address, self.session.age_s, filters=filters)
        for watcher in self.watchers.values():
            yield Member(watcher.address, WATCHER_AGE_S, filters=False)
