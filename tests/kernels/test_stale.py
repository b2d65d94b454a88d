"""Compiled kernels of other sources are removed, those of these sources are kept."""

from __future__ import annotations

from pathlib import Path

from rtfilter.kernels.cpu import drop_stale_kernels


def test_a_change_of_any_source_removes_what_was_compiled(tmp_path: Path) -> None:
    sources, cache = tmp_path / "kernels", tmp_path / "cache"
    sources.mkdir()
    (sources / "one.py").write_text("def caller(): ...")
    (sources / "two.py").write_text("def callee(): ...")
    assert not drop_stale_kernels(sources, cache), "nothing was compiled yet"
    compiled = [cache / "one.caller-1.py311.nbi", cache / "one.caller-1.py311.1.nbc"]
    for path in compiled:
        path.write_bytes(b"machine code")
    assert not drop_stale_kernels(sources, cache)
    assert all(path.is_file() for path in compiled)
    (sources / "two.py").write_text("def callee(): return 1")
    assert drop_stale_kernels(sources, cache)
    assert not any(path.exists() for path in compiled)
    assert not drop_stale_kernels(sources, cache)
