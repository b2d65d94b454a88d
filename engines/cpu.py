"""A network ready on the processor, from nothing."""

from __future__ import annotations

from rtfilter.engines.models import Progress
from rtfilter.engines.ort import OnnxRunner
from rtfilter.engines.prepare import PROCESSOR, prepared
from rtfilter.engines.spec import NetworkSpec


def cpu_runner(
    spec: NetworkSpec, batch: int = 1, threads: int = 1, progress: Progress | None = None
) -> OnnxRunner:
    """The runner for `batch` faces; its file is made on first use, of which `progress` is told."""
    return OnnxRunner(prepared(spec, progress, PROCESSOR), spec, batch, threads)
