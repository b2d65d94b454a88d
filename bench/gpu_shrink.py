"""Wheels for one GPU, unpacked and packed again as small as they get: `bench/gpu_pack.sh` calls it.

NVIDIA's libraries carry code for every GPU. Code for others is blanked, which the driver never reads, and
LZMA then packs it into nothing: ONNX Runtime for an H100 comes to 63 MB, a quarter of its wheel.

    python bench/gpu_shrink.py WHEELS ARCHIVE.tar.xz --keep 90
"""

from __future__ import annotations

import argparse
import struct
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

# A fat binary: magic, version, size of this header, bytes that follow. Seen in CUDA 11 to 13.
FAT = struct.Struct("<IHHQ")
FAT_MAGIC, FAT_VERSION = struct.pack("<I", 0xBA55ED50), 1
# One piece of it: kind (1 PTX, 2 machine code), version, size of this header, bytes that follow; and at 28
# the compute capability, as 90.
ENTRY = struct.Struct("<HHIQ12xI")
# What only C programs use of ONNX Runtime, and its way to a TensorRT that is not carried.
LEFT_OUT = ("onnxruntime/capi/libonnxruntime.so", "onnxruntime/capi/libonnxruntime_providers_tensorrt.so")


def main() -> int:
    """Write the archive; 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("wheels", type=Path, help="folder of wheels")
    parser.add_argument("archive", type=Path)
    parser.add_argument("--keep", type=int, required=True, metavar="CC", help="compute capability, as 90")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder)
        for wheel in sorted(arguments.wheels.glob("*.whl")):
            with zipfile.ZipFile(wheel) as opened:
                opened.extractall(site, [name for name in opened.namelist() if not name.startswith(LEFT_OUT)])
        for library in sorted(path for path in site.rglob("*.so*") if path.is_file()):
            blanked = blank_others(library, arguments.keep)
            if blanked:
                print(f"{library.name}: {blanked >> 20} MiB for other GPUs blanked", file=sys.stderr)
        with tarfile.open(arguments.archive, "w:xz", preset=6) as packed:
            packed.add(site, ".")
    return 0


def blank_others(library: Path, keep: int) -> int:
    """Overwrite with zeros what a library holds for GPUs other than `keep`; the bytes blanked.

    A fat binary with nothing for `keep` is left whole: the driver may compile its PTX, or run the code of an
    older GPU of the same generation.
    """
    data = bytearray(library.read_bytes())
    blanked = 0
    for pieces in fat_binaries(data):
        if not any(capability == keep for _, _, capability in pieces):
            continue
        for begin, end, capability in pieces:
            if capability != keep:
                data[begin:end] = bytes(end - begin)
                blanked += end - begin
    if blanked:
        library.write_bytes(data)
    return blanked


def fat_binaries(data: bytes | bytearray) -> Iterator[list[tuple[int, int, int]]]:
    """Begin, end and compute capability of every piece, one list a fat binary."""
    at = data.find(FAT_MAGIC)
    while at >= 0:
        end = at + 4
        if at + FAT.size <= len(data):
            _, version, header, size = FAT.unpack_from(data, at)
            if version == FAT_VERSION and header == FAT.size and at + header + size <= len(data):
                end = at + header + size
                yield list(_pieces(data, at + header, end))
        at = data.find(FAT_MAGIC, end)


def _pieces(data: bytes | bytearray, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    while at + ENTRY.size <= end:
        _, _, header, size, capability = ENTRY.unpack_from(data, at)
        if header < ENTRY.size or at + header + size > end:
            return
        yield at + header, at + header + size, capability
        at += header + size


if __name__ == "__main__":
    sys.exit(main())
