"""`Job`, one run of `run`, `demo` or `cam`: its filter, and the report and the counts at its end."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtfilter.cli.endpoints import DEMO, NOTHING, VIRTUAL_CAMERA, is_camera
from rtfilter.cli.options import CODECS
from rtfilter.cli.output import PIPE, refuse_existing, refuse_same, shown_name, write_json
from rtfilter.cli.settings import chosen_editor, chosen_lane, chosen_profile
from rtfilter.cli.terminal import announce, notify
from rtfilter.controls import Controls
from rtfilter.errors import UsageError, nearest
from rtfilter.frame import Frame
from rtfilter.gpu.choose import LaneChoice
from rtfilter.media.info import SourceInfo
from rtfilter.sinks.base import Sink
from rtfilter.sources.base import is_address, shown_address
from rtfilter.system.clock import StageTimings
from rtfilter.system.machine import machine_facts, versions

if TYPE_CHECKING:
    from rtfilter.cam.writer import SinkWriter
    from rtfilter.filter import StepResult
    from rtfilter.gpu.lane import People
    from rtfilter.profiles.profile import Profile

FADE_S = 0.2
# Ten minutes at 30 frames a second.
KEPT_FRAMES = 18_000


@dataclass(frozen=True, slots=True)
class Job:
    """The request of a command line.

    values: settings and options by name, for `open_source` and `open_sink`. controls_at: the controls of a
    frame; described: the same for the report. duration_s: None without a limit.
    """

    input: str
    output: str
    values: Mapping[str, Any]
    controls_at: Callable[[Frame], Controls]
    described: Mapping[str, Any]
    lane: LaneChoice
    editor: str
    profile: Profile | None
    compare: bool
    force: bool
    report: Path | None
    duration_s: float | None
    quiet: bool
    started: datetime


def job_for(arguments: argparse.Namespace, values: Mapping[str, Any], controls: Controls) -> Job:
    """The job of parsed arguments and merged settings.

    Raises UsageError for an unknown codec in the settings, OutputError where the report cannot be written.
    """
    if (codec := values.get("codec", CODECS[0])) not in CODECS:
        raise UsageError(f"unknown codec {codec!r}:{nearest(codec, CODECS)}")
    named = {
        key: getattr(arguments, key, None) for key in ("crf", "bitrate", "size", "format", "start", "strict")
    }
    job = Job(
        input=values["input"],
        output=values["output"],
        values={**values, **named, "codec_asked": getattr(arguments, "codec", None) is not None},
        controls_at=lambda _: controls,
        described=controls.as_dict(),
        lane=chosen_lane(arguments, values),
        editor=chosen_editor(values),
        profile=chosen_profile(arguments, values),
        compare=arguments.compare,
        force=getattr(arguments, "force", False),
        report=Path(arguments.report) if arguments.report is not None else None,
        duration_s=arguments.duration,
        quiet=arguments.quiet,
        started=datetime.now(timezone.utc),
    )
    if job.report is not None:
        for name, what in ((job.input, "input"), (job.output, "output")):
            if not (is_camera(name) or is_address(name) or name in (DEMO, VIRTUAL_CAMERA, NOTHING, PIPE)):
                refuse_same(job.report, "report", Path(name), what)
        refuse_existing(job.report, job.force)
    return job


class RecordedFilter:
    """A `FaceFilter` that counts and times its steps.

    lane, fade_s, editor, profile, faces: as of `FaceFilter`. frames, with_face, changed: counts so far.
    """

    def __init__(
        self, lane: LaneChoice, fade_s: float, editor: str, profile: Profile | None, faces: int = 1
    ) -> None:
        from rtfilter.filter import FaceFilter

        self._filter = FaceFilter(
            lane=lane, editor=editor, profile=profile, fade_s=fade_s, notify=notify, faces=faces
        )
        self._timings = StageTimings(KEPT_FRAMES)
        self.frames = self.with_face = self.changed = 0
        self.reset, self.close = self._filter.reset, self._filter.close
        self.wear, self.choose = self._filter.wear, self._filter.choose

    def step(self, frame: Frame, controls: Controls, people: People | None = None) -> StepResult:
        """Filter one frame."""
        result = self._filter.step(frame, controls, people)
        self.frames += 1
        self.with_face += result.report.landmarks is not None
        self.changed += result.frame.changed is not None
        self._timings.record_all(result.report.stage_ns)
        return result

    @property
    def lane(self) -> dict[str, str]:
        """Name of the lane in use, and why it is this one."""
        return {"name": self._filter.lane, "why": self._filter.lane_why}

    @property
    def profile(self) -> Profile | None:
        """See `FaceFilter.profile`."""
        return self._filter.profile

    @property
    def own_skin(self) -> bool:
        """See `FaceFilter.own_skin`."""
        return self._filter.own_skin

    def counts(self) -> dict[str, Any]:
        """The counts of frames, and percentiles in milliseconds by stage."""
        return {
            "frames": self.frames,
            "frames_with_face": self.with_face,
            "frames_changed": self.changed,
            "stages": self._timings.summary(),
        }


def load_filter(sink: Sink | SinkWriter, job: Job, still: bool = False) -> RecordedFilter:
    """The job's filter. When it cannot be loaded, `sink` is closed.

    still: for a single picture, which has no time to fade in.
    """
    try:
        announce(job.lane, job.quiet)
        faces = job.values.get("faces", 1)
        return RecordedFilter(job.lane, 0.0 if still else FADE_S, job.editor, job.profile, faces)
    except BaseException:
        # Ctrl-C while the networks load, too: nothing half-made stays behind.
        sink.close(complete=False)
        raise


def write_report(job: Job, info: SourceInfo, recorded: RecordedFilter, result: Mapping[str, Any]) -> None:
    """Write the file of `--report`, if there is one: request, counts, timings, machine and versions."""
    if job.report is None:
        return
    document = {
        "input": shown_address(job.input),
        "output": job.output,
        "started": job.started.isoformat(timespec="seconds"),
        "controls": dict(job.described),
        "lane": recorded.lane,
        "editor": job.editor,
        "profile": None if job.profile is None else job.profile.name,
        "source": {"name": info.name, "width": info.width, "height": info.height, "fps": float(info.fps)},
        **recorded.counts(),
        "run": result,
        "machine": machine_facts(),
        "versions": versions(),
    }
    write_json(job.report, document)


def print_notes(notes: Sequence[str | None]) -> None:
    """Write what cannot be kept or done, one line each; also with --quiet."""
    for note in filter(None, notes):
        notify(f"note: {note}")


def print_summary(job: Job, recorded: RecordedFilter, notes: Sequence[str | None] = ()) -> None:
    """Write the notes of source and sink, the counts, and why no frame was edited."""
    print_notes(notes)
    if job.quiet:
        return
    counts = f"{recorded.frames} frames, a face in {recorded.with_face}, {recorded.changed} changed"
    print(f"{shown_name(job.output)}: {counts}", file=sys.stderr)
    if recorded.frames and not recorded.changed:
        why = why_unchanged(job.described) if recorded.with_face else "no face was found"
        notify(f"note: no frame was edited: {why}")


def why_unchanged(controls: Mapping[str, Any]) -> str:
    """The reason in `Job.described`, where a tour of emotions is a text."""
    emotions, offsets = controls["emotions"], controls["blendshapes"].values()
    if controls["bypass"]:
        return "bypass is on"
    if not (emotions or controls["valence"] or controls["arousal"] or offsets):
        return "no emotion was asked for; try --emotion happy=0.8"
    amounts = emotions.values() if isinstance(emotions, Mapping) else (1.0,)
    mixed = any([*amounts, controls["valence"], controls["arousal"]])
    if not (mixed or any(offsets)):
        return "all that was asked for is 0; try --emotion happy=0.8"
    if not (controls["intensity"] or any(offsets)):
        return "the intensity is 0; try --intensity 1"
    return "the edit fades in over a few frames, and no face stayed that long"
