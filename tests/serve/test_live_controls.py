"""The wish that many change at once."""

from __future__ import annotations

import threading

import pytest

from rtfilter.controls import EMOTIONS, Controls
from rtfilter.errors import UsageError
from rtfilter.serve.app.messages import LiveControls


def test_the_number_is_of_the_last_numbered_change() -> None:
    live = LiveControls(Controls())
    assert live.newest == (Controls(), None)
    live.change({"mouth": 0.5}, 4)
    live.change({"arousal": 0.5})
    assert live.newest == (Controls(mouth=0.5, arousal=0.5), 4)
    live.replace(Controls())
    assert live.newest == (Controls(), 4)


def test_a_wrong_change_changes_nothing_and_tells_nobody() -> None:
    live = LiveControls(Controls(mouth=0.5))
    heard: list[object] = []
    live.listen(lambda controls, seq: heard.append((controls, seq)))
    with pytest.raises(UsageError):
        live.change({"mouth": 0.25, "arousal": 5}, 1)
    assert live.newest == (Controls(mouth=0.5), None)
    assert heard == []


def test_a_preset_replaces_the_mix_and_keeps_the_trade_off() -> None:
    live = LiveControls(Controls(emotions={"sad": 1}, mouth=0.25, valence=0.5, bypass=True))
    live.choose({"emotions": {"happy": 0.5}, "intensity": 0.75})
    assert live.current == Controls(emotions={"happy": 0.5}, mouth=0.25, intensity=0.75)


def test_listeners_hear_until_they_leave() -> None:
    live = LiveControls(Controls())
    heard: list[int | None] = []
    leave = live.listen(lambda _, seq: heard.append(seq))
    live.change({}, 1)
    leave()
    live.change({}, 2)
    assert heard == [1]


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
