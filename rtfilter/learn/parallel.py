"""One process or several of `torchrun`: who we are, averaged gradients, and the device.

Called by `editor.train`, `editor.ablation`, `stccl.train` and `texture.train`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed, nn

from rtfilter.errors import UsageError


@dataclass(frozen=True, slots=True)
class Group:
    """rank: 0..size - 1, this process; the first writes. device: what it computes on."""

    rank: int
    size: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process writes."""
        return self.rank == 0

    def average_gradients(self, network: nn.Module) -> None:
        """The mean of every gradient over all processes, in place."""
        if self.size == 1:
            return
        gradients = [one.grad for one in network.parameters() if one.grad is not None]
        flat = torch.cat([one.reshape(-1) for one in gradients])
        distributed.all_reduce(flat)
        flat /= self.size
        start = 0
        for one in gradients:
            one.copy_(flat[start : start + one.numel()].view_as(one))
            start += one.numel()

    def average(self, values: Iterable[torch.Tensor]) -> None:
        """The mean of each over all processes, in place."""
        if self.size > 1:
            for one in values:
                distributed.all_reduce(one)
                one /= self.size

    def all_finite(self, loss: torch.Tensor) -> bool:
        """Whether the loss is finite in every process: all stop at the same step, or none."""
        return not self.any_of(not bool(torch.isfinite(loss.detach()).all()))

    def any_of(self, here: bool) -> bool:
        """Whether it is so in any process: all know it at the same step."""
        if self.size == 1:
            return here
        count = torch.tensor([float(here)], device=self.device)
        distributed.all_reduce(count)
        return bool(count.item() > 0.0)


@contextmanager
def process_group(device: str, threads: int) -> Iterator[Group]:
    """The group of this process, as `torchrun` set its environment; alone without it.

    device: auto, cpu or cuda. threads: of PyTorch; 0 leaves them. Raises UsageError for a GPU that is not
    there.
    """
    if threads:
        torch.set_num_threads(threads)
    found = torch.cuda.is_available()
    if device == "cuda" and not found:
        raise UsageError("run.device: cuda, but PyTorch finds no GPU: set cpu, or auto")
    on_gpu = found and device != "cpu"
    size, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    chosen = torch.device("cuda", local) if on_gpu else torch.device("cpu")
    if size == 1:
        yield Group(0, 1, chosen)
        return
    if on_gpu:
        torch.cuda.set_device(chosen)
    distributed.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield Group(rank, size, chosen)
        # Who leaves first would take the connections of those that are not done with them.
        distributed.barrier()
    finally:
        distributed.destroy_process_group()
