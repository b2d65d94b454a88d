"""What is carried to a GPU machine: the code for other GPUs is blanked, and nothing else."""

from __future__ import annotations

from pathlib import Path

from rtfilter.bench.gpu_shrink import ENTRY, FAT, FAT_MAGIC, blank_others

MAGIC = int.from_bytes(FAT_MAGIC, "little")


def fat_binary(pieces: dict[int, bytes]) -> bytes:
    body = b""
    for capability, code in pieces.items():
        header = ENTRY.pack(2, 0x101, 64, len(code), capability)
        body += header + bytes(64 - len(header)) + code
    return FAT.pack(MAGIC, 1, FAT.size, len(body)) + body


def test_only_the_code_of_other_gpus_is_blanked(tmp_path: Path) -> None:
    library = tmp_path / "library.so"
    both = fat_binary({75: b"turing" * 9, 90: b"hopper" * 9})
    other = fat_binary({80: b"ampere" * 9})  # nothing for this GPU: the driver may run it
    library.write_bytes(b"ELF" + both + b"text" + FAT_MAGIC + other + b"end" + FAT_MAGIC)
    blanked = blank_others(library, 90)
    assert blanked == 54
    assert library.read_bytes() == b"ELF" + both.replace(b"turing" * 9, bytes(54)) + b"text" + FAT_MAGIC + (
        other + b"end" + FAT_MAGIC
    )


def test_a_library_for_no_gpu_is_left_as_it_is(tmp_path: Path) -> None:
    library = tmp_path / "library.so"
    library.write_bytes(b"\x7fELF" + bytes(100))
    assert blank_others(library, 90) == 0
    assert library.read_bytes() == b"\x7fELF" + bytes(100)
