"""A command watched by strace: which files it wrote, and which addresses it bound, asked or reached."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

import pytest

_FILES = "open openat openat2 creat mkdir mkdirat rename renameat renameat2 link linkat symlink symlinkat"
_CALLS = f"trace=%network,{_FILES.replace(' ', ',')}"
_LINE = re.compile(r"(\w+)\((.*)\)\s+= (-?\d+)(?:<([^>]*)>)?")
_WRITES = re.compile(r"\bO_(?:WRONLY|RDWR|CREAT)\b")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ADDRESS = re.compile(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"')


@dataclass
class Trace:
    """What a command and its children did. written: files and folders. hosts: addresses beyond loopback.

    sockets: how many of IPv4 and IPv6 were made. services: sockets of the machine that were called, such as
    the one for looking up names.
    """

    code: int = 0
    output: str = ""
    written: set[Path] = field(default_factory=set)
    hosts: set[str] = field(default_factory=set)
    services: set[str] = field(default_factory=set)
    sockets: int = 0


@dataclass(frozen=True)
class Person:
    """A user who starts anew: an empty home, an empty folder for temporary files, and one to work in."""

    home: Path
    temporary: Path
    work: Path

    @classmethod
    def below(cls, folder: Path) -> Person:
        person = cls(folder / "home", folder / "tmp", folder / "work")
        for place in (person.home, person.temporary, person.work):
            place.mkdir()
        return person

    def environment(self) -> dict[str, str]:
        root = Path(__file__).resolve().parents[1]
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "PYTHONPATH": str(root),
            "PYTHONDONTWRITEBYTECODE": "1",
        }


def needs_strace() -> None:
    """Skips where commands cannot be watched."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace, which is missing: scripts/test_tools.sh installs it")
    done = subprocess.run(["strace", "-qq", "-o", os.devnull, "true"], capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"strace may not watch here: {done.stderr.decode(errors='replace').strip()[:100]}")


def traced(
    person: Person,
    arguments: list[str],
    *,
    extra: Mapping[str, str] | None = None,
    meanwhile: Callable[[subprocess.Popen[str]], None] | None = None,
    limit_s: float = 120.0,
) -> Trace:
    """Run Python with `arguments` as `person`. meanwhile: what to do while it runs; then it is ended."""
    logs = person.work.parent / f"trace-{len(list(person.work.parent.iterdir()))}"
    logs.mkdir()
    # A file for each thread, so that no line is cut by another's.
    command = ["strace", "-ff", "-qq", "-y", "-e", _CALLS, "-o", str(logs / "t"), sys.executable, *arguments]
    process = subprocess.Popen(
        command,
        cwd=person.work,
        env={**person.environment(), **(extra or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        if meanwhile is not None:
            meanwhile(process)
            os.killpg(process.pid, signal.SIGTERM)
        output, _ = process.communicate(timeout=limit_s)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    trace = Trace(process.returncode, output)
    for log in logs.iterdir():
        for line in log.read_text(errors="replace").splitlines():
            _read(line, person, trace)
    return trace


def _read(line: str, person: Person, trace: Trace) -> None:
    found = _LINE.match(line)
    if found is None:
        return
    call, arguments, result, place = found.groups()
    if call in ("open", "openat", "openat2", "creat"):
        # A file without a name is gone when it is closed; one that gets a name later is seen then.
        nameless = "O_TMPFILE" in arguments
        if place and not nameless and (call == "creat" or _WRITES.search(arguments)):
            trace.written.add(Path(place))
    elif call.startswith(("mkdir", "rename", "link", "symlink")):
        if result == "0":
            trace.written.add(person.work / _TEXT.findall(arguments)[-1])
    else:
        trace.sockets += call == "socket" and "AF_INET" in arguments
        _addresses(call, arguments, trace)


def _addresses(call: str, arguments: str, trace: Trace) -> None:
    if not call.startswith(("bind", "connect", "send", "accept")):  # the others tell what the machine has
        return
    for four, six in _ADDRESS.findall(arguments):
        if not ip_address(four or six).is_loopback:
            trace.hosts.add(f"{call} {four or six}")
    if call == "connect" and "AF_UNIX" in arguments:
        trace.services.update(_TEXT.findall(arguments))
