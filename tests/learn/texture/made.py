"""Settings of a small training, for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

MAPS = 96
SETTINGS = """
[run]
output = "{output}"
seed = 4
threads = 1
device = "cpu"
[unwrap]
synthetic = 2
size = 32
most = {maps}
[texture]
maps = "{folder}"
steps = {steps}
held_out = 0.25
batch = 4
width = 16
latent = 16
r1_every = 2
path_every = 2
save_every = 3
log_every = 2
"""


def settings(folder: Path, maps: Path, steps: int = 6) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "texture.toml"
    text = SETTINGS.format(output=folder / "out", folder=maps, steps=steps, maps=MAPS)
    path.write_text(text, encoding="utf-8")
    return path
