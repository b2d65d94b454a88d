"""A folder of pictures -> a folder of pictures: each by itself, one bad one does not stop the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtfilter.cli.ends import IMAGE_SUFFIXES, NOTHING, VIRTUAL_CAMERA, open_sink
from rtfilter.cli.standard_streams import PIPE
from rtfilter.cli.terminal import InterruptedJob, notify, report_interruption
from rtfilter.errors import InputError, OutputError, RtfilterError, UsageError
from rtfilter.frame import Frame
from rtfilter.sinks.containers import VIDEO_SUFFIXES

if TYPE_CHECKING:
    from rtfilter.sources.file import FileSource

READ_SUFFIXES = (*IMAGE_SUFFIXES, ".bmp", ".tif", ".tiff")
_NAMES_SHOWN = 5


def plan(source: Path, output: str, force: bool) -> tuple[list[tuple[Path, Path]], list[str]]:
    """Which picture of the folder `source` goes where, and the names of what is left out.

    output: a folder, which is made, or `null`. A picture keeps its name; one of a kind that is not written
    becomes a PNG.

    Raises UsageError, InputError or OutputError, saying what to do.
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
        raise OutputError(
            f"{target}: {shown(taken)} exist{'s' * (len(taken) == 1)}; replace with --force or choose another"
        )
    try:
        target.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{target} cannot be made ({error.strerror}): name a folder in one that exists"
        ) from error
    return pairs, left_out


def filter_pictures(
    pairs: list[tuple[Path, Path]],
    step: Callable[[Frame], Frame],
    values: Mapping[str, Any],
    *,
    compare: bool,
    force: bool,
    progress: Callable[[int, int | None], None] | None,
) -> tuple[list[str], tuple[int, int]]:
    """Filter every picture of a plan by `step`; what goes wrong with one is said, and the others go on.

    Returns the names of those that failed, and width and height of the largest, in pixels.
    Raises InterruptedJob.
    """
    from rtfilter.media.container import reason
    from rtfilter.sources.file import FileSource

    failed: list[str] = []
    largest, done = (0, 0), 0
    try:
        for path, written in pairs:
            try:
                source = FileSource(path)
                largest = max(largest, (source.info.width, source.info.height))
                _filter_one(source, str(written), step, values, compare, force)
            except RtfilterError as error:
                failed.append(path.name)
                notify(" ".join(str(error).split()))
            except (OSError, ValueError) as error:
                # Of one picture, as of a decoder or a disk: the others may do.
                failed.append(path.name)
                notify(f"{path}: {reason(error)}")
            done += 1
            if progress is not None:
                progress(done, len(pairs))
    except KeyboardInterrupt as error:
        report_interruption(error, f"after {done} of {len(pairs)} pictures, which are kept")
        raise InterruptedJob(*error.args) from error
    return failed, largest


def _filter_one(
    source: FileSource,
    output: str,
    step: Callable[[Frame], Frame],
    values: Mapping[str, Any],
    compare: bool,
    force: bool,
) -> None:
    try:
        sink = open_sink(output, values, source, compare=compare, force=force)
        complete = False
        try:
            frame = source.read()
            if frame is not None:
                sink.write(step(frame))
                source.read()  # the end, where the source knows what was wrong
            complete = True
        finally:
            sink.close(complete=complete)
        for note in filter(None, [source.damage, *source.notes, *getattr(sink, "notes", ())]):
            notify(f"note: {note}")
        if values.get("strict") and source.damage is not None:
            raise InputError(
                f"--strict: {source.name} is damaged or cut off; {output} has what could be decoded"
            )
    finally:
        source.close()


def shown(names: list[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
