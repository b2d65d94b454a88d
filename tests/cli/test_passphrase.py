"""A passphrase that is typed: in a terminal of its own, as nobody wants it to come."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys

import pytest

from rtfilter.profiles.seal import Seal, read_sealed

ASKS = "import sys; from rtfilter.cli.main import main; sys.exit(main(sys.argv[1:]))"


def ask(typed: bytes, xdg: str) -> tuple[int, str]:
    """Exit code, and what is shown, of opening a profile while `typed` is typed."""
    master, slave = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key != "RTFILTER_PASSPHRASE"}
    process = subprocess.Popen(
        [sys.executable, "-c", ASKS, "enroll", "--show", "anna", "--passphrase"],
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
        env={**environment, "XDG_DATA_HOME": xdg, "PYTHONIOENCODING": "utf-8:strict"},
    )  # fmt: skip
    os.close(slave)
    shown = b""
    try:
        while select.select([master], [], [], 30)[0]:
            try:
                shown += os.read(master, 4096)
            except OSError:  # the other side is closed
                break
            if typed and b"passphrase: " in shown:
                os.write(master, typed)
                typed = b""
        return process.wait(30), shown.decode(errors="replace")
    finally:
        process.kill()
        os.close(master)


@pytest.mark.parametrize("typed", [b"\x04", b"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\n"], ids=["end", "no text"])
def test_an_end_and_no_text_are_one_line(typed: bytes, tmp_path) -> None:
    code, shown = ask(typed, str(tmp_path))
    assert code == 2, shown
    assert "no passphrase was typed" in shown
    assert "Traceback" not in shown


def test_what_is_typed_does_not_show(tmp_path) -> None:
    code, shown = ask(b"correct horse\n", str(tmp_path))
    assert code == 2
    assert "no profile 'anna'" in shown
    assert "horse" not in shown


def test_a_passphrase_of_the_environment_may_be_any_bytes() -> None:
    seal = Seal(os.fsdecode(b"\xff\xfe in latin-1"))
    assert seal.open(read_sealed(seal.close({}, b"content"))) == b"content"
