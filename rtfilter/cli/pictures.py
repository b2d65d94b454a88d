"""A folder of pictures to a folder of pictures: each by itself, whatever becomes of the others.

Called by `cli.run`.
"""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from pathlib import Path

from rtfilter.cli.endpoints import IMAGE_SUFFIXES, NOTHING, VIRTUAL_CAMERA, open_sink
from rtfilter.cli.job import Job, RecordedFilter, load_filter, print_notes, print_summary, write_report
from rtfilter.cli.output import PIPE
from rtfilter.cli.terminal import InterruptedJob, ProgressBar, notify, report_interruption
from rtfilter.errors import InputError, OutputError, RtfilterError, UsageError
from rtfilter.media.container import reason
from rtfilter.media.info import SourceInfo
from rtfilter.sinks.base import NullSink
from rtfilter.sinks.codecs import VIDEO_SUFFIXES
from rtfilter.sources.file import FileSource

READ_SUFFIXES = (*IMAGE_SUFFIXES, ".bmp", ".tif", ".tiff")
_NAMES_SHOWN = 5
Size = tuple[int, int]


def filter_folder(job: Job) -> int:
    """Filter every picture of the folder `job.input`, each as if it were the first; 1 when one failed.

    Raises UsageError, InputError or OutputError when none can be filtered.
    """
    given = {"start": job.values.get("start"), "duration": job.duration_s, "format": job.values.get("format")}
    for option, value in given.items():
        if value is not None:
            what = "stdout" if option == "format" else "videos"
            raise UsageError(f"--{option} is for {what}; {job.input} is a folder of pictures: leave it away")
    pairs, left_out = _plan(Path(job.input), job.output, job.force)
    recorded = load_filter(NullSink(), job, still=True)
    try:
        failed, largest = _filter_all(job, pairs, recorded)
    finally:
        recorded.close()
    info = SourceInfo(job.input, *largest, fps=Fraction(1), live=False, frame_count=len(pairs))
    write_report(job, info, recorded, {"pictures": len(pairs), "failed": failed, "left_out": left_out})
    notes = [f"left out what is no picture: {_listed(left_out)}"] if left_out else []
    if failed:
        notes.append(f"{len(failed)} of {len(pairs)} pictures failed: {_listed(failed)}")
    print_summary(job, recorded, notes)
    return 1 if failed else 0


def _plan(source: Path, output: str, force: bool) -> tuple[list[tuple[Path, Path]], list[str]]:
    """The pairs of picture and output of the folder `source`, and the names of what is no picture.

    output: a folder, which is made, or `null`. A picture keeps its name; one of a kind that is not written
    becomes a PNG.
    """
    if output in (VIRTUAL_CAMERA, PIPE):
        raise UsageError(f"output {output}: a folder of pictures becomes a folder; name one")
    entries = sorted(path for path in source.iterdir() if not path.name.startswith("."))
    pictures = [path for path in entries if path.is_file() and path.suffix.lower() in READ_SUFFIXES]
    left_out = [path.name for path in entries if path not in pictures]
    if not pictures:
        raise InputError(
            f"{source} holds no picture ({', '.join(READ_SUFFIXES)}): name a file or another folder"
        )
    if output == NOTHING:
        return [(path, Path(NOTHING)) for path in pictures], left_out
    target = Path(output)
    if target.suffix.lower() in VIDEO_SUFFIXES:
        raise UsageError(
            f"{source} is a folder of pictures, and {target} a video: name a folder; "
            "for a film let FFmpeg pipe the pictures into `rtfilter run -i -`"
        )
    if target.exists() and target.samefile(source):
        raise UsageError(f"{target} is both input and output; choose another output")
    names = {path.name for path in pictures if path.suffix.lower() in IMAGE_SUFFIXES}
    pairs = []
    for path in pictures:
        name = path.name
        if path.suffix.lower() not in IMAGE_SUFFIXES:
            name = f"{path.stem}.png"
            name = name if name not in names else f"{path.name}.png"
            names.add(name)
        pairs.append((path, target / name))
    taken = [written.name for _, written in pairs if written.exists()]
    if taken and not force:
        exist = "exists" if len(taken) == 1 else "exist"
        raise OutputError(f"{target}: {_listed(taken)} {exist}; replace with --force or choose another")
    try:
        target.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{target} cannot be made ({error.strerror}): name a folder in one that exists"
        ) from error
    return pairs, left_out


def _filter_all(job: Job, pairs: list[tuple[Path, Path]], recorded: RecordedFilter) -> tuple[list[str], Size]:
    """Filter every picture of a plan; an error of one is reported, and the others go on.

    Returns the names of those that failed, and the size of the largest picture. Raises InterruptedJob.
    """
    failed: list[str] = []
    largest, done = (0, 0), 0
    try:
        with ProgressBar() as bar:
            for path, written in pairs:
                try:
                    with closing(FileSource(path)) as source:
                        largest = max(largest, (source.info.width, source.info.height))
                        _filter_one(job, source, str(written), recorded)
                except RtfilterError as error:
                    failed.append(path.name)
                    notify(" ".join(str(error).split()))
                except (OSError, ValueError) as error:
                    # Of one picture, as of a decoder or a disk: the others may do.
                    failed.append(path.name)
                    notify(f"{path}: {reason(error)}")
                done += 1
                if not job.quiet:
                    bar(done, len(pairs))
    except KeyboardInterrupt as error:
        report_interruption(error, f"after {done} of {len(pairs)} pictures, which are kept")
        raise InterruptedJob(*error.args) from error
    return failed, largest


def _filter_one(job: Job, source: FileSource, output: str, recorded: RecordedFilter) -> None:
    sink = open_sink(output, job.values, source, compare=job.compare, force=job.force)
    complete = False
    try:
        frame = source.read()
        if frame is not None:
            recorded.reset()
            sink.write(recorded.step(frame, job.controls_at(frame)).frame)
            source.read()  # the end, where the source notices damage
        complete = True
    finally:
        sink.close(complete=complete)
    print_notes([source.damage, *source.notes, *getattr(sink, "notes", ())])
    if job.values.get("strict") and source.damage is not None:
        raise InputError(f"--strict: {source.name} is damaged or cut off; {output} has what could be decoded")


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
