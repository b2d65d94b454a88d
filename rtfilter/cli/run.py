"""`rtfilter run`: from a source through the filter to a sink."""

from __future__ import annotations

import argparse
import math
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from rtfilter.cli.endpoints import DEMO, NOTHING, VIRTUAL_CAMERA, is_camera, open_sink, open_source
from rtfilter.cli.job import (
    Job,
    RecordedFilter,
    job_for,
    load_filter,
    print_notes,
    print_summary,
    write_report,
)
from rtfilter.cli.output import PIPE, shown_name
from rtfilter.cli.settings import controls_for, settings_for
from rtfilter.cli.terminal import InterruptedJob, LiveLine, ProgressBar, notify, report_interruption
from rtfilter.errors import UsageError
from rtfilter.sinks.base import Sink
from rtfilter.sources.base import Source, is_live, shown_address


def run(arguments: argparse.Namespace) -> int:
    """`rtfilter run`."""
    settings = settings_for(arguments)
    for name in ("input", "output"):
        if name not in settings.values:
            raise UsageError(f"expected --{name}; see rtfilter run --help")
    return filter_video(job_for(arguments, settings.values, controls_for(settings)))


def filter_video(job: Job) -> int:
    """Do the job: live through the low-latency loop, else every frame in order."""
    if job.input and Path(job.input).is_dir():
        from rtfilter.cli.pictures import filter_folder

        return filter_folder(job)
    live = is_camera(job.input) or is_live(job.input) or job.output == VIRTUAL_CAMERA
    start_s = job.values.get("start")
    seekless = is_camera(job.input) or is_live(job.input) or job.input == DEMO
    if start_s is not None and seekless:
        raise UsageError(
            f"--start is for files, addresses and stdin; {shown_address(job.input)} has no beginning"
        )
    if not seekless and not (start_s is None and job.duration_s is None):
        part_s = math.inf if job.duration_s is None else job.duration_s
        job = replace(job, values={**job.values, "part_s": part_s})
    source = open_source(job.input, job.values, live=live, duration_s=job.duration_s)
    try:
        # Before the networks load: a wrong output is an error at once.
        sink = open_sink(job.output, job.values, source, compare=job.compare, force=job.force)
        first = [*getattr(sink, "notes", ())]
        print_notes(first)
        part = _part_of(source, job, sink)
        recorded = load_filter(sink, job, still=source.info.frame_count == 1)
        try:
            pass_through = _live if live else _every_frame
            result = pass_through(job, part, recorded, sink)
        except KeyboardInterrupt as error:
            report_interruption(error, f"after {recorded.frames} frames{'' if live else _lost(job)}")
            raise InterruptedJob(*error.args) from error
        except BrokenPipeError:
            if not job.quiet:
                notify(f"the reader of stdout left after {recorded.frames} frames")
            raise
        finally:
            recorded.close()
    finally:
        source.close()
    write_report(job, source.info, recorded, result)
    later = getattr(sink, "notes", ())[len(first) :]
    notes = [getattr(source, "damage", None), *getattr(source, "notes", ()), *later]
    print_summary(job, recorded, notes)
    if job.values.get("strict") and not live and getattr(source, "damage", None) is not None:
        notify(
            f"--strict: the input is damaged or cut off; {shown_name(job.output)} has what could be decoded"
        )
        return 1
    return 0


def _part_of(source: Source, job: Job, sink: Sink) -> Source:
    """The requested part of the source. Where there is none the sink is closed, and UsageError raised."""
    if "part_s" not in job.values:
        return source
    from rtfilter.sources.file import PartSource

    try:
        return PartSource(source, job.values.get("start") or 0.0, job.duration_s)
    except BaseException:
        sink.close(complete=False)
        raise


def _lost(job: Job) -> str:
    """What became of the output of a run that ended before its end."""
    if job.output in (NOTHING, VIRTUAL_CAMERA):
        return ""
    if job.output == PIPE:
        return ": stdout ends there"
    if Path(job.output).exists():
        return f": nothing of them was kept; {job.output} is still what it was before"
    return f": nothing was kept, {job.output} was not written"


def _every_frame(job: Job, source: Source, recorded: RecordedFilter, sink: Sink) -> dict[str, Any]:
    from rtfilter.pipeline import transcode
    from rtfilter.sources.file import PartSource
    from rtfilter.sources.pipe import PipeSource
    from rtfilter.system.threads import stop_on_signals

    # Half of a file is no result; a demo, as a recording, is whole wherever it ends.
    endless = job.input in (DEMO, PIPE)
    inner = source.whole if isinstance(source, PartSource) else source
    stops: list[bool] = []

    def stop() -> None:
        stops.append(True)
        if isinstance(inner, PipeSource):
            inner.finish()

    with ProgressBar() as bar, stop_on_signals(stop) if endless else nullcontext():
        report = transcode(
            source,
            lambda frame: recorded.step(frame, job.controls_at(frame)).frame,
            sink,
            None if job.quiet else bar,
            stopped=lambda: bool(stops),
        )
    if stops:
        notify(
            f"stopped early, after {report.frames} frames; {shown_name(job.output)} is complete up to there"
        )
    return report.as_dict()


def _live(job: Job, source: Source, recorded: RecordedFilter, sink: Sink) -> dict[str, Any]:
    from rtfilter.cam.loop import LiveLoop
    from rtfilter.cam.writer import SinkWriter
    from rtfilter.system.threads import stop_on_signals

    with LiveLine() as line:
        loop = LiveLoop(
            source,
            lambda frame: recorded.step(frame, job.controls_at(frame)),
            SinkWriter(sink),
            duration_s=job.duration_s,
            on_tick=None if job.quiet else line,
        )
        with stop_on_signals(loop.stop):
            return loop.run().as_dict()
