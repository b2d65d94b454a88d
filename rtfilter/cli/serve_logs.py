"""What the server logs, and how: one line an event, for people or for machines; no secrets."""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime, timezone

FORMATS = ("text", "json")
# What LogRecord has by itself; all else was given as `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# Their lines tell of every packet or every candidate.
_TALKATIVE = ("aioice", "aiortc")
# One line a request: for machines to count, too much for people to read.
_ACCESS = "rtfilter.serve.access"


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and what was given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{key: value for key, value in vars(record).items() if key not in _STANDARD},
        }
        if record.exc_info:
            # A filter that took secrets out has left its text here.
            entry["traceback"] = record.exc_text or self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


def set_up_logs(style: str, *, quiet: bool, token: str) -> None:
    """Log to stderr: "text" for people, "json" with a line for every request; quiet: warnings and errors."""
    from rtfilter.serve.app.access_log import RedactSecrets

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter() if style == "json" else logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    )
    handler.addFilter(RedactSecrets(token))
    logging.basicConfig(level=logging.WARNING if quiet else logging.INFO, handlers=[handler], force=True)
    if style != "json":
        handler.addFilter(lambda record: record.name != _ACCESS or record.levelno >= logging.WARNING)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
