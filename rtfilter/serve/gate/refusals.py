"""`RefusedError`: a request that is answered with a 4xx or 5xx and one line."""

from __future__ import annotations

from rtfilter.errors import RtfilterError


class RefusedError(RtfilterError):
    """status: of HTTP. retry_after_s: when it may be tried again; None when that would not help."""

    def __init__(self, status: int, message: str, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_s = retry_after_s
