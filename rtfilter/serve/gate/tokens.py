"""The bearer token: made, read from a request, compared, and guarded against guessing."""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict, deque
from collections.abc import Mapping

from rtfilter.serve.gate.networks import parse_address
from rtfilter.serve.gate.refusals import RefusedError
from rtfilter.system.clock import NS_PER_S, Clock, monotonic_ns

FAILURES_PER_MINUTE = 20
_MINUTE_NS = 60 * NS_PER_S
# Addresses that are remembered; the one that failed longest ago is forgotten first.
_MOST_ADDRESSES = 1024
_PROTOCOL = "token."


def new_token() -> str:
    """A token nobody guesses: 32 random bytes as 43 letters, digits, - and _."""
    return secrets.token_urlsafe(32)


def token_of(headers: Mapping[str, str]) -> str | None:
    """The token of a request's headers: `Authorization: Bearer T`, or the WebSocket subprotocol `token.T`."""
    scheme, _, value = headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer" and value:
        return value.strip()
    for protocol in headers.get("Sec-WebSocket-Protocol", "").split(","):
        if protocol.strip().startswith(_PROTOCOL):
            return protocol.strip()[len(_PROTOCOL) :]
    return None


class TokenGate:
    """Lets a request with the right token pass. Belongs to the event loop's thread.

    After FAILURES_PER_MINUTE wrong tokens within a minute an address gets 429. The token of an address
    elsewhere is then not even looked at; on this machine the right one still passes, because all its
    programs share the address, and an old tab that keeps asking must not lock its user out.
    """

    def __init__(self, token: str, clock: Clock = monotonic_ns) -> None:
        self._token = token.encode()
        self._clock = clock
        self._failures_ns: OrderedDict[str, deque[int]] = OrderedDict()

    def check(self, given: str | None, address: str) -> None:
        """Raises RefusedError: 401 for no or a wrong token, 429 after too many wrong ones."""
        if given is None:
            # Not counted: any page can make a browser send requests that carry no token.
            raise RefusedError(401, "no token: open the link that the server printed at its start")
        blocked = self._blocked(address)
        if blocked and not _is_loopback(address):
            raise self._too_many()
        if hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._token):
            return
        if blocked:
            raise self._too_many()
        failures = self._failures_ns.setdefault(address, deque(maxlen=FAILURES_PER_MINUTE))
        failures.append(self._clock())
        self._failures_ns.move_to_end(address)
        if len(self._failures_ns) > _MOST_ADDRESSES:
            self._failures_ns.popitem(last=False)
        raise RefusedError(401, "wrong token: open the link that the server printed at its last start")

    def _blocked(self, address: str) -> bool:
        failures = self._failures_ns.get(address)
        if failures is None or len(failures) < FAILURES_PER_MINUTE:
            return False
        if self._clock() - failures[0] < _MINUTE_NS:
            return True
        del self._failures_ns[address]
        return False

    @staticmethod
    def _too_many() -> RefusedError:
        return RefusedError(429, "too many wrong tokens: wait a minute", retry_after_s=60)


def _is_loopback(address: str) -> bool:
    parsed = parse_address(address)
    return parsed is not None and parsed.is_loopback
