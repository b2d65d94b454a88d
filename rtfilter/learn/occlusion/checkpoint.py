"""A checkpoint of the occlusion network's training. Called by `occlusion.train` and `occlusion.export`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

import torch

from rtfilter.learn.occlusion.network import OcclusionNetwork
from rtfilter.learn.training.checkpoints import SavedRun, damaged

FILE: Final = "occlusion.pt"


@dataclass(frozen=True)
class Checkpoint(SavedRun):
    """width: of the network. network: its state; average: of its averaged weights. optimiser: its state.
    people: learned from. made_by: the command."""

    FORMAT: ClassVar = "rtfilter-occlusion"
    VERSION: ClassVar = 1
    VERB: ClassVar = "occlusion"
    OF: ClassVar = "an occlusion network"
    FREE: ClassVar = ("log_every", "save_every", "measured", "lean")
    KINDS: ClassVar = {"step": int, "settings": dict, "width": int, "network": dict, "optimiser": dict}

    width: int
    network: dict[str, Any]
    average: dict[str, Any]
    optimiser: dict[str, Any]
    people: str
    made_by: str

    def restored(self, path: Path) -> OcclusionNetwork:
        """The averaged network. Raises InputError, which names `path`, for a damaged one."""
        with damaged(path):
            network = OcclusionNetwork(self.width)
            network.load_state_dict(self.average)
            return network.eval()

    def restore(
        self,
        networks: tuple[OcclusionNetwork, OcclusionNetwork],
        optimiser: torch.optim.Optimizer,
        path: Path,
    ) -> None:
        """Bring network, average and optimiser to where the run was."""
        with damaged(path):
            networks[0].load_state_dict(self.network)
            networks[1].load_state_dict(self.average)
            optimiser.load_state_dict(self.optimiser)
