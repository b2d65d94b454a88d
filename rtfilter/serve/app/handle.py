"""A client's message, applied to its session. Called by `api` (WebSocket) and `peer` (data channel)."""

from __future__ import annotations

from rtfilter.errors import UsageError
from rtfilter.serve.app.messages import (
    ChangeControls,
    ChooseFace,
    ChoosePreset,
    MessageError,
    Ping,
    SetPaused,
    parse_message,
)
from rtfilter.serve.app.session import Listener, Session


def handle(session: Session, text: str | bytes, reply: Listener) -> None:
    """Apply a client's message. `reply` gets pongs and errors, which concern that client alone."""
    seq: int | None = None
    try:
        message = parse_message(text)
        if isinstance(message, ChangeControls):
            seq = message.seq
            if message.people:
                session.controls.change_people(message.people, seq)
            if message.changes or not message.people:
                session.controls.change(message.changes, seq)
        elif isinstance(message, ChoosePreset):
            seq = message.seq
            session.choose_preset(message.name, seq, message.person)
        elif isinstance(message, ChooseFace):
            seq = message.seq
            session.look_at(message.x, message.y)
        elif isinstance(message, SetPaused):
            session.pause(message.paused)
        elif isinstance(message, Ping):
            reply({"type": "pong", "t": message.t})
    except UsageError as error:
        seq = error.seq if isinstance(error, MessageError) else seq
        reply({"type": "error", "error": str(error), "seq": seq})
