"""What `make` installs for what: the demo gets what it needs, and no developers' tools."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def planned(target: str, venv: Path) -> list[str]:
    """The commands that `make` would run."""
    make = shutil.which("make") or pytest.skip("needs make")
    done = subprocess.run(
        [make, "--dry-run", target, f"VENV={venv}"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return [" ".join(line.split()) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(("target", "extras"), [("demo", ""), ("serve", " serve"), ("test", " dev")])
def test_a_target_installs_what_it_needs(target: str, extras: str, tmp_path: Path) -> None:
    setups = [line for line in planned(target, tmp_path / "venv") if "setup.sh" in line]
    assert setups == [f"bash scripts/setup.sh {tmp_path / 'venv'}{extras}"]


def test_development_has_what_the_others_need(tmp_path: Path) -> None:
    (touched,) = (line for line in planned("setup", tmp_path) if line.startswith("touch "))
    for stamp in touched.split()[1:]:
        Path(stamp).touch()
    for target in ("demo", "serve", "test"):
        assert not [line for line in planned(target, tmp_path) if "setup.sh" in line]


def test_the_demo_does_not_make_the_tests_believe_that_all_is_there(tmp_path: Path) -> None:
    (touched,) = (line for line in planned("demo", tmp_path) if line.startswith("touch "))
    for stamp in touched.split()[1:]:
        Path(stamp).touch()
    assert [line for line in planned("test", tmp_path) if "setup.sh" in line]
    assert [line for line in planned("serve", tmp_path) if "setup.sh" in line]
