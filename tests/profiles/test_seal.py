"""Files of profiles: whole, damaged, encrypted, and opened with the wrong passphrase."""

from __future__ import annotations

import sys

import pytest

from rtfilter.errors import MissingExtraError
from rtfilter.profiles.seal import DamagedProfileError, PassphraseError, Seal, read_sealed

CONTENT = bytes(range(256)) * 8


def test_content_comes_back() -> None:
    sealed = read_sealed(Seal().close({"name": "a"}, CONTENT))
    assert not sealed.encrypted
    assert sealed.header["name"] == "a"
    assert Seal().open(sealed) == CONTENT


def test_encrypted_content_comes_back_with_its_passphrase_only() -> None:
    data = Seal("correct horse").close({"name": "a"}, CONTENT)
    assert CONTENT[:64] not in data
    sealed = read_sealed(data)
    assert sealed.encrypted
    assert sealed.header["name"] == "a"
    assert Seal("correct horse").open(sealed) == CONTENT
    with pytest.raises(PassphraseError, match="does not open with this passphrase"):
        Seal("battery staple").open(sealed)
    with pytest.raises(PassphraseError, match="RTFILTER_PASSPHRASE"):
        Seal().open(sealed)


def test_two_files_of_one_passphrase_differ() -> None:
    seal = Seal("correct horse")
    assert seal.close({}, CONTENT) != seal.close({}, CONTENT)


def test_every_damaged_byte_is_noticed() -> None:
    for seal in (Seal(), Seal("correct horse")):
        data = seal.close({"name": "a"}, CONTENT)
        for place in range(0, len(data), 37):
            broken = bytearray(data)
            broken[place] ^= 0x10
            in_header = place < len(data) - len(CONTENT)
            if not seal.encrypts and in_header:
                continue  # a letter of a name, which nothing covers
            with pytest.raises((DamagedProfileError, PassphraseError)):
                seal.open(read_sealed(bytes(broken)))


@pytest.mark.parametrize("length", [0, 5, 30, -1])
def test_a_file_that_is_cut_short_is_noticed(length: int) -> None:
    with pytest.raises(DamagedProfileError):
        read_sealed(Seal().close({}, CONTENT)[:length])


def test_a_header_of_brackets_is_damage() -> None:
    brackets = b"[" * 60_000
    data = b"rtfilter profile 1\n" + len(brackets).to_bytes(4, "little") + brackets
    with pytest.raises(DamagedProfileError, match="header"):
        read_sealed(data)


def test_the_header_of_an_encrypted_file_cannot_be_changed() -> None:
    seal = Seal("correct horse")
    data = seal.close({"name": "anna"}, CONTENT).replace(b'"anna"', b'"otto"')
    with pytest.raises(PassphraseError):
        seal.open(read_sealed(data))


def test_a_short_passphrase_is_refused() -> None:
    with pytest.raises(PassphraseError, match="7 letters: expected at least 8"):
        Seal("1234567")


def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(MissingExtraError, match=r"cryptography: .*serve"):
        Seal("correct horse")
    assert Seal().open(read_sealed(Seal().close({}, CONTENT))) == CONTENT
