"""HTTP middleware: the checks of every request, and the headers of every answer.

Installed by `app.server`.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import secrets
from collections import OrderedDict, deque
from collections.abc import Awaitable, Mapping

from aiohttp import web
from aiohttp.typedefs import Handler

from rtfilter.errors import RtfilterError, UsageError
from rtfilter.serve.gate.networks import HostGate, parse_address
from rtfilter.serve.gate.options import Limits, ServeOptions
from rtfilter.serve.gate.refusals import RefusedError
from rtfilter.system.clock import NS_PER_S, Clock, monotonic_ns

_log = logging.getLogger(__name__)

FAILURES_PER_MINUTE = 20
# Addresses with failures that are kept; the one that failed longest ago is dropped first.
_MOST_ADDRESSES = 1024

_OPEN_PATHS = {"/", "/healthz", "/openapi.json", "/favicon.ico"}
_JSON_TYPES = {"application/json", "application/merge-patch+json"}
_SDP_TYPES = {"application/sdp", "application/trickle-ice-sdpfrag"}
# Fields that a decision depends on. aiohttp itself refuses a second Host, Content-Type or Content-Length.
_ONCE = ("Origin", "Authorization", "Content-Encoding")
# Time limit for the arrival of a body.
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


def body_limit(limits: Limits) -> int:
    """Size of the largest body that any path takes, in bytes."""
    return limits.sdp_bytes + limits.json_bytes


def protect(app: web.Application, options: ServeOptions) -> None:
    """Install the middleware and the headers of answers on `app`.

    A request is checked in this order: Host (421 or 400), Origin (403), token (401 or 429), content type
    (415), size (413) and arrival (408) of the body. Every refusal is answered as `{"error": "one line"}`.

    `app` is made with `client_max_size=body_limit(options.limits)`, which aiohttp itself enforces for chunked
    bodies. Raises UsageError for an allow-list entry that is not a host or an origin.
    """
    hosts, tokens = HostGate(options), TokenGate(options.token)

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        async def answer() -> web.StreamResponse:
            for name in _ONCE:
                if (count := len(request.headers.getall(name, []))) > 1:
                    raise RefusedError(400, f"expected one {name} header, got {count}")
            hosts.check_host(request.headers.getall("Host", []))
            origin = request.headers.get("Origin")
            if origin is not None:
                hosts.check_origin(origin, request.headers["Host"])
            if request.method == "OPTIONS":
                return _options(request)
            if not _is_open(request.path):
                tokens.check(token_of(request.headers), request.remote or "")
            await _check_body(request, options.limits)
            return await handler(request)

        return await _answered(request, answer())

    async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        if _is_open(request.path):
            response.headers.setdefault("Cache-Control", "no-cache")
        else:
            response.headers["Cache-Control"] = "no-store"
        origins = request.headers.getall("Origin", [])
        if len(origins) == 1 and hosts.is_allowed(origins[0]):
            response.headers["Access-Control-Allow-Origin"] = origins[0]
            response.headers["Access-Control-Expose-Headers"] = "Location, ETag, Link, Retry-After"
            response.headers["Vary"] = "Origin"

    app.middlewares.insert(0, middleware)
    app.on_response_prepare.append(add_headers)


def _is_open(path: str) -> bool:
    """Whether a path needs no token."""
    return path in _OPEN_PATHS or path.startswith("/static/")


async def _check_body(request: web.Request, limits: Limits) -> None:
    """Check type and size of the body, which is read here: the size of a chunked one is known only then."""
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
    # An offer in JSON: each of its line ends takes two characters more.
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
    """The answer to a CORS preflight, and to the OPTIONS of RFC 9725 for a WHIP endpoint."""
    headers = {"Allow": _METHODS}
    if request.path.startswith(("/whip", "/whep")):
        headers["Accept-Post"] = "application/sdp"
    if "Access-Control-Request-Method" in request.headers:
        headers["Access-Control-Allow-Methods"] = _METHODS
        headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, If-Match"
        headers["Access-Control-Max-Age"] = "600"
    return web.Response(status=204, headers=headers)


async def _answered(request: web.Request, answer: Awaitable[web.StreamResponse]) -> web.StreamResponse:
    """The result of `answer`, or its error as JSON; an unexpected one as 500 with a reference to the log."""
    try:
        return await answer
    except RefusedError as error:
        headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
        if error.status == 401:
            headers["WWW-Authenticate"] = 'Bearer realm="rtfilter"'
        return _error(error.status, str(error), headers)
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
    except (ConnectionError, web.RequestPayloadError):
        raise  # the client closed its connection
    except Exception as error:  # noqa: BLE001 - whatever it is, the log has it and the client does not
        reference = secrets.token_hex(4)
        _log.error("request %s failed", reference, exc_info=error)
        return _error(500, f"this is a bug in rtfilter; the server's log has it as {reference}")


def _http_message(error: web.HTTPException, request: web.Request) -> str:
    if isinstance(error, web.HTTPMethodNotAllowed):
        return f"{request.method} is not for this path: expected {', '.join(sorted(error.allowed_methods))}"
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return "the body is too large"
    if error.status == 404:
        return "there is nothing at this path: /openapi.json tells what there is"
    return (error.text or error.reason).partition("\n")[0][:200]


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"error": " ".join(message.split())}, status=status, headers=headers)


def token_of(headers: Mapping[str, str]) -> str | None:
    """The token of `Authorization: Bearer T`, or of the WebSocket subprotocol `token.T`; None without."""
    scheme, _, value = headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer" and value:
        return value.strip()
    for protocol in headers.get("Sec-WebSocket-Protocol", "").split(","):
        if protocol.strip().startswith("token."):
            return protocol.strip().removeprefix("token.")
    return None


class TokenGate:
    """Comparison of tokens in constant time, with a limit on failures. Belongs to the event loop's thread.

    An address with FAILURES_PER_MINUTE wrong tokens within a minute gets 429. The token of a remote address
    is then not compared. On this machine the right token still passes: all programs share the address, and
    an old tab that retries must not lock its user out.
    """

    def __init__(self, token: str, clock: Clock = monotonic_ns) -> None:
        self._token = token.encode()
        self._clock = clock
        self._failures_ns: OrderedDict[str, deque[int]] = OrderedDict()

    def check(self, given: str | None, address: str) -> None:
        """Raises RefusedError: 401 for no or a wrong token, 429 after too many wrong ones."""
        if given is None:
            # Not counted: any page can make a browser send requests without a token.
            raise RefusedError(401, "no token: open the link that the server printed at its start")
        blocked = self._is_blocked(address)
        parsed = parse_address(address)
        compared = not blocked or (parsed is not None and parsed.is_loopback)
        if compared and hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._token):
            return
        if blocked:
            raise RefusedError(429, "too many wrong tokens: wait a minute", retry_after_s=60)
        failures = self._failures_ns.setdefault(address, deque(maxlen=FAILURES_PER_MINUTE))
        failures.append(self._clock())
        self._failures_ns.move_to_end(address)
        if len(self._failures_ns) > _MOST_ADDRESSES:
            self._failures_ns.popitem(last=False)
        raise RefusedError(401, "wrong token: open the link that the server printed at its last start")

    def _is_blocked(self, address: str) -> bool:
        failures = self._failures_ns.get(address)
        if failures is None or len(failures) < FAILURES_PER_MINUTE:
            return False
        if self._clock() - failures[0] < 60 * NS_PER_S:
            return True
        del self._failures_ns[address]
        return False
