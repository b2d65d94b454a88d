"""The thread that helps: it runs beside its caller, elsewhere, and ends."""

from __future__ import annotations

import os
import threading

import pytest

from rtfilter.system.helper import HelperThread


def test_it_runs_in_a_thread_of_its_own_in_order() -> None:
    helper = HelperThread("test-helper")
    seen: list[int] = []
    results = [helper.submit(seen.append, k) for k in range(50)]
    for result in results:
        result.result(timeout=5)
    assert seen == list(range(50))
    assert helper.submit(threading.get_ident).result(timeout=5) != threading.get_ident()
    helper.close()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot place threads")
@pytest.mark.skipif(len(getattr(os, "sched_getaffinity", lambda _: [0])(0)) < 2, reason="one processor only")
def test_it_steps_aside_for_its_caller_and_for_nobody_else() -> None:
    helper = HelperThread("test-helper")
    mine = os.sched_getaffinity(0)
    helper.step_aside()
    theirs = helper.submit(os.sched_getaffinity, 0).result(timeout=5)
    assert len(theirs) == len(mine) - 1
    assert theirs < mine
    assert os.sched_getaffinity(0) == mine
    helper.close()


def test_after_closing_it_refuses_work_and_steps_nowhere() -> None:
    helper = HelperThread("test-helper")
    helper.close()
    helper.close()
    helper.step_aside()
    with pytest.raises(RuntimeError):
        helper.submit(print)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("test-helper")]
