"""`rtfilter run`: from a source through the filter to a sink."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtfilter.cli.ends import DEMO, NOTHING, VIRTUAL_CAMERA, is_camera, open_sink, open_source
from rtfilter.cli.options import CODECS
from rtfilter.cli.output import refuse_existing, refuse_same, write_json
from rtfilter.cli.settings import chosen_lane, controls_for, settings_for
from rtfilter.cli.standard_streams import PIPE, shown_name
from rtfilter.cli.terminal import InterruptedJob, LiveLine, ProgressBar, announce, notify, report_interruption
from rtfilter.controls import Controls
from rtfilter.errors import UsageError, nearest
from rtfilter.frame import Frame
from rtfilter.gpu.choose import LaneChoice
from rtfilter.media.info import SourceInfo
from rtfilter.sinks.base import Sink
from rtfilter.sources.address import is_address, is_live, shown_address
from rtfilter.sources.base import Source
from rtfilter.system.machine import machine_facts, versions

if TYPE_CHECKING:
    from rtfilter.cam.writer import SinkWriter
    from rtfilter.cli.recorded import RecordedFilter


@dataclass(frozen=True, slots=True)
class Job:
    """One run. controls_at: the wish for a frame; described: that wish for the report."""

    input: str
    output: str
    values: Mapping[str, Any]
    controls_at: Callable[[Frame], Controls]
    described: Mapping[str, Any]
    lane: LaneChoice
    compare: bool = False
    force: bool = False
    report: Path | None = None
    duration_s: float | None = None
    quiet: bool = False


def run(arguments: argparse.Namespace) -> int:
    """`rtfilter run`."""
    settings = settings_for(arguments)
    for name in ("input", "output"):
        if name not in settings.values:
            raise UsageError(f"expected --{name}; see rtfilter run --help")
    job = job_for(arguments, settings.values, controls_for(settings))
    return filter_video(job)


def job_for(arguments: argparse.Namespace, values: Mapping[str, Any], controls: Controls) -> Job:
    """The job of parsed arguments. Raises UsageError for a codec that a settings file made up."""
    if (codec := values.get("codec", CODECS[0])) not in CODECS:
        raise UsageError(f"unknown codec {codec!r}:{nearest(codec, CODECS)}")
    named = {
        key: getattr(arguments, key, None) for key in ("crf", "bitrate", "size", "format", "start", "strict")
    }
    return Job(
        input=values["input"],
        output=values["output"],
        values={**values, **named, "codec_asked": getattr(arguments, "codec", None) is not None},
        controls_at=lambda _: controls,
        described=controls.as_dict(),
        compare=arguments.compare,
        force=getattr(arguments, "force", False),
        report=Path(arguments.report) if arguments.report is not None else None,
        duration_s=arguments.duration,
        quiet=arguments.quiet,
        lane=chosen_lane(arguments, values),
    )


def filter_video(job: Job) -> int:
    """Do the job: live through the low-latency loop, else every frame in order."""
    started = datetime.now(timezone.utc)
    refuse_report(job)
    if job.input and Path(job.input).is_dir():
        _refuse_in_folder(job)
        return _filter_folder(job, started)
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
        # Before the networks load: a wrong output is told at once.
        sink = open_sink(job.output, job.values, source, compare=job.compare, force=job.force)
        told = [*getattr(sink, "notes", ())]
        say_notes(told)
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
    if job.report is not None:
        write_json(job.report, report_of(job, started, source.info, recorded, result))
    later = getattr(sink, "notes", ())[len(told) :]
    notes = [getattr(source, "damage", None), *getattr(source, "notes", ()), *later]
    say_what_happened(job, recorded, notes)
    if job.values.get("strict") and not live and getattr(source, "damage", None) is not None:
        notify(
            f"--strict: the input is damaged or cut off; {shown_name(job.output)} has what could be decoded"
        )
        return 1
    return 0


def _part_of(source: Source, job: Job, sink: Sink) -> Source:
    """The part of the source that was asked for; without one the sink is closed, and the error raised."""
    if "part_s" not in job.values:
        return source
    from rtfilter.sources.part import PartSource

    try:
        return PartSource(source, job.values.get("start") or 0.0, job.duration_s)
    except BaseException:
        sink.close(complete=False)
        raise


def _refuse_in_folder(job: Job) -> None:
    """Raise UsageError for options that a folder of pictures has no use for."""
    given = {"start": job.values.get("start"), "duration": job.duration_s, "format": job.values.get("format")}
    for option, value in given.items():
        if value is not None:
            what = "stdout" if option == "format" else "videos"
            raise UsageError(f"--{option} is for {what}; {job.input} is a folder of pictures: leave it away")


def _filter_folder(job: Job, started: datetime) -> int:
    """Every picture of a folder, each as if it were the first; 1 when one of them failed."""
    from rtfilter.cli.pictures import filter_pictures, plan, shown
    from rtfilter.sinks.null import NullSink

    pairs, left_out = plan(Path(job.input), job.output, job.force)
    recorded = load_filter(NullSink(), job, still=True)

    def step(frame: Frame) -> Frame:
        recorded.reset()
        return recorded.step(frame, job.controls_at(frame)).frame

    try:
        with ProgressBar() as bar:
            failed, largest = filter_pictures(
                pairs,
                step,
                job.values,
                compare=job.compare,
                force=job.force,
                progress=None if job.quiet else bar,
            )
    finally:
        recorded.close()
    if job.report is not None:
        info = SourceInfo(job.input, *largest, fps=Fraction(1), live=False, frame_count=len(pairs))
        result = {"pictures": len(pairs), "failed": failed, "left_out": left_out}
        write_json(job.report, report_of(job, started, info, recorded, result))
    notes = [f"left out what is no picture: {shown(left_out)}"] if left_out else []
    if failed:
        notes.append(f"{len(failed)} of {len(pairs)} pictures failed: {shown(failed)}")
    say_what_happened(job, recorded, notes)
    return 1 if failed else 0


def refuse_report(job: Job) -> None:
    """Raise UsageError or OutputError when the report cannot be written where it should be."""
    if job.report is None:
        return
    for name, what in ((job.input, "input"), (job.output, "output")):
        if not (is_camera(name) or is_address(name) or name in (DEMO, VIRTUAL_CAMERA, NOTHING, PIPE)):
            refuse_same(job.report, "report", Path(name), what)
    refuse_existing(job.report, job.force)


def load_filter(sink: Sink | SinkWriter, job: Job, still: bool = False) -> RecordedFilter:
    """The job's filter for what goes to `sink`, which is closed when that fails.

    still: for a single picture, which has no time to fade in.
    """
    try:
        from rtfilter.cli.recorded import FADE_S, RecordedFilter

        announce(job.lane, job.quiet)
        return RecordedFilter(job.lane, 0.0 if still else FADE_S, notify)
    except BaseException:
        # Ctrl-C while the networks load, too: nothing half-made stays behind.
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
    from rtfilter.sources.part import PartSource
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


def report_of(
    job: Job, started: datetime, info: SourceInfo, recorded: RecordedFilter, result: dict[str, Any]
) -> dict[str, Any]:
    """What `--report` writes: request, counts, percentiles in milliseconds, machine and versions."""
    return {
        "input": shown_address(job.input),
        "output": job.output,
        "started": started.isoformat(timespec="seconds"),
        "controls": dict(job.described),
        "lane": recorded.lane,
        "source": {"name": info.name, "width": info.width, "height": info.height, "fps": float(info.fps)},
        "frames": recorded.frames,
        "frames_with_face": recorded.with_face,
        "frames_changed": recorded.changed,
        "stages": recorded.summary(),
        "run": result,
        "machine": machine_facts(),
        "versions": versions(),
    }


def say_notes(notes: Sequence[str | None]) -> None:
    """What cannot be kept or done, one line each; also with --quiet."""
    for note in filter(None, notes):
        print(f"rtfilter: note: {note}", file=sys.stderr)


def say_what_happened(job: Job, recorded: RecordedFilter, notes: Sequence[str | None] = ()) -> None:
    """The counts, and what else the user should know; notes: what source and sink could not do."""
    say_notes(notes)
    if job.quiet:
        return
    counts = f"{recorded.frames} frames, a face in {recorded.with_face}, {recorded.changed} changed"
    print(f"{shown_name(job.output)}: {counts}", file=sys.stderr)
    if recorded.frames and not recorded.changed:
        why = _why_unchanged(job.described) if recorded.with_face else "no face was found"
        print(f"rtfilter: note: no frame was edited: {why}", file=sys.stderr)


def _why_unchanged(wish: Mapping[str, Any]) -> str:
    """wish: `Job.described`, where a tour of emotions is a text."""
    emotions, offsets = wish["emotions"], wish["blendshapes"].values()
    if wish["bypass"]:
        return "bypass is on"
    if not (emotions or wish["valence"] or wish["arousal"] or offsets):
        return "no emotion was asked for; try --emotion happy=0.8"
    amounts = emotions.values() if isinstance(emotions, Mapping) else (1.0,)
    mixed = any([*amounts, wish["valence"], wish["arousal"]])
    if not (mixed or any(offsets)):
        return "all that was asked for is 0; try --emotion happy=0.8"
    if not (wish["intensity"] or any(offsets)):
        return "the intensity is 0; try --intensity 1"
    return "the edit fades in over a few frames, and no face stayed that long"
