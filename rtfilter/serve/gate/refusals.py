"""`RefusedError`: a request that is answered with a 4xx or 5xx status and one line of text.

Raised by the rooms `gate` and `app`; `gate.security` writes the answer.
"""

from __future__ import annotations

from rtfilter.errors import RtfilterError


class RefusedError(RtfilterError):
    """An HTTP refusal.

    Args:
        status: HTTP status, 400 or above.
        message: One line for the client.
        retry_after_s: Seconds until a retry can succeed; None if a retry does not help.
    """

    def __init__(self, status: int, message: str, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_s = retry_after_s


def shown(text: str, length: int = 40) -> str:
    """`text` from a client, quoted, escaped and cut to `length` characters for a one-line message."""
    escaped = ascii(text[: length + 1])
    return escaped if len(escaped) <= length + 2 else f"{escaped[:length]}...{escaped[0]}"
