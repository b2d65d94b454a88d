"""The command line: exit codes, one-line errors with suggestions, and what may happen to its streams."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import rtfilter
from rtfilter.cli import main as cli
from rtfilter.cli.main import main, parse
from rtfilter.cli.settings import controls_for, settings_for
from rtfilter.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]


def run_cli(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rtfilter", *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environ},
        timeout=60,
    )


def test_version_and_help_exit_with_0() -> None:
    assert run_cli("--version").stdout == f"rtfilter {rtfilter.__version__}\n"
    done = run_cli("--help")
    assert done.returncode == 0
    for verb in ("run", "demo", "cam", "inspect", "evaluate", "bench", "presets", "doctor"):
        assert f"\n    {verb}" in done.stdout


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert ended.value.code == 0
    assert f"usage: rtfilter {verb}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "expected a verb"),
        (["rnu"], "unknown verb 'rnu': did you mean 'run'?"),
        (["run", "--emotoin", "happy=1"], "unknown argument '--emotoin': did you mean --emotion"),
        (["run", "--emotion"], "expected one argument"),
        (["run", "--emotion", "hapy=1"], "unknown emotion 'hapy': did you mean 'happy'?"),
        (["run", "--emotion", "happy=2"], "expected 0..1.5"),
        (["run", "--emotion", "happy=lots"], "got 'happy=lots'"),
        (["run", "--mouth", "1.01"], "1.01 is out of range, expected 0..1"),
        (["run", "--mouth", "nan"], "expected a number in 0..1, got nan"),
        (["run", "--valence", "-2"], "expected -1..1"),
        (["run", "--codec", "h265"], "unknown codec 'h265': did you mean 'h264'?"),
        (["run", "--width", "0"], "expected a whole number above 0, got '0'"),
        (["run", "--duration", "0"], "expected 0.01..86400 seconds, got '0'"),
        (["run", "one.mp4"], "unknown argument 'one.mp4'"),
        (
            ["bench", "occlusion", "--test", "masks", "one.mp4"],
            "unknown argument 'one.mp4': give names before the options",
        ),
        (["inspect"], "the following arguments are required: FILE"),
        (["evaluate", "a.mp4"], "EDITED"),
        (["presets", "shwo"], "unknown action 'shwo': did you mean 'show'?"),
        (["presets", "show"], "which preset?"),
        (["presets", "show", "clam"], "unknown preset 'clam': did you mean 'calm'?"),
        (["presets", "save", "x"], "nothing to save"),
        (["presets", "save", "../x", "--mouth", "1"], "expected lower case"),
        (["presets", "remove", "calm"], "built in"),
        (["bench", "--size", "4k"], "unknown size '4k'"),
    ],
)
def test_a_usage_mistake_is_one_line_and_exit_code_2(
    words: list[str], said: str, refused: Callable[[Sequence[str], int], str]
) -> None:
    err = refused(words, 2)
    assert err.startswith("rtfilter: ")
    assert said in err


def test_a_mistake_in_the_settings_is_one_line_too(
    config_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (config_home / "rtfilter").mkdir()
    (config_home / "rtfilter" / "config.toml").write_text("mouth = 1\npreset = 'frendly'\n")
    assert main(["presets", "save", "x", "--mouth", "0.5"]) == 2
    assert "did you mean 'friendly'" in capsys.readouterr().err


def test_debug_shows_the_traceback() -> None:
    done = run_cli("presets", "show", "clam", "--debug")
    assert "Traceback" in done.stderr
    assert "Traceback" not in run_cli("presets", "show", "clam").stderr


def test_the_command_line_wins_over_environment_over_file(
    config_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (config_home / "rtfilter").mkdir()
    (config_home / "rtfilter" / "config.toml").write_text(
        'mouth = 0.1\nsmoothing = 0.1\nintensity = 0.1\ninput = "demo"\n[emotions]\nsad = 1\n'
    )
    monkeypatch.setenv("RTFILTER_MOUTH", "0.2")
    monkeypatch.setenv("RTFILTER_SMOOTHING", "0.2")
    settings = settings_for(parse(["run", "--mouth", "0.3", "-e", "happy=0.5", "-e", "angry=0.1"]))
    controls = controls_for(settings)
    assert (controls.mouth, controls.smoothing, controls.intensity) == (0.3, 0.2, 0.1)
    assert controls.emotions == {"happy": 0.5, "angry": 0.1}
    assert settings.values["input"] == "demo"


def test_presets_are_saved_listed_shown_and_removed(
    config_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["presets", "save", "mine", "-e", "happy=0.3", "--mouth", "0.9", "--description", "my mood"]
    assert main(words) == 0
    assert (config_home / "rtfilter" / "presets" / "mine.toml").is_file()
    assert main(words) == 1
    assert "--force" in capsys.readouterr().err
    assert main([*words, "--force"]) == 0
    capsys.readouterr()
    assert main(["presets", "--json"]) == 0
    listed = {preset["name"]: preset for preset in json.loads(capsys.readouterr().out)}
    assert listed["mine"]["values"] == {"emotions": {"happy": 0.3}, "mouth": 0.9}
    assert listed["calm"]["path"] is None
    assert main(["presets", "show", "mine"]) == 0
    assert "my mood" in capsys.readouterr().out
    assert main(["presets", "remove", "mine"]) == 0
    assert main(["presets", "show", "mine"]) == 2


def test_a_full_disk_or_a_lost_file_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_: object) -> int:
        raise OSError(28, "No space left on device", "out.mp4")

    monkeypatch.setattr(cli, "perform", full)
    assert main(["doctor"]) == 1
    assert capsys.readouterr().err == "rtfilter: out.mp4: No space left on device\n"


def test_ctrl_c_is_one_line_and_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "perform", interrupted)
    assert main(["doctor"]) == 130
    assert capsys.readouterr() == ("", "rtfilter: interrupted (SIGINT)\n")


def test_a_reader_that_leaves_is_no_error() -> None:
    # The reading end is closed before the verb prints.
    code = (
        "import sys, time; sys.argv[1:] = ['presets']; time.sleep(0.5);"
        "from rtfilter.cli.main import main; sys.exit(main())"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait(30) == 141
    assert said == b""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_process_with_one_line(number: signal.Signals) -> None:
    code = (
        "import sys, time\n"
        "from rtfilter.cli import main as cli\n"
        "def wait(_):\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(30)\n"
        "cli.perform = wait\n"
        "sys.argv[1:] = ['doctor']\n"
        "sys.exit(cli.main())\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    time.sleep(0.1)
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said == f"rtfilter: interrupted ({number.name})\n".encode()


def test_a_bug_asks_for_a_report_in_one_line() -> None:
    code = (
        "import sys\n"
        "from rtfilter.cli import main as cli\n"
        "cli.perform = lambda _: 1 // 0\n"
        "sys.argv[1:] = ['doctor', *sys.argv[1:]]\n"
        "sys.exit(cli.main())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "this is a bug" in done.stderr
    assert "--debug" in done.stderr
    done = subprocess.run(
        [sys.executable, "-c", code, "--debug"], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert "ZeroDivisionError" in done.stderr
    assert "Traceback" in done.stderr


def test_arguments_that_are_no_text_are_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rtfilter", b"run", b"--emotion", b"\xff"],
        capture_output=True,
        cwd=ROOT,
        timeout=60,
    )
    assert done.returncode == 2
    assert b"unknown emotion" in done.stderr


def test_suggestions_come_from_the_verbs_own_options() -> None:
    with pytest.raises(UsageError, match="did you mean --seconds"):
        parse(["bench", "--second", "3"])


@pytest.mark.parametrize("command", ["run", "serve"])
def test_a_duration_is_seconds_or_minutes_and_seconds(command: str) -> None:
    assert parse([command, "--duration", "1:30"]).duration == 90.0
