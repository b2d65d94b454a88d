"""Who is let in."""

from __future__ import annotations

import pytest

from rtfilter.serve.app.admission import GUESSED_COST, WATCHER_SHARE, YOUNG_S, Load, Member, admit
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
    # Somebody else's programs count, where the system tells; else only our own do.
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
