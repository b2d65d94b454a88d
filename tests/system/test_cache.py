"""The cache folder: where it is, files whole or not at all, one writer at a time."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rtfilter.errors import InputError, UsageError
from rtfilter.system.cache import (
    CacheError,
    CacheFile,
    cache_folder,
    locked,
    made_once,
    unusable,
    write_cached,
)


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"RTFILTER_CACHE": "/a/b", "XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/a/b"),
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/rtfilter"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/h"}, "/h/.cache/rtfilter"),
        ({"RTFILTER_CACHE": "", "HOME": "/h"}, "/h/.cache/rtfilter"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux, whose folders these are")
def test_where_the_cache_is(environ: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RTFILTER_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(folder)


def test_where_nothing_can_be_kept_is_known_before(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert unusable(tmp_path / "not" / "yet") == ""
    assert "file cannot be used: Not a directory" in unusable(tmp_path / "file" / "cache")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_what_cannot_be_kept_is_made_and_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_bytes(b"")
    path = tmp_path / "file" / "cache" / "x"

    def write(content: bytes) -> None:
        write_cached(path, content)

    for _ in range(2):
        assert made_once(path, lambda: None, lambda: b"made", write) == b"made"
    (record,) = caplog.records
    assert "RTFILTER_CACHE" in record.getMessage()
    with pytest.raises(CacheError):
        made_once(path, lambda: None, lambda: b"made", write, required=True)


def test_a_relative_cache_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTFILTER_CACHE", "here")
    with pytest.raises(UsageError, match="RTFILTER_CACHE: expected an absolute path, got 'here'"):
        cache_folder()


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    """Below a file no folder can be made, for nobody."""
    (tmp_path / "file").write_bytes(b"")
    path = tmp_path / "file" / "deeper" / "x"
    with pytest.raises(InputError, match=r"deeper: x \(3 bytes\) cannot be written: .*RTFILTER_CACHE"):
        write_cached(path, b"abc")
    with pytest.raises(InputError, match=r"deeper: cannot be written: .*RTFILTER_CACHE"), locked(path):
        pytest.fail("entered")


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of a process, which Windows does not have")
def test_a_full_disk_leaves_the_older_file(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: the write fails in its middle, as it does there."""
    path = tmp_path / "file"
    path.write_bytes(b"older")
    code = (
        "import resource, signal, sys; from pathlib import Path;"
        "from rtfilter.system.cache import write_cached;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536));"
        "write_cached(Path(sys.argv[1]), bytes(200_000))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert "CacheError" in done.stderr.splitlines()[-1]
    assert "File too large" in done.stderr
    assert path.read_bytes() == b"older"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


HOLDER = (
    "import sys, time; from pathlib import Path; from rtfilter.system.cache import locked\n"
    "with locked(Path(sys.argv[1])):\n"
    "    print('held', flush=True); time.sleep(60)"
)


def hold(path: Path) -> subprocess.Popen[str]:
    """Another process that has the lock by now."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_lock_keeps_other_processes_out_until_its_holder_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "plan"
    holder = hold(path)
    try:
        with pytest.raises(InputError, match=r"plan: another process has been making it for 0 s"):  # noqa: SIM117
            with locked(path, limit_s=0.2):
                pytest.fail("entered")
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with locked(path, limit_s=5.0):
        pass
    with locked(path, limit_s=5.0):
        pass


def test_who_waits_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "plan"
    holder = hold(path)
    threading.Timer(1.5, lambda: os.kill(holder.pid, signal.SIGKILL)).start()
    with caplog.at_level(logging.WARNING), locked(path, limit_s=20.0):
        pass
    holder.wait()
    assert [record.getMessage() for record in caplog.records] == [
        f"waiting for another process that is making {path}"
    ]


def test_a_lock_is_between_threads_too_and_freed_by_an_error(tmp_path: Path) -> None:
    path = tmp_path / "plan"
    inside: list[int] = []
    most: list[int] = []

    def enter(number: int) -> None:
        with locked(path, limit_s=20.0):
            inside.append(number)
            most.append(len(inside))
            time.sleep(0.05)
            inside.remove(number)

    threads = [threading.Thread(target=enter, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1, 1]
    with pytest.raises(ZeroDivisionError), locked(path):
        raise ZeroDivisionError
    with locked(path, limit_s=0.0):
        pass


def never() -> bytes:
    pytest.fail("made anew")


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda data: data[:-1], "is cut short: it holds 9 of 10 bytes"),
        (lambda data: data[:-1] + b"?", "is damaged: its checksum is wrong"),
        (lambda data: data[:30], "is damaged: its header is not readable"),
        (lambda data: b"", "was not written by this rtfilter"),
        (lambda data: data.replace(b"flour", b"sugar"), "belongs to something else"),
    ],
)
def test_only_a_whole_file_of_the_same_thing_is_used(
    damage: Callable[[bytes], bytes], problem: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = CacheFile(tmp_path / "cake", {"of": "flour"})
    assert file.get(lambda: b"ten bytes.") == b"ten bytes."
    assert file.get(never) == b"ten bytes."
    file.path.write_bytes(damage(file.path.read_bytes()))
    assert file.get(lambda: b"anew") == b"anew"
    assert [record.getMessage() for record in caplog.records] == [f"{file.path} {problem}; it is made anew"]
    assert file.get(never) == b"anew"


def test_a_file_that_cannot_be_read_is_an_error_that_names_its_folder(tmp_path: Path) -> None:
    (tmp_path / "cake").mkdir()
    with pytest.raises(CacheError, match=r"cake cannot be read: Is a directory.*RTFILTER_CACHE"):
        CacheFile(tmp_path / "cake", {}).read()
