"""The folder of profiles: rights, names, parts of an enrolment, damage, and a disk that is full."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rtfilter.errors import OutputError, UsageError
from rtfilter.profiles.seal import DamagedProfileError, PassphraseError, Seal
from rtfilter.profiles.store import ProfileStore, check_name, check_new_name
from rtfilter.system.files import temporary_prefix


@pytest.fixture
def store(tmp_path: Path) -> ProfileStore:
    return ProfileStore(tmp_path / "profiles")


@contextmanager
def full_disk(free_bytes: int) -> Iterator[None]:
    """No file may grow beyond `free_bytes`: what a full disk does to a write, at the same place."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (free_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_profile_is_for_its_owner_alone(store: ProfileStore) -> None:
    path = store.write("anna", {"created": "now"}, b"content")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert store.read("Anna")[1] == b"content"
    assert [(entry.name, entry.header["created"]) for entry in store.entries()] == [("anna", "now")]


def test_unknown_names_get_the_nearest(store: ProfileStore) -> None:
    with pytest.raises(UsageError, match="rtfilter enroll camera:0 --name anna"):
        store.read("anna")
    store.write("anna", {}, b"content")
    with pytest.raises(UsageError, match="did you mean 'anna'"):
        store.read("ana")


@pytest.mark.parametrize("name", ["", "..", "a/b", "a" * 41, "-x", "ä"])
def test_names_that_are_no_files_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="1 to 40"):
        check_name(name)


@pytest.mark.parametrize("name", ["con", "NUL", "com1"])
def test_names_of_devices_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="device"):
        check_new_name(name)
    assert check_name(name) == name.lower()  # one that is there is listed, and can be deleted


def test_parts_come_back_in_order_without_the_damaged(store: ProfileStore) -> None:
    for number in range(12):
        store.add_part("anna", {}, bytes([number]) * 40)
    paths = [path for path, _ in store.parts("anna")]
    data = bytearray(paths[3].read_bytes())
    data[-1] ^= 1
    paths[3].write_bytes(bytes(data))
    found = [content for _, content in store.parts("anna")]
    assert [None if content is None else content[0] for content in found] == [0, 1, 2, None, *range(4, 12)]
    assert store.entries()[0].problem == "not finished"
    store.forget_parts("anna")
    assert not list(store.parts("anna"))
    assert not store.entries()


def test_a_damaged_profile_is_listed_and_says_what_to_do(store: ProfileStore) -> None:
    path = store.write("anna", {}, b"content")
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(DamagedProfileError, match=r"cut short.*rtfilter enroll camera:0 --name anna --force"):
        store.read("anna")
    assert "cut short" in store.entries()[0].problem
    assert store.delete("anna") == [path]
    assert not path.exists()


def test_what_was_gathered_with_a_passphrase_needs_it(tmp_path: Path) -> None:
    ProfileStore(tmp_path, Seal("correct horse")).add_part("anna", {}, b"part")
    with pytest.raises(PassphraseError, match="gathered for anna"):
        list(ProfileStore(tmp_path).parts("anna"))
    assert [content for _, content in ProfileStore(tmp_path, Seal("correct horse")).parts("anna")] == [
        b"part"
    ]


def test_plain_parts_are_encrypted_once_a_passphrase_is_given(tmp_path: Path) -> None:
    ProfileStore(tmp_path).add_part("anna", {"samples": 1}, b"a face in the clear")
    store = ProfileStore(tmp_path, Seal("correct horse"))
    ((path, content),) = store.parts("anna")
    assert content == b"a face in the clear"
    assert b"in the clear" not in path.read_bytes()
    assert [content for _, content in store.parts("anna")] == [b"a face in the clear"]


def test_what_a_killed_write_left_goes_with_the_next_and_by_delete(store: ProfileStore) -> None:
    path = store.write("anna", {}, b"old")
    other = store.write("ann", {}, b"of somebody else")
    for act in (lambda: store.write("anna", {}, b"new"), lambda: store.delete("anna")):
        left = path.with_name(f"{temporary_prefix(path)}0123456789abcdef")
        left.write_bytes(b"a face in the clear")
        os.utime(left, (0, 0))
        act()
        assert not left.exists()
    assert list(store.folder.iterdir()) == [other]


def test_a_write_that_is_under_way_is_not_disturbed(store: ProfileStore) -> None:
    path = store.write("anna", {}, b"one")
    under_way = path.with_name(f"{temporary_prefix(path)}0123456789abcdef")
    under_way.write_bytes(b"by another process")
    store.write("anna", {}, b"two")
    assert under_way.exists()


def test_a_full_disk_leaves_the_old_profile(store: ProfileStore) -> None:
    store.write("anna", {}, b"old")
    with full_disk(4096), pytest.raises(OutputError, match="Free some space"):
        store.write("anna", {}, bytes(100_000))
    assert store.read("anna")[1] == b"old"
    assert [path.name for path in store.folder.iterdir()] == ["anna.profile"]
