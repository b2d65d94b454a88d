"""What doctor says of the server: ready, not installed, or of a release that nobody has proven."""

from __future__ import annotations

import importlib.util

import pytest

from rtfilter.cli.doctor_software import OK, WARN, check_server
from rtfilter.serve.gate import transports
from rtfilter.system.installation import install_extra


def test_it_is_ready_here() -> None:
    assert [check.status for check in check_server()] == [OK]


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "aiohttp" else find(name))
    (check,) = check_server()
    assert (check.status, check.detail) == (WARN, "not installed: aiohttp")
    assert install_extra("serve") in check.fix


def test_an_unproven_release_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transports, "version", lambda _: "9.9.9")
    (check,) = check_server()
    assert check.status == WARN
    assert "9.9.9" in check.detail
