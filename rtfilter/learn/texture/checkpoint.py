"""A checkpoint of the texture's training. Called by `texture.train`, `export` and `evidence`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

import torch

from rtfilter.learn.texture.models import Networks
from rtfilter.learn.texture.network import Shape
from rtfilter.learn.training.checkpoints import SavedRun, damaged

FILE: Final = "texture.pt"


@dataclass(frozen=True)
class Checkpoint(SavedRun):
    """shape: of the network. networks: state of `Networks`. optimisers: states of the texture's and the
    critic's. people: learned from. made_by: the command."""

    FORMAT: ClassVar = "rtfilter-texture"
    VERSION: ClassVar = 1
    VERB: ClassVar = "texture"
    OF: ClassVar = "a texture"
    FREE: ClassVar = ("log_every", "save_every", "ridge", "regress", "profile")
    KINDS: ClassVar = {"step": int, "settings": dict, "shape": dict, "networks": dict, "optimisers": list}

    shape: dict[str, int]
    networks: dict[str, Any]
    optimisers: list[Any]
    people: str
    made_by: str

    def restored(self, path: Path) -> Networks:
        """The networks. Raises InputError, which names `path`, for damaged ones."""
        with damaged(path):
            networks = Networks(Shape(**self.shape))
            networks.load_state_dict(self.networks)
            return networks

    def restore(self, networks: Networks, optimisers: list[torch.optim.Adam], path: Path) -> None:
        """Bring all to where the run was. Raises InputError, which names `path`, for a damaged one."""
        with damaged(path):
            networks.load_state_dict(self.networks)
            for one, state in zip(optimisers, self.optimisers, strict=True):
                one.load_state_dict(state)
