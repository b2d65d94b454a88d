"""The server's log: one line an event, for people or for programs, without secrets.

Called by `cli.serve`, and by `server` for the loggers of aiohttp.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import datetime, timezone

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger
from aiohttp.http import HttpProcessingError
from aiohttp.web import RequestPayloadError

ACCESS = "rtfilter.serve.access"
# The attributes of every LogRecord; all others came as `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# They log every packet or every candidate.
_VERBOSE = ("aioice", "aiortc")
_REDACTED = "[...]"
# Of RFC 6750, the subprotocol of a WebSocket, the printed link, and the lines of an SDP that give access to
# a connection.
_SECRETS = re.compile(
    r"(?i)(bearer\s+|\btoken[.=]|ice-pwd:|ice-ufrag:|fingerprint:\S+\s+|/(?:whip|whep)/[^/\s\"']+/)"
    r"[^\s\"'\\,;(){}\[\]]+"
)


def set_up_logs(style: str, *, quiet: bool, token: str) -> None:
    """Log to stderr: "text" for people, "json" with a line for every request; quiet: warnings and errors."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter() if style == "json" else logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    )
    # On the handler: a logger's filter does not see the records of its children.
    handler.addFilter(RedactSecrets(token))
    logging.basicConfig(level=logging.WARNING if quiet else logging.INFO, handlers=[handler], force=True)
    if style != "json":
        handler.addFilter(lambda record: record.name != ACCESS or record.levelno >= logging.WARNING)
    for name in _VERBOSE:
        logging.getLogger(name).setLevel(logging.WARNING)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and what came as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{key: value for key, value in vars(record).items() if key not in _STANDARD},
        }
        if record.exc_info:
            # The text of `RedactSecrets`, if there is one.
            entry["traceback"] = record.exc_text or self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


class AccessLogger(AbstractAccessLogger):
    """One line a request: address, method, the route's pattern, status, bytes, milliseconds.

    The pattern, since a path may hold the secret of a WHIP session. Queries and headers may hold anything.
    """

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        path = _pattern_of(request)
        self.logger.info(
            "%s %s %s %d %d bytes %.1f ms",
            request.remote,
            request.method,
            path,
            response.status,
            response.body_length,
            time * 1000,
            extra={"path": path, "status": response.status, "ms": round(time * 1000, 1)},
        )

    @property
    def enabled(self) -> bool:
        return self.logger.isEnabledFor(logging.INFO)


def _pattern_of(request: web.BaseRequest) -> str:
    try:
        route = request.match_info.route.resource if isinstance(request, web.Request) else None
    except AssertionError:
        return "(no HTTP)"  # aiohttp's error for a request that was not routed
    return "(no such path)" if route is None else route.canonical


class BrokenRequests(logging.Filter):
    """Turns aiohttp's traceback of an interrupted or malformed request into one line, without its bytes."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        gone = isinstance(error, RequestPayloadError | ConnectionError) or (
            # asyncio's error for a file that is sent to a client that has left.
            isinstance(error, RuntimeError) and str(error) == "Transport is closing"
        )
        if not gone and not isinstance(error, HttpProcessingError):
            return True
        record.levelno, record.levelname = logging.INFO, logging.getLevelName(logging.INFO)
        what = "a client went away during its request" if gone else "a request that is no HTTP"
        record.msg, record.args = f"{what}: {type(error).__name__}", None
        record.exc_info = record.exc_text = None
        return logging.getLogger(record.name).isEnabledFor(logging.INFO)


def server_logger() -> logging.Logger:
    """The `logger` for `web.AppRunner`."""
    logger = logging.getLogger("rtfilter.serve.http")
    if not any(isinstance(each, BrokenRequests) for each in logger.filters):
        logger.addFilter(BrokenRequests())
    return logger


class RedactSecrets(logging.Filter):
    """Takes tokens, ICE passwords and fingerprints out of a record and its traceback."""

    def __init__(self, token: str = "") -> None:
        super().__init__()
        self._token = token

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        clean = self.redacted(message)
        if clean != message:
            record.msg, record.args = clean, None
        if record.exc_info and record.exc_info[0] is not None:
            text = record.exc_text or logging.Formatter().formatException(record.exc_info)
            record.exc_text = self.redacted(text)
        return True

    def redacted(self, text: str) -> str:
        """`text` with [...] in place of the token, and of every secret with a known form."""
        if self._token:
            text = text.replace(self._token, _REDACTED)
        return _SECRETS.sub(lambda match: match[1] + _REDACTED, text)
