"""`rtfilter learn track`: the clips of data sets as tracks, by the product's own tracker and fit.

A person's neutral face is learned from their neutral clips first, so that a smile is not learned as part of
the face. A track's file name carries what it was made from; what is there is kept, so an interrupted run goes
on where it stopped.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

import numpy as np

from rtfilter.errors import InputError, Notify, UsageError
from rtfilter.face.fit import FaceFit, IdentityState
from rtfilter.face.model import ASSET, MorphableModel
from rtfilter.learn.config import read_document
from rtfilter.learn.data.refit import fit_all
from rtfilter.learn.data.sets.clip import Clip
from rtfilter.learn.data.sets.read import parse_set, read_sets
from rtfilter.learn.data.sound import read_sound
from rtfilter.learn.data.track import SUFFIX, Track
from rtfilter.learn.data.watch import Watched, watch
from rtfilter.learn.data.words import phones_of
from rtfilter.tracking.engine import EngineTracker

Progress = Callable[[int, int | None], None]

# Raised when the same clip gives another track.
VERSION: Final = 1
_SHOWN: Final = 20  # lines on single clips; the rest is counted


@dataclass(frozen=True, slots=True)
class TrackSettings:
    """`[track]`.

    sets: data sets with their folders, as `mead:/data/MEAD`; others are ravdess, crema-d and grid.
    identity_clips: neutral clips from which a person's face at rest is learned. people: only these; default
    all.
    """

    sets: tuple[str, ...] = ()
    identity_clips: int = 4
    people: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.sets:
            raise UsageError('sets: expected at least one, such as sets = ["mead:/data/MEAD"]')
        if self.identity_clips < 0:
            raise UsageError(f"identity_clips: expected 0 or more, got {self.identity_clips}")
        for text in self.sets:
            parse_set(text)


class Cache:
    """The folder of tracks. Tracker and fit are made when the first clip needs them."""

    def __init__(self, folder: Path, identity_clips: int, notify: Notify) -> None:
        self._folder, self._identity_clips, self._notify = folder, identity_clips, notify
        self._stack = ExitStack()
        self._tracker: EngineTracker | None = None
        self._fit = FaceFit(MorphableModel.builtin())
        face = resources.files("rtfilter.face").joinpath("assets", ASSET).read_bytes()
        self._face = hashlib.sha256(face).hexdigest()

    def close(self) -> None:
        """Release the networks."""
        self._stack.close()

    def person(self, clips: Sequence[Clip], done: Callable[[Clip, str], None]) -> None:
        """Make the missing tracks of one person's clips.

        done: called for each clip with what became of it: "made", "there already", or what is wrong.
        """
        neutral = [clip for clip in clips if clip.emotion == "neutral"][: self._identity_clips]
        paths = {clip.name: self._path(clip, neutral) for clip in clips}
        missing = [clip for clip in clips if not paths[clip.name].exists()]
        for clip in clips:
            if clip not in missing:
                done(clip, "there already")
        if not missing:
            return
        seen: dict[str, Watched] = {}
        identity = self._identity(neutral, seen)
        for clip in missing:
            try:
                watched = seen.pop(clip.name, None) or self._watch(clip)
                track = self._track(clip, watched, identity)
            except (InputError, UsageError) as error:
                done(clip, str(error))
                continue
            path = paths[clip.name]
            track.save(path)
            for stale in path.parent.glob(f"{clip.name}-????????{SUFFIX}"):
                if stale != path:
                    stale.unlink()
            done(clip, "made")

    def _identity(self, neutral: Sequence[Clip], seen: dict[str, Watched]) -> IdentityState | None:
        """What the neutral clips show of the person; None without any. seen: gets what was tracked."""
        identity, time_s = self._fit.first_identity(), 0.0
        for clip in neutral:
            try:
                watched = seen[clip.name] = self._watch(clip)
            except InputError:
                continue  # said when its own turn comes
            for points, at in zip(watched.points_px, watched.time_s, strict=True):
                _, identity = self._fit.step(identity, points, time_s + float(at))
            time_s += float(watched.time_s[-1]) + 1.0 / watched.fps
        return identity if identity.weight > 0.0 else None

    def _watch(self, clip: Clip) -> Watched:
        if self._tracker is None:
            self._tracker = EngineTracker(progress=self._notify)
            self._stack.callback(self._tracker.close)
        return watch(clip.path, self._tracker)

    def _track(self, clip: Clip, watched: Watched, identity: IdentityState | None) -> Track:
        fitted, _ = fit_all(self._fit, watched.points_px, watched.time_s, identity)
        sound = read_sound(clip.path, watched.start_s) if clip.sound is None else read_sound(clip.sound)
        return Track(
            name=clip.name,
            person=clip.person,
            sentence=clip.sentence,
            emotion=clip.emotion,
            level=clip.level,
            fps=watched.fps,
            time_s=watched.time_s,
            expression=fitted.expression,
            shape_iod=fitted.shape_iod,
            neutral_iod=fitted.neutral_iod,
            rotation=fitted.rotation,
            scale_px=fitted.scale_px,
            sound=sound,
            phones=phones_of(clip.words),
            truth={} if watched.damage is None else {"damage": np.array(watched.damage)},
        )

    def _path(self, clip: Clip, neutral: Sequence[Clip]) -> Path:
        """The track's file: its name carries what it depends on."""
        parts = [str(VERSION), self._face, repr(clip.words), clip.emotion, repr(clip.level), clip.sentence]
        for one in (clip.path, clip.sound, *(other.path for other in neutral)):
            if one is not None:
                stat = one.stat()
                parts += [one.name, str(stat.st_size), str(stat.st_mtime_ns)]
        key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]
        return self._folder / clip.person / f"{clip.name}-{key}{SUFFIX}"


def main(
    config_path: Path,
    overrides: Sequence[str] = (),
    progress: Progress | None = None,
    notify: Notify = lambda line: None,
) -> int:
    """Make the missing tracks of all clips of a settings file, in `output/track`.

    Clips that cannot be used are named and counted. Raises InputError when no clip can be; OutputError for a
    full disk: what is finished is kept.
    """
    document = read_document(config_path, overrides)
    settings, folder = document.table("track", TrackSettings), document.run.folder("track")
    clips = read_sets([parse_set(text) for text in settings.sets], notify)
    people = _by_person(clips, settings.people)
    total = sum(map(len, people.values()))
    counts: Counter[str] = Counter()

    def done(clip: Clip, what: str) -> None:
        known = what in ("made", "there already")
        counts[what if known else "could not be used"] += 1
        if not known and counts["could not be used"] <= _SHOWN:
            notify(what)
        if progress is not None:
            progress(counts.total(), total)

    if progress is not None:
        progress(0, total)
    cache = Cache(folder, settings.identity_clips, notify)
    try:
        for group in people.values():
            cache.person(group, done)
    finally:
        cache.close()
    words = ", ".join(f"{count} {what}" for what, count in counts.items())
    notify(f"{total} clips of {len(people)} people, tracks in {folder}: {words}")
    if counts["could not be used"] == total:
        raise InputError(f"none of {total} clips could be used: see the lines above")
    return 0


def _by_person(clips: Sequence[Clip], wanted: Sequence[str]) -> dict[str, list[Clip]]:
    people: dict[str, list[Clip]] = {}
    for clip in clips:
        people.setdefault(clip.person, []).append(clip)
    for name in wanted:
        if name not in people:
            known = sorted(people)
            raise UsageError(
                f"people: no {name!r} in the sets; there are {len(known)}, such as {', '.join(known[:5])}"
            )
    return {name: group for name, group in people.items() if not wanted or name in wanted}
