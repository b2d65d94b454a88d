"""No process outlives the one that started it: killed, politely or not, or ended by an error."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from rtfilter.system.tied import TiedProcess, run_tied

ROOT = Path(__file__).resolve().parents[2]
GUARD_S = 60.0
# A parent with a child that is busy, and one with a child of its own; prints who is there, then waits.
_FAMILY = """
import sys, time
from rtfilter.system.tied import TiedProcess
grandchild = "import time; print('up', flush=True); time.sleep(600)"
child = f'''
from rtfilter.system.tied import TiedProcess
import subprocess
process = TiedProcess(["-c", {grandchild!r}], stdout=subprocess.PIPE)
print(process.stdout.readline(), process.pid, flush=True)
process.wait()
'''
import subprocess
busy = TiedProcess(["-c", "print('up', flush=True)\\nwhile True: pass"], stdout=subprocess.PIPE)
nested = TiedProcess(["-c", child], stdout=subprocess.PIPE)
busy.stdout.readline(), nested.stdout.readline()
print("up", flush=True)
input()
raise SystemExit("an error")
"""


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL", "error"])
def test_children_and_theirs_end_with_the_parent(how: str) -> None:
    if how != "error" and not hasattr(signal, how):
        pytest.skip(f"needs {how}, which this system lacks")
    parent = subprocess.Popen(
        [sys.executable, "-c", _FAMILY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
    )
    family: list[psutil.Process] = []
    try:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"up\n"
        family = psutil.Process(parent.pid).children(recursive=True)
        assert len(family) == 3
        if how == "error":
            parent.communicate(b"\n", GUARD_S)
        else:
            parent.send_signal(getattr(signal, how))
        parent.wait(GUARD_S)
        assert psutil.wait_procs(family, GUARD_S)[1] == []
    finally:
        parent.kill()
        for process in family:
            if process.is_running():
                process.kill()


def test_it_runs_as_python_itself_would(tmp_path: Path) -> None:
    script = "import sys; print(sys.argv, __name__); print('said', file=sys.stderr); sys.exit(7)"
    done = run_tied(["-c", script, "a", "-m"], GUARD_S)
    assert (done.returncode, done.stdout, done.stderr) == (7, "['-c', 'a', '-m'] __main__\n", "said\n")
    (tmp_path / "mine.py").write_text("import sys; print(sys.argv[1:], __name__, __file__)")
    done = run_tied(["-m", "mine", "x"], GUARD_S, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.stdout == f"['x'] __main__ {tmp_path / 'mine.py'}\n", done.stderr


def test_one_that_takes_too_long_has_ended() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        run_tied(["-c", "import time; time.sleep(600)"], 0.5)
    with TiedProcess(["-c", "import time; time.sleep(600)"]) as process:
        assert process.poll() is None
    assert process.poll() is not None


def test_python_of_ours_is_started_in_no_other_way() -> None:
    """Except other programs, with a time limit."""
    starts = re.compile(r"\b(Popen\(|subprocess\.run\(|create_subprocess_\w+\(|os\.fork\(|os\.posix_spawn)")
    found = {
        str(path.relative_to(ROOT))
        for folder in ("rtfilter", "bench", "engines", "kernels", "scripts")
        for path in (ROOT / folder).rglob("*.py")
        if starts.search(path.read_text(encoding="utf-8"))
        and not any(path.is_relative_to(ROOT / "rtfilter" / part) for part in ("kernels", "engines", "bench"))
    }
    others = {"rtfilter/system/machine.py", "engines/prepare/fetch.py", "tests/host_gpu/build.py"}
    # The editor is the user's own program, which only the user ends.
    assert found - others <= {"rtfilter/cli/config.py"}
    for name in others:
        text = (ROOT / name).read_text(encoding="utf-8")
        assert len(re.findall(r"subprocess\.run\(", text)) == len(re.findall(r"timeout=", text)), name
