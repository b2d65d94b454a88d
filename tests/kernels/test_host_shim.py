"""The host shim means what CUDA means: barriers, shared memory, atomics, numbering, rounding, refusals."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rtfilter.errors import MissingExtraError, RtfilterError
from tests.host_gpu import build as host_build

KERNELS = r"""
constexpr int BLOCK = 64;

extern "C" __global__ void block_sums(const int* from, int* sums, int count) {
    __shared__ int part[BLOCK];
    const int n = blockIdx.x * BLOCK + threadIdx.x;
    part[threadIdx.x] = n < count ? from[n] : 0;
    for (int half = BLOCK / 2; half > 0; half /= 2) {
        __syncthreads();
        if ((int)threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
    }
    if (threadIdx.x == 0) sums[blockIdx.x] = part[0];
}

extern "C" __global__ void numbered(unsigned* out) {
    const uint3 t = threadIdx, b = blockIdx, s = blockDim, g = gridDim;
    const unsigned block = (b.z * g.y + b.y) * g.x + b.x;
    const unsigned n = block * s.x * s.y * s.z + (t.z * s.y + t.y) * s.x + t.x;
    out[n] += 100000 * b.z + 10000 * b.y + 1000 * b.x + 100 * t.z + 10 * t.y + t.x;
}

extern "C" __global__ void half_waits(int* out) {
    if (threadIdx.x % 2) __syncthreads();
    out[threadIdx.x] = 1;
}

extern "C" __global__ void waits_apart(int* out) {
    if (threadIdx.x % 2) {
        __syncthreads();
        out[threadIdx.x] = 1;
    } else {
        __syncthreads();
        out[threadIdx.x] = 2;
    }
}

extern "C" __global__ void last_writes(int* out) { *out = threadIdx.x; }

extern "C" __global__ void neighbours_swap(int* values, int rounds) {
    __shared__ int kept[BLOCK];
    const int n = threadIdx.x;
    int local = values[n];
    for (int round = 0; round < rounds; ++round) {
        kept[n] = local;
        __syncthreads();
        local += kept[(n + 1) % BLOCK];
        __syncthreads();
    }
    values[n] = local;
}

extern "C" __global__ void gather(int* low, int* high, int* count, unsigned long long* most) {
    const int n = blockIdx.x * blockDim.x + threadIdx.x;
    atomicMin(low, n - 7), atomicMax(high, n + 7), atomicMax(most, 1ull << (n % 60));
    if (atomicAdd(count, 1) == (int)(gridDim.x * blockDim.x) - 1) *count = -*count;
}

extern "C" __global__ void rounded(const float* from, int* down, int* up, int* nearest, int count) {
    for (int n = threadIdx.x; n < count; n += blockDim.x) {
        down[n] = __float2int_rd(from[n]), up[n] = __float2int_ru(from[n]);
        nearest[n] = __float2int_rn(from[n]);
    }
}

extern "C" __global__ void words(const unsigned* from, unsigned* out) {
    for (int n = 0; n < 4; ++n) out[n] = __funnelshift_r(from[0], from[1], 8 * n);
    for (int n = 0; n < 4; ++n) out[4 + n] = __byte_perm(from[0], from[1], 0x7440 + n);
}
"""
NAMES = ("block_sums", "numbered", "half_waits", "waits_apart", "last_writes", "neighbours_swap", "gather",
         "rounded", "words")  # fmt: skip
Launch = Callable[..., int]


@pytest.fixture(scope="module")
def launch(tmp_path_factory: pytest.TempPathFactory) -> Launch:
    shim = Path(host_build.__file__).with_name("shim.h").read_text("utf-8")
    exports = "\n".join(f"SHIM_KERNEL({name})" for name in NAMES)
    path = tmp_path_factory.mktemp("shim") / "kernels.so"
    path.write_bytes(host_build.compile_unit(host_build.find_compiler(), f"{shim}\n{KERNELS}\n{exports}\n"))
    library = ctypes.CDLL(str(path))

    def run(
        name: str, grid: tuple[int, ...], block: tuple[int, ...], *arguments: object, backwards: bool = False
    ) -> int:
        slots = [
            ctypes.c_void_p(value.ctypes.data) if isinstance(value, np.ndarray) else ctypes.c_int(value)
            for value in arguments
        ]
        pointers = (ctypes.c_void_p * len(slots))(*(ctypes.addressof(slot) for slot in slots))
        extents = (ctypes.c_uint * 6)(*(*grid, 1, 1)[:3], *(*block, 1, 1)[:3])
        return int(library[f"shim_launch_{name}"](pointers, extents, int(backwards)))

    return run


both_orders = pytest.mark.parametrize("backwards", [False, True])


@both_orders
@pytest.mark.parametrize("count", [1, 63, 64, 65, 1000])
def test_a_sum_with_barriers(launch: Launch, count: int, backwards: bool) -> None:
    values = np.arange(1, count + 1, dtype=np.int32)
    blocks = -(-count // 64)
    sums = np.zeros(blocks, np.int32)
    assert launch("block_sums", (blocks,), (64,), values, sums, count, backwards=backwards) == 0
    assert sums.tolist() == [int(values[n : n + 64].sum()) for n in range(0, count, 64)]


@both_orders
def test_every_thread_runs_once_and_knows_its_place(launch: Launch, backwards: bool) -> None:
    grid, block = (3, 2, 2), (4, 3, 2)
    out = np.zeros(12 * 24, np.uint32)
    assert launch("numbered", grid, block, out, backwards=backwards) == 0
    bz, by, bx, tz, ty, tx = np.indices((2, 2, 3, 2, 3, 4)).reshape(6, -1)
    assert out.tolist() == (100000 * bz + 10000 * by + 1000 * bx + 100 * tz + 10 * ty + tx).tolist()


@both_orders
@pytest.mark.parametrize("name", ["half_waits", "waits_apart"])
def test_threads_that_wait_apart_are_refused_and_the_next_launch_works(
    launch: Launch, name: str, backwards: bool
) -> None:
    out = np.zeros(64, np.int32)
    assert launch(name, (1,), (64,), out, backwards=backwards) == 1
    sums = np.zeros(1, np.int32)
    assert launch("block_sums", (1,), (64,), np.ones(64, np.int32), sums, 64, backwards=backwards) == 0
    assert sums[0] == 64


def test_the_order_is_as_requested(launch: Launch) -> None:
    for backwards, last in ((False, 31), (True, 0)):
        out = np.zeros(1, np.int32)
        launch("last_writes", (1,), (32,), out, backwards=backwards)
        assert out[0] == last


@both_orders
def test_locals_and_shared_memory_outlive_barriers(launch: Launch, backwards: bool) -> None:
    values = np.arange(64, dtype=np.int32)
    want = values.copy()
    for _ in range(9):
        want = want + np.roll(want, -1)
    launch("neighbours_swap", (1,), (64,), values, 9, backwards=backwards)
    assert values.tolist() == want.tolist()


@both_orders
def test_atomics_tell_what_was_there(launch: Launch, backwards: bool) -> None:
    low, high, count = (np.zeros(1, np.int32) for _ in range(3))
    most = np.zeros(1, np.uint64)
    launch("gather", (5,), (40,), low, high, count, most, backwards=backwards)
    assert (int(low[0]), int(high[0]), int(count[0]), int(most[0])) == (-7, 206, -200, 1 << 59)


def test_floats_become_integers_as_on_a_gpu(launch: Launch) -> None:
    """CUDA C++ Programming Guide, type casting intrinsics: saturating, NaN is 0, halves to even."""
    values = np.float32([0.5, 1.5, -0.5, -1.2, 2.0, np.nan, np.inf, -np.inf, 3e9, -3e9])
    down, up, nearest = (np.zeros(len(values), np.int32) for _ in range(3))
    launch("rounded", (1,), (4,), values, down, up, nearest, len(values))
    most, least = 2**31 - 1, -(2**31)
    assert down.tolist() == [0, 1, -1, -2, 2, 0, most, least, most, least]
    assert up.tolist() == [1, 2, 0, -1, 2, 0, most, least, most, least]
    assert nearest.tolist() == [0, 2, 0, -1, 2, 0, most, least, most, least]


def test_words_are_taken_apart_as_on_a_gpu(launch: Launch) -> None:
    out = np.zeros(8, np.uint32)
    launch("words", (1,), (1,), np.array([0x44332211, 0x88776655], np.uint32), out)
    assert [f"{value:08x}" for value in out] == [
        *("44332211", "55443322", "66554433", "77665544"),
        *("88555511", "88555522", "88555533", "88555544"),
    ]


def test_a_complaint_names_file_and_line() -> None:
    with pytest.raises(
        RtfilterError, match=r"cannot compile the kernels: crop\.cu:3:.*error.*Name another"
    ) as raised:
        host_build.compile_unit(host_build.find_compiler(), '#line 3 "crop.cu"\nint x = ;\n')
    assert "\n" not in str(raised.value)


def test_no_compiler_names_the_command_that_installs_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        MissingExtraError, match=r"none of c\+\+, g\+\+, clang\+\+ is installed: .*apt install g\+\+"
    ):
        host_build.find_compiler()
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(MissingExtraError, match="CXX=no-such-compiler is no program"):
        host_build.find_compiler()


def test_it_is_compiled_once_and_again_when_damaged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RTFILTER_CACHE", str(tmp_path))
    compiler = host_build.find_compiler()
    first = host_build.built(compiler)
    stamp = first.stat().st_mtime_ns
    assert host_build.built(compiler) == first
    assert first.stat().st_mtime_ns == stamp, "compiled twice"
    content = first.read_bytes()
    for damaged in (b"", content[:5000], content[:5000] + b"\0" * 9 + content[5009:]):
        first.write_bytes(damaged)
        assert host_build.built(compiler).read_bytes() == content
    assert hasattr(ctypes.CDLL(str(first)), "shim_launch_crop")
