"""What every request passes before a handler sees it, and what every answer carries."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Awaitable, Callable
from types import TracebackType

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from rtfilter.errors import RtfilterError, UsageError
from rtfilter.serve.gate.hosts import HostGate
from rtfilter.serve.gate.options import Limits, ServeOptions
from rtfilter.serve.gate.refusals import RefusedError
from rtfilter.serve.gate.tokens import TokenGate, new_token, token_of

__all__ = ["body_limit", "make_middleware", "new_token", "protect"]

_log = logging.getLogger(__name__)

_OPEN_PATHS = {"/", "/healthz", "/openapi.json", "/favicon.ico"}
_JSON_TYPES = {"application/json", "application/merge-patch+json"}
_SDP_TYPES = {"application/sdp", "application/trickle-ice-sdpfrag"}
# aiohttp itself refuses a second Host, Content-Type or Content-Length.
_ONCE = ("Origin", "Authorization", "Content-Encoding")
# A body that takes longer than this to arrive is not waited for.
_BODY_S = 10.0
_METHODS = "GET, POST, PUT, PATCH, DELETE, OPTIONS"

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:;"
        " media-src 'self' blob:; connect-src 'self'; font-src 'self'; manifest-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(), geolocation=()",
}


def protect(app: web.Application, options: ServeOptions) -> None:
    """Put the middleware first and the headers on every answer of `app`.

    `app` is to be made with `client_max_size=body_limit(options.limits)`, which aiohttp itself holds
    chunked bodies to. Raises UsageError for an allow-list entry that is none.
    """
    hosts = HostGate(options)

    async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        if _is_open(request.path):
            response.headers.setdefault("Cache-Control", "no-cache")
        else:
            response.headers["Cache-Control"] = "no-store"
        origins = request.headers.getall("Origin", [])
        origin = origins[0] if len(origins) == 1 else None
        if origin is not None and hosts.is_allowed(origin):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = "Location, ETag, Link, Retry-After"
            response.headers["Vary"] = "Origin"

    app.middlewares.insert(0, make_middleware(options))
    app.on_response_prepare.append(add_headers)


def body_limit(limits: Limits) -> int:
    """Bytes of the largest body that any path takes."""
    return max(limits.sdp_bytes + limits.json_bytes, limits.json_bytes)


def make_middleware(options: ServeOptions) -> Middleware:
    """Host, origin, token, content type and size, in this order; every refusal as `{"error": "one line"}`.

    421 or 400 for the Host, 403 for the Origin, 401 or 429 for the token, 415, 413 and 408 for the body;
    a handler's RefusedError as its status, UsageError and unreadable JSON as 400, anything unexpected as
    500 with an id that the log has too.
    """
    hosts, gate = HostGate(options), TokenGate(options.token)

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        async def answer() -> web.StreamResponse:
            _check_single(request)
            hosts.check_host(request.headers.getall("Host", []))
            origin = request.headers.get("Origin")
            if origin is not None:
                hosts.check_origin(origin, request.headers["Host"])
            if request.method == "OPTIONS":
                return _options(request)
            if not _is_open(request.path):
                gate.check(token_of(request.headers), request.remote or "")
            await _check_body(request, options.limits)
            return await handler(request)

        return await _refusals_answered(request, answer)

    return middleware


async def _refusals_answered(
    request: web.Request, answer: Callable[[], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """What `answer` gives, or the error it raises as JSON."""
    bug = _Bug()
    with bug:
        try:
            return await answer()
        except RefusedError as error:
            return _error(error.status, str(error), _refusal_headers(error))
        except UsageError as error:
            return _error(400, str(error))
        except RtfilterError as error:
            _log.warning("%s failed: %s", request.method, error)
            return _error(500, str(error))
        except json.JSONDecodeError as error:
            return _error(400, f"the body is no JSON: {error.msg} at character {error.pos}")
        except web.HTTPException as error:
            if error.status < 400:
                raise
            kept = {name: error.headers[name] for name in ("Allow", "Retry-After") if name in error.headers}
            return _error(error.status, _http_message(error, request), kept)
    return _error(500, f"this is a bug in rtfilter; the server's log has it as {bug.reference}")


class _Bug:
    """Logs what nobody expected under a reference, and keeps it from the client."""

    reference = ""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> bool:
        # A client that went away is no bug, and cancelling must go through.
        if not isinstance(error, Exception) or isinstance(
            error, ConnectionError | web.RequestPayloadError | web.HTTPException
        ):
            return False
        self.reference = secrets.token_hex(4)
        _log.error("request %s failed", self.reference, exc_info=error)
        return True


def _refusal_headers(error: RefusedError) -> dict[str, str]:
    headers = {}
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="rtfilter"'
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    return headers


def _http_message(error: web.HTTPException, request: web.Request) -> str:
    if isinstance(error, web.HTTPMethodNotAllowed):
        return f"{request.method} is not for this path: expected {', '.join(sorted(error.allowed_methods))}"
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return "the body is too large"
    if error.status == 404:
        return "there is nothing at this path: /openapi.json tells what there is"
    return (error.text or error.reason).partition("\n")[0][:200]


def _check_single(request: web.Request) -> None:
    """Raises RefusedError 400 for a second one of a field that is decided by, and that RFC 9110 has once."""
    for name in _ONCE:
        if len(values := request.headers.getall(name, [])) > 1:
            raise RefusedError(400, f"expected one {name} header, got {len(values)}")


def _is_open(path: str) -> bool:
    return path in _OPEN_PATHS or path.startswith("/static/")


async def _check_body(request: web.Request, limits: Limits) -> None:
    """Type and size; the body is read here, once, so that its size is known however it was sent."""
    if not request.can_read_body:
        return
    signalling = request.path.startswith(("/whip", "/whep"))
    permitted = _SDP_TYPES if signalling else _JSON_TYPES
    if request.content_type not in permitted:
        expected = " or ".join(sorted(permitted))
        raise RefusedError(415, f"Content-Type {request.content_type[:60]!r}: expected {expected}")
    if (charset := request.charset or "utf-8").lower() not in ("utf-8", "utf8"):
        raise RefusedError(415, f"charset {charset[:40]!r}: expected utf-8")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise RefusedError(415, "compressed bodies are not taken: send it as it is")
    # An offer travels inside JSON there, where each of its line ends takes two characters more.
    offer = request.path.rstrip("/") == "/api/sessions"
    most = limits.sdp_bytes if signalling else body_limit(limits) if offer else limits.json_bytes
    size = request.content_length
    if size is None or size <= most:
        try:
            body = await asyncio.wait_for(request.read(), _BODY_S)
            body.decode("utf-8")
        except (asyncio.TimeoutError, TimeoutError):
            raise RefusedError(408, f"the body did not arrive within {_BODY_S:g} s") from None
        except UnicodeDecodeError as error:
            raise RefusedError(400, f"the body is no UTF-8 text, from byte {error.start} on") from None
        size = len(body)
    if size > most:
        raise RefusedError(413, f"body of {size} bytes: expected at most {most}")


def _options(request: web.Request) -> web.Response:
    """A CORS preflight of a page that is allowed, or what RFC 9725 wants of a WHIP endpoint."""
    headers = {"Allow": _METHODS}
    if request.path.startswith(("/whip", "/whep")):
        headers["Accept-Post"] = "application/sdp"
    if "Access-Control-Request-Method" in request.headers:
        headers["Access-Control-Allow-Methods"] = _METHODS
        headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, If-Match"
        headers["Access-Control-Max-Age"] = "600"
    return web.Response(status=204, headers=headers)


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    line = " ".join(message.split())
    return web.json_response({"error": line}, status=status, headers=headers)
