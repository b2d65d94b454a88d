"""Every kernel compiles for every GPU that we name, without one; and the cache, and its messages."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from rtfilter.errors import GpuError
from rtfilter.kernels import compile as kernels
from rtfilter.kernels import nvrtc, source

try:
    INSTALLED = nvrtc.installed()
except GpuError as error:
    pytest.skip(str(error), allow_module_level=True)

# GTX 16 and RTX 20, A100, RTX 30, RTX 40, H100, RTX 50.
targets = pytest.mark.parametrize("architecture", [75, 80, 86, 89, 90, 120])
ROOT = Path(__file__).resolve().parents[2]
ELF = b"\x7fELF"
REGISTERS_OF_A_BLOCK = 65536  # of all GPUs from 7.5 on; CUDA C++ Programming Guide, technical specifications
SHARED_BYTES_OF_A_BLOCK = 48 << 10


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RTFILTER_CACHE", str(tmp_path))
    return tmp_path / "kernels"


@targets
def test_every_kernel_compiles_without_a_word(architecture: int) -> None:
    newest = max(INSTALLED, key=lambda found: found.architectures[-1])
    options = (f"--gpu-architecture=sm_{architecture}", *kernels.OPTIONS)
    image, log = newest.compile(source.translation_unit(), "kernels.cu", options)
    assert log == ""
    assert image.startswith(ELF)
    for name in source.kernel_names():
        assert name.encode() in image


@targets
def test_no_kernel_spills_or_asks_for_more_than_there_is(architecture: int) -> None:
    """Measured with NVRTC 12.9: no stack and no spills anywhere; at most 71 registers (mesh_extend,
    sm_120), 64 in the kernels that run over pixels, and 25 KiB of shared memory."""
    newest = max(INSTALLED, key=lambda found: found.architectures[-1])
    options = (f"--gpu-architecture=sm_{architecture}", *kernels.OPTIONS, "--ptxas-options=-v")
    _, log = newest.compile(source.translation_unit(), "kernels.cu", options)

    def number(pattern: str, text: str) -> int:
        found = re.search(pattern, text)
        return int(found[1]) if found else 0

    names = set()
    for part in log.split("Compiling entry function")[1:]:
        name = re.findall(r"'(\w+)'", part)[0]
        names.add(name)
        assert number(r"(\d+) bytes spill stores", part) + number(r"(\d+) bytes spill loads", part) == 0, name
        assert number(r"(\d+) bytes stack frame", part) == 0, name
        registers = number(r"Used (\d+) registers", part)
        assert 0 < registers <= (96 if name == "mesh_extend" else 64), name
        assert number(r"(\d+) bytes smem", part) <= SHARED_BYTES_OF_A_BLOCK, name
        assert registers * 256 <= REGISTERS_OF_A_BLOCK, name
    assert names == set(source.kernel_names())


@pytest.mark.parametrize(
    ("capability", "target"),
    [
        ((7, 5), "sm_75"),
        ((8, 9), "sm_89"),
        ((8, 8), "sm_87"),
        ((9, 9), "sm_90"),
        ((12, 1), "sm_120"),
        ((13, 0), "compute_120"),
        ((7, 0), None),
    ],
)
def test_what_a_gpu_gets(capability: tuple[int, int], target: str | None) -> None:
    assert kernels.target_of(capability, (75, 80, 86, 87, 89, 90, 120)) == target


def test_a_gpu_newer_than_the_compiler_gets_ptx(cache: Path) -> None:
    made = kernels.compiled_for((99, 0))
    assert list(cache.glob(f"compute_{max(INSTALLED[0].architectures)}-*.kernels"))
    assert b".visible .entry crop(" in made
    assert made.endswith(b"\0"), "the driver takes a C string"


def test_a_gpu_that_no_compiler_knows_is_named() -> None:
    with pytest.raises(GpuError, match=r"compiles for compute capability 1\.3; needed is a GPU of 7\.5"):
        kernels.compiled_for((1, 3))


def test_what_was_compiled_is_kept_and_damage_is_noticed(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = kernels.compiled_for((8, 9))
    (kept,) = cache.glob("sm_89-*.kernels")
    whole = kept.read_bytes()
    for damaged in (b"", whole[:-100], whole[:1000] + b"\0\0\0" + whole[1003:], b"another's file"):
        kept.write_bytes(damaged)
        assert kernels.compiled_for((8, 9)) == first
        assert kept.read_bytes() == whole
    monkeypatch.setattr(nvrtc.Nvrtc, "compile", None)
    assert kernels.compiled_for((8, 9)) == first, "compiled again, though it was there"


def test_another_kernel_text_is_compiled_anew(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernels.compiled_for((8, 9))
    text = source.translation_unit() + "\n// changed\n"
    monkeypatch.setattr(source, "translation_unit", lambda: text)
    kernels.compiled_for((8, 9))
    assert len(list(cache.glob("*.kernels"))) == 2


def test_without_a_cache_they_are_compiled_with_a_message(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kept = kernels.compiled_for((8, 9))
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("RTFILTER_CACHE", str(tmp_path / "file"))
    assert kernels.compiled_for((8, 9)) == kept
    (record,) = caplog.records
    assert str(tmp_path / "file") in record.message
    assert "RTFILTER_CACHE" in record.message


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ('#line 7 "crop.cu"\nextern "C" __global__ void k() { int x = ; }', ("--gpu-architecture=sm_89",),
         r"cannot compile kernels.cu: crop\.cu\(7\): error"),
        ('extern "C" __global__ void k() {}', ("--gpu-architecture=sm_9999",),
         "cannot compile kernels.cu: .*arch"),
    ],
)  # fmt: skip
def test_a_complaint_is_one_line(text: str, options: tuple[str, ...], message: str) -> None:
    with pytest.raises(GpuError, match=message) as raised:
        INSTALLED[0].compile(text, "kernels.cu", options)
    assert "\n" not in str(raised.value)


def test_a_missing_compiler_names_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvrtc, "_places", lambda major: iter([f"libnvrtc-of-none.so.{major}"]))
    nvrtc.installed.cache_clear()
    try:
        with pytest.raises(GpuError, match=r"NVRTC, which is not installed: .*pip install"):
            kernels.compiled_for((8, 9))
    finally:
        monkeypatch.undo()
        nvrtc.installed.cache_clear()


def test_compiling_needs_no_cupy(cache: Path) -> None:
    code = "import sys; from rtfilter.kernels.compile import *; compiled_for((8, 0)); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert not {"cupy", "cv2"} & set(done.stdout.split())


def test_the_compilers_other_half_is_found_without_being_searched_for() -> None:
    """CUDA 13's wheel cannot find it, unless LD_LIBRARY_PATH names the folder or it is there already."""
    maps = Path("/proc/self/maps")
    beside = [found for found in INSTALLED if list(Path(found.path).parent.glob("*nvrtc-builtins*"))]
    if not maps.exists() or not beside:
        pytest.skip("needs NVRTC's wheel and a Linux that lists what is loaded")
    for found in beside:
        loaded = maps.read_text()
        assert any(str(half) in loaded for half in Path(found.path).parent.glob("*nvrtc-builtins.so*"))
