"""What a client of the WebRTC benchmark is to do, and what it saw; both cross a process boundary as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple


class Row(NamedTuple):
    """One received picture.

    number, time_us: its stamp; -1 when it could not be read. arrival_us: when it was decoded and at hand.
    Times are microseconds on the client's own clock.
    """

    number: int
    time_us: int
    arrival_us: int


@dataclass(frozen=True, slots=True)
class ClientSpec:
    """The task of one client.

    url, token: the server's. tuned: release pictures at the RTP marker, as browsers do.
    seconds: length of the record, `warm_up_s` after the first picture. codec: "vp8" or "h264".
    read_delay_s: pause after every picture. controls: the session's first. still: send one picture only.
    changes: of the controls, sent over the data channel `change_every_s` apart; the reaction in the
        pictures is then recorded.
    """

    url: str
    token: str = ""
    tuned: bool = True
    width: int = 1280
    height: int = 720
    fps: int = 30
    seconds: float = 10.0
    warm_up_s: float = 2.0
    codec: str = "vp8"
    read_delay_s: float = 0.0
    controls: Mapping[str, Any] = field(default_factory=dict)
    still: bool = False
    changes: list[dict[str, Any]] = field(default_factory=list)
    change_every_s: float = 1.5


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the controls.

    sent_us, sent_number: when it was sent, and the newest picture that was taken by then.
    seen_number: the first picture that differs towards the final one; -1 where none does.
    """

    sent_us: int
    sent_number: int
    seen_number: int = -1


@dataclass(frozen=True, slots=True)
class ClientRecord:
    """What a client saw after its warm-up.

    rows: every picture in the order of arrival. given: pictures that its camera gave in that time;
    skipped: pictures that the camera's sender came too late for. stages_ms: the server's own percentiles.
    """

    rows: list[Row]
    given: int
    skipped: int
    changes: list[Change] = field(default_factory=list)
    stages_ms: dict[str, Any] = field(default_factory=dict)


def spec_from_json(text: str) -> ClientSpec:
    """The inverse of `to_json` for a spec."""
    return ClientSpec(**json.loads(text))


def record_from_json(text: str) -> ClientRecord:
    """The inverse of `to_json` for a record."""
    body = json.loads(text)
    rows = [Row(*row) for row in body.pop("rows")]
    changes = [Change(**change) for change in body.pop("changes")]
    return ClientRecord(rows=rows, changes=changes, **body)


def to_json(item: ClientSpec | ClientRecord) -> str:
    """One line."""
    return json.dumps(asdict(item))
