"""Fixtures for command lines: logs are put back after each test, and a refusal is one line."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence

import pytest

from rtfilter.cli.main import main


@pytest.fixture(autouse=True)
def logs_of_before() -> Iterator[None]:
    """The root logger, its level and its handlers as they were."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[[Sequence[str], int], str]:
    """Runs a command line that must end with this exit code and one line on stderr; returns the line."""

    def run(words: Sequence[str], code: int) -> str:
        assert main(words) == code
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1), err
        return err

    return run
