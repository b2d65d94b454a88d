"""The kernels' machine code for one kind of GPU, compiled by NVRTC and cached. Called by `CudaDevice`."""

from __future__ import annotations

from rtfilter.errors import GpuError
from rtfilter.kernels import source
from rtfilter.kernels.nvrtc import Nvrtc, installed
from rtfilter.system.cache import CacheFile, cache_folder

OPTIONS = ("-std=c++17",)


def target_of(capability: tuple[int, int], architectures: tuple[int, ...]) -> str | None:
    """The compiler's target for a GPU of this compute capability.

    Its own machine code, that of an earlier GPU of its family, or PTX, which the driver translates; None
    where no target of the compiler would run there.
    """
    wanted = 10 * capability[0] + capability[1]
    older = [known for known in architectures if known <= wanted]
    if not older:
        return None
    best = max(older)
    return f"sm_{best}" if best // 10 == capability[0] else f"compute_{best}"


def compiled_for(capability: tuple[int, int]) -> bytes:
    """The kernels for GPUs of this compute capability; from the cache, else compiled within a second.

    A cubin, or PTX with a final zero, as the driver loads them.

    Raises:
        GpuError: no NVRTC is installed, or none compiles for such a GPU.
    """
    nvrtc, target = _choice(capability)
    options = (f"--gpu-architecture={target}", *OPTIONS)
    key = source.digest(*options, *map(str, nvrtc.version))
    file = CacheFile(cache_folder() / "kernels" / f"{target}-{key}.kernels", {"target": target})
    return file.get(lambda: nvrtc.compile(source.translation_unit(), "kernels.cu", options)[0])


def _choice(capability: tuple[int, int]) -> tuple[Nvrtc, str]:
    """A compiler and its target: the first that has the GPU's own target, else the first that has any."""
    offers = [(nvrtc, target_of(capability, nvrtc.architectures)) for nvrtc in installed()]
    usable = [(nvrtc, target) for nvrtc, target in offers if target is not None]
    if not usable:
        known = ", ".join(f"{nvrtc.version[0]}.{nvrtc.version[1]}" for nvrtc, _ in offers)
        raise GpuError(
            f"no NVRTC that is installed ({known}) compiles for compute capability "
            f"{capability[0]}.{capability[1]}; needed is a GPU of 7.5 (GTX 16, RTX 20, T4) or newer"
        )
    exact = f"sm_{capability[0]}{capability[1]}"
    return next((offer for offer in usable if offer[1] == exact), usable[0])
