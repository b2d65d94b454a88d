"""Which `Host` and `Origin` a request may have: what keeps other web pages from using the server."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from rtfilter.errors import UsageError
from rtfilter.serve.gate.networks import own_addresses, parse_address
from rtfilter.serve.gate.options import ServeOptions
from rtfilter.serve.gate.refusals import RefusedError
from rtfilter.serve.gate.sdp_lines import shown

_LOCAL_NAMES = ("localhost",)
_LOCAL_ADDRESSES = ("127.0.0.1", "::1")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class HostGate:
    """The allow-lists of `options`, as the RFC 9110 fields that a request carries are held against them.

    Raises UsageError for an entry of `allowed_hosts` or `allowed_origins` that is none.
    """

    def __init__(self, options: ServeOptions) -> None:
        self._scheme = "https" if options.tls else "http"
        self._names = set(served_names(options))
        self._exact: set[tuple[str, int]] = set()
        for entry in options.allowed_hosts:
            name, port = _split_host(entry)
            if name is None:
                raise UsageError(f"{entry!r} is no host: expected a name as cam.example or cam.example:8443")
            if port is None:
                self._names.add(name)
            else:
                self._exact.add((name, port))
        self._origins = {_checked_origin(entry) for entry in options.allowed_origins}

    def check_host(self, values: list[str]) -> None:
        """values: all `Host` fields. Raises RefusedError: 400 unless there is one, 421 for another's name.

        The port is not compared, but for an entry that names one: a name that DNS can be made to lie
        about is what the check is against, and a forwarded port is another than the one listened at.
        """
        if len(values) != 1:
            raise RefusedError(400, f"expected one Host header, got {len(values)}")
        name, port = _split_host(values[0])
        if name is None:
            raise RefusedError(400, f"unreadable Host header {shown(values[0])}")
        if name not in self._names and (name, port or _DEFAULT_PORTS[self._scheme]) not in self._exact:
            raise RefusedError(
                421,
                f"Host {shown(values[0])} is not served here: permit it with --allow-host at the start",
            )

    def is_own(self, origin: str, host: str) -> bool:
        """Whether `origin` is the page that this server itself gave out under `host`."""
        return _normalised(origin) == _normalised(f"{self._scheme}://{host}")

    def check_origin(self, origin: str, host: str) -> None:
        """Raises RefusedError 403 for a page from elsewhere; "null" is one."""
        if not self.is_own(origin, host) and not self.is_allowed(origin):
            raise RefusedError(
                403,
                f"a page from {shown(origin)} may not use this: permit it with --allow-origin at the start",
            )

    def is_allowed(self, origin: str) -> bool:
        """Whether `origin` is another page that the user permitted, and that needs CORS for it."""
        return _normalised(origin) in self._origins


def served_names(options: ServeOptions) -> list[str]:
    """The names and addresses that the server is reached by, IPv6 without brackets."""
    host = options.host.lower().strip("[]")
    address = parse_address(host)
    wildcard = host == "" or (address is not None and address.is_unspecified)
    names = [] if wildcard else [_plain(host)]
    if wildcard or options.is_loopback:
        names += [*_LOCAL_NAMES, *_LOCAL_ADDRESSES]
    if not options.is_loopback:
        machine = socket.gethostname().lower()
        names += [machine, f"{machine.partition('.')[0]}.local"]
    if wildcard:
        names += [str(own) for own in own_addresses()]
    return list(dict.fromkeys(names))


def _plain(name: str) -> str:
    address = parse_address(name)
    return name.rstrip(".") if address is None else str(address)


def _split_host(text: str) -> tuple[str | None, int | None]:
    """Name or address in its one spelling, and port; None for the name when it is unreadable."""
    try:
        parts = urlsplit(f"//{text}")
        name, port = parts.hostname, parts.port
    except ValueError:
        return None, None
    if not name or parts.netloc != text or "@" in text:
        return None, None
    return _plain(name), port


def _normalised(origin: str) -> tuple[str, str, int] | None:
    """Scheme, name and port; None for what is no origin, which therefore equals no other but itself."""
    scheme, separator, host = origin.strip().lower().partition("://")
    if not separator or scheme not in _DEFAULT_PORTS:
        return None
    name, port = _split_host(host)
    return None if name is None else (scheme, name, port or _DEFAULT_PORTS[scheme])


def _checked_origin(entry: str) -> tuple[str, str, int]:
    normalised = _normalised(entry.rstrip("/"))
    if normalised is None:
        raise UsageError(f"{entry!r} is no origin: expected one as https://app.example")
    return normalised
