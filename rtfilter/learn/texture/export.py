"""`rtfilter learn texture-export`: one person's texture as ONNX, and distilled to skin maps.

`PERSON.texture.onnx` is the generator with the person's latent and directions inside: coefficients in, log
gain out (`engines.expression.texture`). `PERSON.skin.npz` are the maps that both lanes paint. The first
is checked against PyTorch before it is written; how far the second agrees with it is told.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.engines.expression.texture import PersonCode, texture_graph
from rtfilter.engines.expression.texture_delta import TextureDelta
from rtfilter.errors import InputError, Notify, UsageError
from rtfilter.face.skin import SkinMaps
from rtfilter.learn.config import read_document
from rtfilter.learn.data.track import write_whole
from rtfilter.learn.texture.checkpoint import FILE, Checkpoint
from rtfilter.learn.texture.directions import Person, learned, regressed
from rtfilter.learn.texture.distil import colour_of, distilled, luminance, painted
from rtfilter.learn.texture.maps import Maps, load_all
from rtfilter.learn.texture.models import Texture
from rtfilter.learn.texture.network import SCALE
from rtfilter.learn.texture.settings import TextureSettings
from rtfilter.profiles.profile import load_profile
from rtfilter.profiles.seal import PASSPHRASE_VARIABLE, Seal
from rtfilter.profiles.store import ProfileStore

F32 = npt.NDArray[np.float32]

ONNX: Final = ".texture.onnx"
SKIN: Final = ".skin.npz"
# Log gains in float32, summed in other orders; measured 2e-7 to 2e-6 on four networks.
TOLERANCE: Final = 2e-5
_CHECKED: Final = 6  # pairs of maps


@dataclass(frozen=True)
class Trained:
    """A checkpoint, ready for use. texture: the averaged weights. maps: the person's, of the training."""

    texture: Texture
    person: Person
    maps: Maps
    held_out: Maps
    made_by: str


def main(config_path: Path, overrides: Sequence[str] = (), notify: Notify = lambda line: None) -> list[Path]:
    """Write both files of each person of a settings file, in `output/texture`; their paths."""
    document = read_document(config_path, overrides)
    settings, folder = document.table("texture", TextureSettings), document.run.folder("texture")
    people = trained(settings, folder / FILE)
    if settings.profile and len(people) != 1:
        raise UsageError(f"profile: one person's maps go into it, got {len(people)}: set texture.people")
    written = []
    for one in people:
        name = one.maps.person
        onnx = texture_onnx(one)
        offset, made = samples(one)
        off = difference(one, onnx, made, offset)
        if not off <= TOLERANCE:
            raise InputError(
                f"{name}: the ONNX file differs from PyTorch by {off:.2g}, expected {TOLERANCE:g}"
            )
        skin = distilled(one.texture, one.person, one.maps)
        agrees = agreement(painted(skin, offset), luminance(made) * one.maps.mask)
        notify(
            f"{name}: ONNX differs from PyTorch by {off:.1g}; {skin.count} skin maps hold {agrees:.0%} of it"
        )
        for suffix, content in ((ONNX, onnx), (SKIN, skin.to_npz())):
            path = folder / f"{name}{suffix}"
            write_whole(path, content)
            digest = hashlib.sha256(content).hexdigest()[:16]
            notify(f"{path}: {len(content) / 1000:.0f} kB, sha256 {digest}")
            written.append(path)
        if settings.profile:
            into_profile(settings.profile, skin)
            notify(f"profile {settings.profile}: its skin maps are these now, until it is enrolled again")
    return written


def into_profile(name: str, skin: SkinMaps, store: ProfileStore | None = None) -> None:
    """Put the maps into a profile of `rtfilter enroll`, which goes on recognising the person.

    Raises UsageError for an unknown one, PassphraseError for one that is encrypted where the environment
    gives no passphrase, DamagedProfileError, OutputError.
    """
    kept = store or ProfileStore(seal=Seal(os.environ.get(PASSPHRASE_VARIABLE) or None))
    profile = load_profile(kept, name)
    kept.write(name, profile.header(), replace(profile, skin=skin).to_bytes())


def trained(settings: TextureSettings, path: Path) -> list[Trained]:
    """Each person of the settings with the checkpoint at `path`. Raises InputError, UsageError."""
    checkpoint = Checkpoint.load(path)
    texture = checkpoint.restored(path).average
    found = []
    for maps in load_all(settings.maps, settings.people):
        if maps.size != texture.shape.size:
            raise UsageError(f"maps are of {maps.size} px, {path} of {texture.shape.size}: unwrap them again")
        seen, held_out = maps.split(settings.held_out)
        person = regressed(texture, seen, settings.ridge) if settings.regress else learned(texture, seen)
        found.append(
            Trained(texture, person, seen, held_out, f"{checkpoint.made_by}; rtfilter learn texture-export")
        )
    return found


def samples(one: Trained) -> tuple[F32, F32]:
    """Offsets between maps of the person, [N, 52], and what PyTorch makes of them, [N, 3, S, S]."""
    first, second = _pairs(one)
    offset = second - first
    return offset, one.person.change(one.texture, first, offset)


def _pairs(one: Trained) -> tuple[F32, F32]:
    rng = np.random.default_rng(0)
    first, second = rng.integers(len(one.maps), size=(2, _CHECKED))
    return one.maps.expression[first], one.maps.expression[second]


def texture_onnx(one: Trained) -> bytes:
    """The ONNX file of one person."""
    shape = one.texture.shape
    _, made = samples(one)
    return texture_graph(
        one.texture.generator.weights(),
        PersonCode(
            one.person.latent.reshape(len(shape.resolutions), shape.latent),
            one.person.directions,
            one.person.low,
            one.person.high,
        ),
        one.maps.mask,
        colour_of(made * one.maps.mask),
        SCALE,
        one.made_by,
    )


def difference(one: Trained, onnx: bytes, made: F32, offset: F32) -> float:
    """The largest difference of a log gain between the ONNX file and PyTorch."""
    runner = TextureDelta(onnx, one.maps.person)
    first, _ = _pairs(one)
    wanted = np.clip(luminance(made) * one.maps.mask, -1.0, 1.0)
    got = [runner.gain_log(a, b).copy() for a, b in zip(first, offset, strict=True)]
    runner.close()
    return float(np.abs(np.stack(got) - wanted).max())


def agreement(got: F32, wanted: F32) -> float:
    """Share of the power of `wanted` that `got` has, at most 1."""
    return 1.0 - float(np.square(got - wanted).sum()) / max(float(np.square(wanted).sum()), 1e-12)
