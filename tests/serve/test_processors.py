"""How busy the processors are, from counters of our own."""

from __future__ import annotations

from pathlib import Path

from rtfilter.serve.app.admission import WINDOW_S, Processors, processor_count


class Machine:
    """Time that passes as told, and a /proc/stat."""

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
