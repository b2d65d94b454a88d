"""What every test starts from: default settings, and footage where a checkout has it beside it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

# A shell's background job ignores Ctrl-C, and so would all that the tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def config_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty XDG configuration folder, and no RTFILTER_* variables: a developer's own do not count."""
    home = tmp_path_factory.mktemp("config")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    for variable in [name for name in os.environ if name.startswith("RTFILTER_")]:
        monkeypatch.delenv(variable)
    return home


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of footage and judges beside the checkout; skips where there is none."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("needs the folder 'shared' (footage, models, eval) beside the checkout, which is missing")
    return folder


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the checkout."""
    return ROOT
