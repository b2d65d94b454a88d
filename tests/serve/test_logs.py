"""The server's log: whole objects for machines, lines for people, and no secret in either."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from rtfilter.serve.app.logs import set_up_logs

TOKEN = "a-token-of-the-tests"


@pytest.fixture(autouse=True)
def other_logs() -> Iterator[None]:
    """Leaves the logs of later tests as they were: these write to a stream that ends with the test."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_json_lines_carry_what_was_given_beside_the_message(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("json", quiet=False, token=TOKEN)
    logging.getLogger("rtfilter.serve.test").info("session %s opened", "x", extra={"session": "x"})
    entry = json.loads(capsys.readouterr().err)
    assert entry["message"] == "session x opened"
    assert (entry["level"], entry["logger"], entry["session"]) == ("info", "rtfilter.serve.test", "x")


@pytest.mark.parametrize("style", ["text", "json"])
def test_the_token_is_in_no_line_and_no_traceback(style: str, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(style, quiet=False, token=TOKEN)
    log = logging.getLogger("rtfilter.serve.test")
    log.warning("got %s", TOKEN)
    try:
        raise ValueError(f"Bearer {TOKEN}")
    except ValueError:
        log.exception("failed")
    written = capsys.readouterr().err
    assert "ValueError" in written
    assert TOKEN not in written


def test_quiet_tells_of_trouble_alone(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("text", quiet=True, token=TOKEN)
    log = logging.getLogger("rtfilter.serve.test")
    log.info("all is well")
    log.warning("trouble")
    written = capsys.readouterr().err
    assert "trouble" in written
    assert "well" not in written


def test_people_are_spared_a_line_for_every_request(capsys: pytest.CaptureFixture[str]) -> None:
    for style, expected in (("text", 0), ("json", 1)):
        set_up_logs(style, quiet=False, token=TOKEN)
        logging.getLogger("rtfilter.serve.access").info("GET /")
        assert capsys.readouterr().err.count("GET /") == expected
