"""Logs without secrets: who asked for what and how it went, and a filter for everything else."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger
from aiohttp.http import HttpProcessingError
from aiohttp.web import RequestPayloadError

_REDACTED = "[...]"
# Of RFC 6750, the subprotocol of a WebSocket, the link that is printed, and the lines of an SDP that let
# somebody else into a connection.
_SECRETS = re.compile(
    r"(?i)(bearer\s+|\btoken[.=]|ice-pwd:|ice-ufrag:|fingerprint:\S+\s+|/(?:whip|whep)/[^/\s\"']+/)"
    r"[^\s\"'\\,;(){}\[\]]+"
)


class AccessLogger(AbstractAccessLogger):
    """One line a request: address, method, the route's pattern, status, bytes, milliseconds.

    The pattern stands for the path: a path holds the secret of a WHIP session, and a query or a header
    may hold anything.
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
        return "(no HTTP)"  # aiohttp's word for a request that was never looked up
    return "(no such path)" if route is None else route.canonical


class BrokenRequests(logging.Filter):
    """Turns aiohttp's traceback of a request that is no HTTP, or that was not waited for, into a line.

    For the logger that the HTTP server is given: anybody can send bytes and go away, which is no error of
    the server. The bytes that came are not in the line.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        gone = isinstance(error, RequestPayloadError | ConnectionError) or (
            # What asyncio says of a file that is sent to somebody who has left.
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
    """What `web.AppRunner` is to be given as `logger`."""
    logger = logging.getLogger("rtfilter.serve.http")
    if not any(isinstance(each, BrokenRequests) for each in logger.filters):
        logger.addFilter(BrokenRequests())
    return logger


class RedactSecrets(logging.Filter):
    """Takes tokens, ICE passwords and fingerprints out of a record, its traceback too.

    To be put on handlers, since a logger's filter does not see what its children pass up.
    """

    def __init__(self, token: str = "") -> None:
        super().__init__()
        self._token = token
        self._format: Callable[..., str] = logging.Formatter().formatException

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        clean = self.redacted(message)
        if clean != message:
            record.msg, record.args = clean, None
        if record.exc_info and record.exc_info[0] is not None:
            record.exc_text = self.redacted(record.exc_text or self._format(record.exc_info))
        return True

    def redacted(self, text: str) -> str:
        """`text` with every secret that is known by its form, or by being the token, as [...]."""
        if self._token:
            text = text.replace(self._token, _REDACTED)
        return _SECRETS.sub(lambda match: match[1] + _REDACTED, text)
