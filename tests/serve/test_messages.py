"""Messages of clients: what is understood, and in how many words the rest is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtfilter.controls import Controls
from rtfilter.errors import UsageError
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
    ("text", "said", "seq"),
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
        ('{"type": "shout", "seq": 4}', "controls, preset, paused, ping", 4),
        ('{"type": "controls", "seq": 5}', "changes", 5),
        ('{"type": "preset", "name": 1, "seq": 6}', "preset", 6),
        ('{"type": "paused", "paused": 1}', "true or false", None),
        ('{"type": "ping", "t": 1, "seq": -1}', "seq", None),
        ('{"type": "ping", "t": 1, "seq": 1.5}', "seq", None),
        ('{"type": "ping", "t": 1, "seq": true}', "seq", None),
    ],
)
def test_what_is_no_message_is_refused_in_one_line(text: str | bytes, said: str, seq: int | None) -> None:
    with pytest.raises(MessageError) as refused:
        parse_message(text)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 200
    assert refused.value.seq == seq


@given(JSON)
def test_any_json_is_a_message_or_refused(value: object) -> None:
    said = ""
    try:
        parse_message(json.dumps(value))
    except MessageError as error:
        said = str(error)
    assert len(said) < 300
    assert not said or said.isprintable()


@given(st.dictionaries(st.sampled_from([*Controls().as_dict(), "other"]), JSON, max_size=4))
def test_any_change_gives_a_valid_wish_or_is_refused(changes: dict[str, object]) -> None:
    before, said = Controls(emotions={"sad": 0.5}, mouth=0.25), ""
    after = before
    try:
        after = merged(before, changes)
    except UsageError as error:
        said = str(error)
    assert len(said) < 400
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
