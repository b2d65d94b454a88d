"""`Profile`: a person's own skin maps, and what the person is recognised by; as bytes, and made of samples.

Called by `cli`, `filter` and `serve`.
"""

from __future__ import annotations

import io
import json
import logging
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from rtfilter.errors import InputError, Notify
from rtfilter.face.fit import FaceFit
from rtfilter.face.landmarks import LANDMARK_COUNT
from rtfilter.face.model import MorphableModel
from rtfilter.face.skin import SIDE_MAX, SkinMaps
from rtfilter.gpu.lane import Lane
from rtfilter.profiles.fit import fit_textures
from rtfilter.profiles.gather import Gathering
from rtfilter.profiles.live import ProfiledLane, Worn
from rtfilter.profiles.report import Quality, quality_of
from rtfilter.profiles.samples import Sample, refitted
from rtfilter.profiles.seal import DamagedProfileError
from rtfilter.profiles.store import ProfileStore

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]

_log = logging.getLogger("rtfilter.profiles")

_DAMAGE = (ValueError, OSError, EOFError, KeyError, TypeError, AttributeError, BadZipFile, zlib.error)


@dataclass(frozen=True)
class Profile:
    """What an enrolment comes to.

    skin: the person's own maps. neutral_iod: float32 [478, 3], the neutral face. texture: uint8 [S, S, 3],
    the mean texture, with weight uint8 [S, S]. created: UTC, ISO 8601. quality: of the enrolment.
    """

    name: str
    skin: SkinMaps
    neutral_iod: F32
    texture: U8
    weight: U8
    created: str
    quality: Quality

    def header(self) -> dict[str, Any]:
        """What the list shows without a passphrase."""
        return {"name": self.name, "created": self.created}

    def worn_on(
        self, lane: Lane, model: MorphableModel, notify: Notify | None = None, faces: int = 1
    ) -> ProfiledLane:
        """The lane with this person's skin; see `live.ProfiledLane`. notify: default the log."""
        own = Worn(self.name, self.skin, self.neutral_iod, self.texture, self.weight)
        return ProfiledLane(lane, own, model, notify or _log.warning, faces)

    def to_bytes(self) -> bytes:
        """The content of the profile's file, an .npz. Maps are stored as 16-bit floats."""
        out = io.BytesIO()
        np.savez_compressed(
            out,
            maps=self.skin.maps.astype(np.float16),
            mixing=self.skin.mixing,
            colour=self.skin.colour,
            neutral_iod=self.neutral_iod,
            texture=self.texture,
            weight=self.weight,
            about=np.frombuffer(json.dumps(self.quality.as_dict()).encode(), np.uint8),
        )
        return out.getvalue()

    @classmethod
    def from_bytes(cls, name: str, created: str, content: bytes) -> Profile:
        """Parse and check. Raises DamagedProfileError, completing "the file ..."."""
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as archive:
                arrays = {key: archive[key] for key in ("neutral_iod", "texture", "weight", "about")}
            skin = SkinMaps.from_npz(io.BytesIO(content), f"profile {name}")
            quality = Quality.from_dict(json.loads(arrays["about"].tobytes()))
        except (*_DAMAGE, InputError) as error:
            raise DamagedProfileError(f"is damaged: {error}") from error
        side = SIDE_MAX
        neutral, texture, weight = arrays["neutral_iod"], arrays["texture"], arrays["weight"]
        fits = neutral.shape == (LANDMARK_COUNT, 3) and np.isfinite(neutral).all()
        fits = fits and texture.shape == (side, side, 3) and weight.shape == (side, side)
        if not fits or texture.dtype != np.uint8 or weight.dtype != np.uint8:
            raise DamagedProfileError("is damaged: its arrays have not the expected shapes")
        return cls(name, skin, neutral.astype(np.float32), texture, weight, created, quality)


def made_of(
    name: str,
    samples: Sequence[Sample],
    mask: F32,
    model: MorphableModel,
    problems: dict[str, int],
    builtin: SkinMaps | None = None,
) -> Profile:
    """The profile of a person from the samples of an enrolment.

    mask: of the unwrapping. problems: how many frames could not be used, by reason. builtin: see `fit`.
    """
    faces, identity = refitted(samples, FaceFit(model))
    expressions = np.array([face.expression for face in faces])
    fitted = fit_textures(
        [sample.texture for sample in samples],
        [sample.weight for sample in samples],
        expressions,
        mask,
        model,
        builtin,
    )
    quality = quality_of(samples, faces, fitted, problems)
    created = datetime.now(timezone.utc).isoformat(timespec="seconds")
    neutral = faces[-1].neutral_iod if faces else identity.shape_iod
    return Profile(
        name, fitted.skin, neutral.astype(np.float32), fitted.neutral, fitted.weight, created, quality
    )


def made_and_kept(
    gathering: Gathering, store: ProfileStore, name: str, model: MorphableModel
) -> tuple[Profile, Path]:
    """The profile of what was gathered, and its file; what was gathered is then forgotten. Takes seconds.

    Raises InputError where too little can be learned from, and OutputError.
    """
    gathering.require_enough()
    problems = {problem.value: count for problem, count in gathering.problems.most_common()}
    profile = made_of(name, gathering.samples, gathering.unwrapper.mask, model, problems)
    path = store.write(name, profile.header(), profile.to_bytes())
    store.forget_parts(name)
    return profile, path


def quality_in(content: bytes) -> Quality | None:
    """The quality report in a profile's content, without the rest; None where there is none."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return Quality.from_dict(json.loads(archive["about"].tobytes()))
    except _DAMAGE:
        return None


def load_profile(store: ProfileStore, name: str) -> Profile:
    """A profile of the store. Raises UsageError, PassphraseError or DamagedProfileError, with what to do."""
    header, content = store.read(name)
    try:
        return Profile.from_bytes(name, str(header.get("created", "")), content)
    except DamagedProfileError as error:
        raise DamagedProfileError(
            f"profile {name} {error}. Enrol again: rtfilter enroll camera:0 --name {name} --force"
        ) from error
