"""A checkpoint of the editor's training: network, optimiser and step.

Called by `editor.train`, `export` and `ablation`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
import torch

from rtfilter.controls import BLENDSHAPE_COUNT, EMOTIONS
from rtfilter.learn.editor.network import EditorNetwork, Sizes
from rtfilter.learn.training.checkpoints import SavedRun, damaged

FILE: Final = "editor.pt"
SUFFIX: Final = ".pt"


@dataclass(frozen=True)
class Checkpoint(SavedRun):
    """network, optimiser: state dicts. face_model: `face_model_key`. made_by: the command."""

    FORMAT: ClassVar = "rtfilter-editor"
    VERSION: ClassVar = 1
    VERB: ClassVar = "editor"
    OF: ClassVar = "the editor"
    FREE: ClassVar = ("log_every", "save_every", "others")
    KINDS: ClassVar = {"step": int, "settings": dict, "network": dict, "optimiser": dict, "face_model": str}

    network: dict[str, Any]
    optimiser: dict[str, Any]
    face_model: str
    made_by: str

    def restored(self, path: Path) -> EditorNetwork:
        """The network. Raises InputError, which names `path`, for a damaged one."""
        with damaged(path):
            sizes = Sizes(int(self.settings["memory"]), int(self.settings["hidden"]))
            network = EditorNetwork(sizes, np.zeros((len(EMOTIONS), BLENDSHAPE_COUNT)))
            network.load_state_dict(self.network)
            return network

    def restore(self, network: EditorNetwork, optimiser: torch.optim.Optimizer, path: Path) -> None:
        """Bring both to where the run was. Raises InputError, which names `path`, for a damaged one."""
        with damaged(path):
            network.load_state_dict(self.network)
            optimiser.load_state_dict(self.optimiser)

    def differs(self, settings: dict[str, str], face_model: str) -> bool:
        """Whether it is of a run with other settings, or on another face model."""
        return bool(self.other(settings)) or self.face_model != face_model
