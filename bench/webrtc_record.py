"""What a client is told and what it brings home: both cross a process boundary as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple


class Row(NamedTuple):
    """One received picture.

    number, time_us: its stamp; -1 when it could not be read. arrival_us: when it was decoded and at hand.
    pts: as received, 90 kHz. Times are microseconds on the client's own clock.
    """

    number: int
    time_us: int
    arrival_us: int
    pts: int


@dataclass(frozen=True, slots=True)
class ClientSpec:
    """What one client is to do.

    url, token: the server's. tuned: release pictures at the RTP marker, as browsers do.
    seconds: how long it records, after `warm_up_s` from the first picture on.
    codec: "vp8" or "h264". read_delay_s: how long it dawdles over every picture.
    controls: what the session starts with. channel: open the data channel.
    still: show one picture only. changes: wishes sent one after the other, `change_every_s` apart; how the
        picture answers is then recorded.
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
    channel: bool = False
    still: bool = False
    changes: list[dict[str, Any]] = field(default_factory=list)
    change_every_s: float = 1.5


@dataclass(frozen=True, slots=True)
class Change:
    """One wish and what came of it; -1 where nothing was seen.

    sent_us, sent_number: when it was sent, and the newest picture that was taken by then.
    seen_number, seen_us: the first picture that is visibly on its way to what the picture became, and when
        it arrived; half_number: the first that is half way there. applied_number: the first whose timings
        name this wish or a later one.
    """

    seq: int
    sent_us: int
    sent_number: int
    seen_number: int = -1
    seen_us: int = -1
    half_number: int = -1
    applied_number: int = -1


@dataclass(frozen=True, slots=True)
class ClientRecord:
    """What a client saw after its warm-up.

    rows: every picture in the order of arrival. given: pictures that its camera gave in that time;
    skipped: those that the camera's sender came too late for. stages_ms: the server's own, where it tells.
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
    """The inverse of `to_json` for a record. Raises ValueError or TypeError for what is none."""
    body = json.loads(text)
    rows = [Row(*row) for row in body.pop("rows")]
    changes = [Change(**change) for change in body.pop("changes")]
    return ClientRecord(rows=rows, changes=changes, **body)


def to_json(item: ClientSpec | ClientRecord) -> str:
    """One line."""
    return json.dumps(asdict(item))
