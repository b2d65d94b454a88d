"""The user's folders, and files that are whole or not there."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import platformdirs
import pytest

from rtfilter.config import Settings, config_path, settings_from_file
from rtfilter.errors import OutputError
from rtfilter.system.files import user_cache, user_config, write_atomically, write_text_atomically


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX paths, which Windows does not have")
def test_settings_follow_xdg_and_ignore_a_relative_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/h")
    for given, folder in (("/x", "/x/rtfilter"), ("x", "/h/.config/rtfilter"), ("", "/h/.config/rtfilter")):
        monkeypatch.setenv("XDG_CONFIG_HOME", given)
        assert user_config() == Path(folder)


def test_a_user_without_a_home_has_no_settings_and_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home(*_: object, **__: object) -> str:
        raise RuntimeError("no home directory")

    for name in ("user_cache_dir", "user_config_dir"):
        monkeypatch.setattr(platformdirs.unix.Unix, name, property(no_home))
    monkeypatch.setattr(platformdirs, "user_cache_path", no_home)
    assert not user_cache().exists()
    assert not user_config().exists()
    assert settings_from_file(config_path()) == Settings()


def test_a_file_is_written_with_its_folders_and_can_be_read_by_others(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o644
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_readers_see_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    contents = {bytes([i]) * 200_000 for i in range(4)}
    write_atomically(path, min(contents))
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            for content in contents:
                write_atomically(path, content)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert all(path.read_bytes() in contents for _ in range(300))
    finally:
        stop.set()
        writer.join()


def test_text_that_cannot_be_written_is_an_error_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match=r"file/deeper: cannot be written: (Not a directory|File exists)"):
        write_text_atomically(tmp_path / "file" / "deeper", "text")


def test_a_name_as_long_as_a_name_may_be(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    write_atomically(path, b"content")
    assert path.read_bytes() == b"content"
