"""Prometheus metrics of one server. Called by `sessions`, which counts, and `server`, which serves them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from rtfilter.serve.app.admission import Load
from rtfilter.serve.app.shapes import Json

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.033, 0.05, 0.1, 0.25, 1.0)


class Metrics:
    """Counters and histograms; `text` writes them out. Labels are few and fixed: no session's name."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._opened = Counter(
            "rtfilter_sessions_opened", "Sessions and watchers let in", ["kind"], registry=self._registry
        )
        self._refused = Counter(
            "rtfilter_refusals", "Requests that were refused", ["status"], registry=self._registry
        )
        self._frames = Counter(
            "rtfilter_frames", "Pictures that went through a filter", ["face"], registry=self._registry
        )
        self._stage = Histogram(
            "rtfilter_stage_seconds",
            "Time of a picture by stage",
            ["stage"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._gauge("rtfilter_tasks", "Tasks on the event loop", lambda: len(asyncio.all_tasks()))

    def watch(self, sessions: Callable[[], int], load: Callable[[], Load]) -> None:
        """Show the number of sessions, and the load of the processors, at the time of each request."""
        self._gauge("rtfilter_sessions", "Sessions now", sessions)
        self._gauge("rtfilter_processors", "Processors this process may use", lambda: load().count)
        busy = "Processors busy with this process over some seconds"
        self._gauge("rtfilter_processors_busy", busy, lambda: load().own)

    def _gauge(self, name: str, what: str, value: Callable[[], float]) -> None:
        Gauge(name, what, registry=self._registry).set_function(value)

    def opened(self, kind: str) -> None:
        """Count one session ("peer", "whip") or watcher ("whep")."""
        self._opened.labels(kind).inc()

    def refused(self, status: int) -> None:
        """Count one request that was answered with this status of 400 and above."""
        self._refused.labels(str(status)).inc()

    def record(self, message: Json) -> None:
        """Count the frame and its stage times where a session's message is `timings`."""
        if message["type"] != "timings":
            return
        self._frames.labels("yes" if message["face"] else "no").inc()
        for stage, ms in message["stages_ms"].items():
            self._stage.labels(stage).observe(ms / 1000)

    def text(self) -> bytes:
        """All of it in Prometheus's text format."""
        return generate_latest(self._registry)
