"""A generator's skin maps in a profile: of fewer texels, also behind a passphrase, and still previewed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rtfilter.controls import BLENDSHAPE_COUNT
from rtfilter.face.skin import SIDE_MAX, SkinMaps
from rtfilter.profiles.preview import preview
from rtfilter.profiles.profile import Profile, load_profile
from rtfilter.profiles.report import Quality
from rtfilter.profiles.seal import PASSPHRASE_VARIABLE, PassphraseError, Seal
from rtfilter.profiles.store import ProfileStore
from tests.faces import builtin

pytest.importorskip("torch")


def maps_of(side: int) -> SkinMaps:
    ramp = np.linspace(0.0, 0.2, side, dtype=np.float32)[None, :, None]
    mixing = np.ones((1, BLENDSHAPE_COUNT), np.float32)
    return SkinMaps(np.repeat(ramp, side, 2), mixing, np.ones(3, np.float32))


def anna() -> Profile:
    side = SIDE_MAX
    texture, weight = np.full((side, side, 3), 128, np.uint8), np.full((side, side), 255, np.uint8)
    quality = Quality(60.0, 300, {}, 120.0, 5.0, 0.1, (-5.0, 5.0), (-5.0, 5.0), 0.1, 0)
    neutral = np.asarray(builtin().mean_iod, np.float32)
    return Profile("anna", maps_of(side), neutral, texture, weight, "2026-11-27T12:00:00+00:00", quality)


def test_a_generators_maps_go_into_an_encrypted_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rtfilter.learn.texture.export import into_profile

    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    sealed = ProfileStore(seal=Seal("correct horse"))
    path = sealed.write("anna", anna().header(), anna().to_bytes())
    monkeypatch.delenv(PASSPHRASE_VARIABLE, raising=False)
    with pytest.raises(PassphraseError):
        into_profile("anna", maps_of(64))
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "correct horse")
    into_profile("anna", maps_of(64))
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(PassphraseError):
        ProfileStore().read("anna")  # still encrypted
    found = load_profile(sealed, "anna")
    assert found.skin.side == 64
    assert found.created == anna().created
    above, below = np.split(preview(found), 2)
    assert np.array_equal(above[:, :SIDE_MAX], below[:, :SIDE_MAX])  # the mean face, without an edit
    assert not np.array_equal(above, below)
