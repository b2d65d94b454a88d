"""What was made before a fork: works in the child, or says why not; nothing hangs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import clips

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

FILTERING = """
import os, sys
from rtfilter import Controls, FaceFilter
from rtfilter.sources.demo import DemoSource
demo = DemoSource(320, 240)
frames = [demo.frame(seq) for seq in range(12, 24)]
face_filter = FaceFilter(lane="cpu", fade_s=0.0)
happy = Controls({"happy": 1.0})

def work():
    shown = [face_filter.step(frame, happy).frame for frame in frames[6:]]
    face_filter.close()
    assert all(frame.changed is not None for frame in shown), "no edit"
    return shown[-1].rgb.tobytes()

for frame in frames[:6]:
    face_filter.step(frame, happy)
"""
BY_FORK = """
child = os.fork()
if child == 0:
    work()
    sys.exit(0)  # an ordinary end, with all that is closed at one
assert os.waitpid(child, 0)[1] == 0
work()  # and the parent's goes on
"""
BY_MULTIPROCESSING = """
import multiprocessing
with multiprocessing.get_context("fork").Pool(2) as pool:
    there = [pool.apply_async(work) for _ in range(2)]
    here = work()
    assert [each.get(60) for each in there] == [here, here]
"""


def run(program: str, timeout_s: float = 90.0) -> subprocess.CompletedProcess[str]:
    """In a process of its own, which may hang and then fails the test."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", program],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env=environment,
        check=False,
    )


@pytest.mark.parametrize("program", [BY_FORK, BY_MULTIPROCESSING], ids=["fork", "multiprocessing"])
def test_a_filter_works_on_in_a_forked_process(program: str) -> None:
    done = run(FILTERING + program)
    assert done.returncode == 0, done.stderr


def test_a_filter_that_a_forked_process_only_closes_is_closed() -> None:
    done = run(
        FILTERING
        + """
child = os.fork()
if child == 0:
    face_filter.close()
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
work()
"""
    )
    assert done.returncode == 0, done.stderr


def test_a_reader_of_a_file_says_that_it_belongs_to_its_process(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clips.clip(clip)
    done = run(
        f"""
import os, sys
from rtfilter.errors import UsageError
from rtfilter.sources.file import FileSource
source = FileSource({str(clip)!r})
source.read()
child = os.fork()
if child == 0:
    try:
        while source.read() is not None:
            pass
    except UsageError as error:
        assert "before a fork" in str(error), error
        os._exit(7)
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert source.read() is not None
""",
        30.0,
    )
    assert done.returncode == 0, done.stderr


def test_a_gpu_is_refused_in_a_forked_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a GPU: the guard alone, on a filter that stands in its lane for one."""
    from rtfilter import Controls, FaceFilter, Frame, RtfilterError
    from tests.faces import ScriptedTracker, builtin, face_px, texture

    one = FaceFilter(tracker=ScriptedTracker([face_px()]), model=builtin())
    monkeypatch.setattr(type(one._lane), "name", "cuda")
    child = os.getpid() + 1
    monkeypatch.setattr(os, "getpid", lambda: child)
    with pytest.raises(RtfilterError, match=r"works on a GPU, was made in process .* spawn"):
        one.step(Frame.from_rgb(texture()), Controls())
    monkeypatch.undo()
    one.close()
