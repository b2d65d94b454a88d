"""Admission: caps, the load of the processors, and what one more session costs."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtfilter.serve.app.admission import (
    GUESSED_COST,
    WATCHER_SHARE,
    WINDOW_S,
    YOUNG_S,
    Load,
    Member,
    Processors,
    admit,
    processor_count,
)
from rtfilter.serve.gate.options import Limits
from rtfilter.serve.gate.refusals import RefusedError

OLD = YOUNG_S + 1
IDLE = Load(count=8.0, own=0.0, idle=8.0)


def refused(*arguments: object, **more: object) -> RefusedError:
    with pytest.raises(RefusedError) as error:
        admit(*arguments, **more)  # arguments of every kind, as the tests below give them
    assert error.value.retry_after_s
    assert "\n" not in str(error.value)
    return error.value


def test_caps_are_of_all_and_of_one_address() -> None:
    limits = Limits(sessions=3, sessions_per_address=2)
    members = [Member("a", OLD), Member("a", OLD)]
    admit(members, "b", limits, IDLE)
    assert refused(members, "a", limits, IDLE).status == 429
    members.append(Member("b", OLD, filters=False))
    assert refused(members, "c", limits, IDLE).status == 503


def test_the_first_is_let_in_however_busy_the_machine_is() -> None:
    admit([], "a", Limits(), Load(count=1.0, own=0.0, idle=0.0))


def test_one_more_is_let_in_while_there_is_room_for_what_one_costs() -> None:
    # Two sessions take 1.2 processors: one more takes 0.6.
    members = [Member("a", OLD), Member("b", OLD)]
    admit(members, "c", Limits(cpu_share=1.0), Load(count=2.0, own=1.2, idle=0.7))
    error = refused(members, "c", Limits(cpu_share=1.0), Load(count=2.0, own=1.2, idle=0.5))
    assert (error.status, "about 0.6 of 2" in str(error)) == (503, True)
    # Other programs count where the system has a counter of idle time; else only this one does.
    admit(members, "c", Limits(cpu_share=1.0), Load(count=2.0, own=1.2, idle=None))
    refused(members, "c", Limits(cpu_share=0.8), Load(count=2.0, own=1.2, idle=None))


def test_the_young_are_reckoned_with_before_they_are_measured() -> None:
    young = [Member("a", 0.5)]
    needed = GUESSED_COST * 1.5
    admit(young, "b", Limits(cpu_share=1.0), Load(count=needed + 0.01, own=0.0, idle=None))
    refused(young, "b", Limits(cpu_share=1.0), Load(count=needed - 0.01, own=0.0, idle=None))


def test_a_watcher_costs_less() -> None:
    members = [Member("a", OLD)]
    load = Load(count=2.0, own=1.0, idle=WATCHER_SHARE + 0.1)
    admit(members, "b", Limits(cpu_share=1.0), load, filters=False)
    refused(members, "b", Limits(cpu_share=1.0), load)


class Machine:
    """A clock that is set by hand, and a /proc/stat."""

    def __init__(self, folder: Path) -> None:
        self.now_s, self.own_s, self.idle_ticks = 100.0, 10.0, 5000
        self.stat = folder / "stat"
        self._write()
        self.processors = Processors(now_s=lambda: self.now_s, own_s=lambda: self.own_s, stat=self.stat)

    def passes(self, seconds: float, own: float, idle: float) -> None:
        self.now_s += seconds
        self.own_s += own * seconds
        self.idle_ticks += round(idle * seconds * 100)
        self._write()

    def _write(self) -> None:
        self.stat.write_text(f"cpu  1 2 3 {self.idle_ticks} 0 6 7 8 9 10\ncpu0 0 0 0 0\n")


def test_the_load_is_the_average_of_the_last_seconds(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    for _ in range(3):
        machine.passes(1.0, own=0.5, idle=1.25)
        machine.processors.sample()
    load = machine.processors.load()
    assert (load.count, round(load.own, 3)) == (processor_count(), 0.5)
    assert load.idle is not None
    assert round(load.idle, 3) == 1.25


def test_what_was_before_the_window_is_forgotten(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    for own in [2.0] * 10 + [0.25] * (int(WINDOW_S) + 1):
        machine.passes(1.0, own=own, idle=0.0)
        machine.processors.sample()
    assert round(machine.processors.load().own, 3) == 0.25


def test_without_proc_only_our_own_share_is_known(tmp_path: Path) -> None:
    times = iter([0.0, 2.0])
    processors = Processors(now_s=lambda: next(times), own_s=lambda: 0.0, stat=tmp_path / "none")
    assert processors.load().idle is None


def test_no_time_has_passed_yet(tmp_path: Path) -> None:
    processors = Processors(now_s=lambda: 5.0, own_s=lambda: 1.0, stat=tmp_path / "none")
    assert processors.load().own == 0.0
