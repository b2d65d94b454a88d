"""Prometheus metrics of one server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from rtfilter.serve.app.processors import Processors
from rtfilter.serve.app.session import Json

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.033, 0.05, 0.1, 0.25, 1.0)


class _Now(Collector):
    """What is read off at the moment that somebody asks."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        load = self._metrics.processors.load()
        yield GaugeMetricFamily("rtfilter_sessions", "Sessions now", value=self._metrics.sessions())
        yield GaugeMetricFamily("rtfilter_tasks", "Tasks on the event loop", value=self._metrics.tasks())
        yield GaugeMetricFamily("rtfilter_processors", "Processors this process may use", value=load.count)
        yield GaugeMetricFamily(
            "rtfilter_processors_busy", "Processors busy with this process over some seconds", value=load.own
        )


class Metrics:
    """Counters and histograms; `text` writes them out. Labels are few and fixed: no session's name.

    sessions: how many there are, set by whom they belong to.
    """

    def __init__(self) -> None:
        self.processors = Processors()
        self.sessions: Callable[[], int] = lambda: 0
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
        self._registry.register(_Now(self))

    @staticmethod
    def tasks() -> int:
        """Tasks on the running event loop."""
        return len(asyncio.all_tasks())

    def opened(self, kind: str) -> None:
        """One session ("peer", "whip") or watcher ("whep") was let in."""
        self._opened.labels(kind).inc()

    def refused(self, status: int) -> None:
        """One request was answered with this status of 400 and above."""
        self._refused.labels(str(status)).inc()

    def heard(self, message: Json) -> None:
        """A session's message: its timings are counted."""
        if message["type"] != "timings":
            return
        self._frames.labels("yes" if message["face"] else "no").inc()
        for stage, ms in message["stages_ms"].items():
            self._stage.labels(stage).observe(ms / 1000)

    def text(self) -> bytes:
        """All of it in Prometheus's text format."""
        return generate_latest(self._registry)
