"""Messages of clients: parsed or refused briefly; and the controls that many threads change."""

from __future__ import annotations

import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtfilter.controls import EMOTIONS, Controls
from rtfilter.errors import UsageError
from rtfilter.serve.app.live_controls import LiveControls
from rtfilter.serve.app.messages import (
    LONGEST_MESSAGE,
    ChangeControls,
    ChoosePreset,
    Message,
    MessageError,
    Ping,
    SetPaused,
    merged,
    parse_message,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"type": "controls", "changes": {"mouth": 1}, "seq": 3}', ChangeControls({"mouth": 1}, 3)),
        ('{"type": "controls", "changes": {}}', ChangeControls({}, None)),
        ('{"type": "preset", "name": "calm", "seq": 0}', ChoosePreset("calm", 0)),
        ('{"type": "paused", "paused": false}', SetPaused(False)),
        ('{"type": "ping", "t": 5}', Ping(5.0)),
    ],
)
def test_messages_are_read(text: str, message: Message) -> None:
    assert parse_message(text) == message


@pytest.mark.parametrize(
    ("text", "part", "seq"),
    [
        ("", "JSON", None),
        (b'{"type": "ping", "t": 1}', "binary", None),
        ("x" * (LONGEST_MESSAGE + 1), str(LONGEST_MESSAGE), None),
        ("[" * 5000, "JSON", None),
        ('{"a":' * 20 + "1" + "}" * 20, "levels", None),
        ("3", "object", None),
        ('{"type": "ping", "t": NaN}', "JSON", None),
        ('{"type": "ping", "t": 1e999}', "number", None),
        (f'{{"type": "ping", "t": {"9" * 400}}}', "number", None),
        ('{"type": "ping", "t": true}', "number", None),
        ('{"type": "shout", "seq": 4}', "controls, preset, choose, paused, ping", 4),
        ('{"type": "controls", "seq": 5}', "changes", 5),
        ('{"type": "preset", "name": 1, "seq": 6}', "preset", 6),
        ('{"type": "paused", "paused": 1}', "true or false", None),
        ('{"type": "ping", "t": 1, "seq": -1}', "seq", None),
        ('{"type": "ping", "t": 1, "seq": 1.5}', "seq", None),
        ('{"type": "ping", "t": 1, "seq": true}', "seq", None),
    ],
)
def test_what_is_no_message_is_refused_in_one_line(text: str | bytes, part: str, seq: int | None) -> None:
    with pytest.raises(MessageError) as refused:
        parse_message(text)
    assert part in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 200
    assert refused.value.seq == seq


@given(JSON)
def test_any_json_is_a_message_or_refused(value: object) -> None:
    part = ""
    try:
        parse_message(json.dumps(value))
    except MessageError as error:
        part = str(error)
    assert len(part) < 300
    assert not part or part.isprintable()


@given(st.dictionaries(st.sampled_from([*Controls().as_dict(), "other"]), JSON, max_size=4))
def test_any_change_gives_valid_controls_or_is_refused(changes: dict[str, object]) -> None:
    before, part = Controls(emotions={"sad": 0.5}, mouth=0.25), ""
    after = before
    try:
        after = merged(before, changes)
    except UsageError as error:
        part = str(error)
    assert len(part) < 400
    for key in before.as_dict().keys() - changes.keys():
        assert after.as_dict()[key] == before.as_dict()[key]
    assert before == Controls(emotions={"sad": 0.5}, mouth=0.25)


def test_a_merge_patch_is_merged() -> None:
    before = Controls(emotions={"sad": 0.5, "happy": 0.25}, mouth=0.25, bypass=True)
    after = merged(before, {"emotions": {"happy": None, "angry": 1}, "mouth": None, "arousal": 0.5})
    assert after == Controls(emotions={"sad": 0.5, "angry": 1}, arousal=0.5, bypass=True)
    assert merged(before, {"emotions": None}).emotions == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"intensity": 10**400},
        {"emotions": {"x" * 10_000: 1}},
        {"emotions": {"happy": "y" * 10_000}},
        {"bypass": "z" * 10_000},
        {"w" * 10_000: 1},
    ],
)
def test_monsters_are_refused_briefly(changes: dict[str, object]) -> None:
    with pytest.raises(UsageError) as refused:
        merged(Controls(), changes)
    assert len(str(refused.value)) < 300


def test_the_number_is_of_the_last_numbered_change() -> None:
    live = LiveControls(Controls())
    assert live.newest == (Controls(), None)
    live.change({"mouth": 0.5}, 4)
    live.change({"arousal": 0.5})
    assert live.newest == (Controls(mouth=0.5, arousal=0.5), 4)
    live.replace(Controls())
    assert live.newest == (Controls(), 4)


def test_a_wrong_change_changes_nothing_and_notifies_no_listener() -> None:
    live = LiveControls(Controls(mouth=0.5))
    got: list[object] = []
    live.listen(lambda controls, seq: got.append((controls, seq)))
    with pytest.raises(UsageError):
        live.change({"mouth": 0.25, "arousal": 5}, 1)
    assert live.newest == (Controls(mouth=0.5), None)
    assert got == []


def test_a_preset_replaces_the_mix_and_keeps_the_trade_off() -> None:
    live = LiveControls(Controls(emotions={"sad": 1}, mouth=0.25, valence=0.5, bypass=True))
    live.choose({"emotions": {"happy": 0.5}, "intensity": 0.75})
    assert live.current == Controls(emotions={"happy": 0.5}, mouth=0.25, intensity=0.75)


def test_listeners_are_called_until_they_leave() -> None:
    live = LiveControls(Controls())
    got: list[int | None] = []
    leave = live.listen(lambda _, seq: got.append(seq))
    live.change({}, 1)
    leave()
    live.change({}, 2)
    assert got == [1]


def test_changes_from_many_threads_are_all_kept() -> None:
    live = LiveControls(Controls())

    def change(name: str) -> None:
        for step in range(200):
            live.change({"emotions": {name: step / 199}})

    threads = [threading.Thread(target=change, args=(name,)) for name in EMOTIONS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert live.current.emotions == dict.fromkeys(EMOTIONS, 1.0)
