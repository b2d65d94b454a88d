"""`rtfilter doctor`: what it finds, and that it says how to mend it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from rtfilter.cli import doctor, doctor_software
from rtfilter.cli.main import main


def test_json_is_one_document_with_every_part(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["doctor", "--json"])
    document = json.loads(capsys.readouterr().out)
    assert set(document) == {"works", "checks", "machine", "versions"}
    assert code == (0 if document["works"] else 1)
    names = {check["name"] for check in document["checks"]}
    assert {
        "python",
        "onnxruntime",
        "tracking networks",
        "av",
        "codecs",
        "gpu",
        "kernel cache",
        "settings",
        "face model",
    } <= names
    for check in document["checks"]:
        assert set(check) == {"name", "status", "detail", "fix"}
        assert check["status"] in {"ok", "warn", "fail"}
        assert check["status"] == "ok" or check["fix"] or check["name"].startswith("camera:"), check
    assert document["machine"]["cores"] >= 1
    assert document["versions"]["onnxruntime"]


def with_checks(monkeypatch: pytest.MonkeyPatch, *statuses: str) -> None:
    def check(status: str) -> Callable[[], list[doctor.Check]]:
        return lambda: [doctor.Check(f"a {status}", status, "seen", "mend it so")]

    monkeypatch.setattr(doctor, "CHECKS", tuple(check(status) for status in statuses))


@pytest.mark.parametrize(
    ("statuses", "code"), [(("ok",), 0), (("ok", "warn"), 0), (("ok", "fail"), 1), (("warn", "fail"), 1)]
)
def test_only_a_failure_of_the_main_job_fails(
    statuses: tuple[str, ...],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with_checks(monkeypatch, *statuses)
    assert doctor.doctor(argparse.Namespace(json=False)) == code
    out = capsys.readouterr().out
    assert out.count("-> mend it so") == len(statuses)


def test_bad_settings_are_found(config_home: Path) -> None:
    (config_home / "rtfilter").mkdir()
    (config_home / "rtfilter" / "config.toml").write_text("moth = 1\n")
    (check,) = doctor_software.check_config()
    assert check.status == "fail"
    assert "config.toml:1" in check.detail


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_software, "NEEDED", {"no-such-thing": "no_such_thing"})
    (check,) = doctor_software.check_packages()
    assert check.status == "fail"
    assert "no_such_thing" in check.detail
    assert "pip install" in check.fix


def test_a_missing_system_library_names_the_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_there.py").write_text(
        "raise ImportError('libGL.so.1: cannot open shared object file: No such file or directory')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(doctor_software, "NEEDED", {"half-there": "half_there"})
    (check,) = doctor_software.check_packages()
    assert check.status == "fail"
    assert "libGL.so.1" in check.detail
    assert "libgl1" in check.fix
