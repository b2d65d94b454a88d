"""What must not be committed: paths of one machine, and names of package hosts."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Written so that this file does not find itself.
FORBIDDEN = {
    "a path of one machine": re.compile(
        r"(?<![\w.$}])/" + r"(?:work|root|tmp/venv|home/[a-z_][a-z0-9_-]*|Users/[A-Za-z])(?:/|\b)"
    ),
    "a package host": re.compile(
        r"pypi\." + r"(?:org|python)|pythonhosted|files\.pyt" + r"hon"
        r"|index[-_]url\s*[=:]|find[-_]links\s*[=:]"
        r"|pypi\.nvidia|download\.pytorch|conda\.anaconda",
        re.IGNORECASE,
    ),
}  # fmt: skip


def committed_text() -> list[tuple[str, str]]:
    """Name and text of every committed text file. Skips outside a git checkout."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("needs git and a checkout: this is an unpacked archive")
    listed = subprocess.run([git, "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, timeout=60)
    texts = []
    for name in listed.stdout.decode().split("\0"):
        path = ROOT / name
        if not name or path.is_symlink() or not path.is_file():
            continue
        data = path.read_bytes()
        if b"\0" not in data:
            texts.append((name, data.decode("utf-8")))
    return texts


@pytest.mark.parametrize("what", FORBIDDEN)
def test_nothing_committed_names(what: str) -> None:
    texts = committed_text()
    assert len(texts) > 10
    found = [
        f"{name}:{number}: {line.strip()[:80]}"
        for name, text in texts
        if name != "tests/test_hygiene.py"
        for number, line in enumerate(text.splitlines(), start=1)
        if FORBIDDEN[what].search(line)
    ]
    assert not found


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("a path of one machine", "cd /" + "work/main"),
        ("a path of one machine", "open('/" + "home/ann/x')"),
        ("a package host", "--index-" + "url=x"),
        ("a package host", "https://py" + "pi.org/simple"),
    ],
)
def test_the_search_finds(what: str, line: str) -> None:
    assert FORBIDDEN[what].search(line)


def test_symlinks_stay_inside() -> None:
    for name in ("kernels", "engines"):
        link = ROOT / "rtfilter" / name
        assert link.is_symlink()
        assert link.resolve() == ROOT / name
