"""Words with times to phones with times: each word's phones share its time as espeak-ng would speak them.

Called by `data.cache`, for data sets with word alignments.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from rtfilter.errors import InputError, MissingExtraError
from rtfilter.learn.data.sets.grid import SILENCE
from rtfilter.learn.data.speech import PAUSE, Voice, speak
from rtfilter.learn.data.track import Phone


def phones_of(words: Sequence[tuple[float, float, str]]) -> tuple[Phone, ...]:
    """Phones without gaps within each word; () without words, and where espeak-ng is not installed."""
    phones: list[Phone] = []
    for start, end, word in words:
        if word in SILENCE:
            phones.append((start, end, PAUSE))
            continue
        try:
            shares = _shares(word)
        except (MissingExtraError, InputError):
            return ()
        at = start
        for share, name in shares:
            until = at + share * (end - start)
            phones.append((at, until, name))
            at = until
    return tuple(phones)


@lru_cache(maxsize=4096)
def _shares(word: str) -> tuple[tuple[float, str], ...]:
    """The phones of a word with their shares of its time."""
    spoken = [phone for phone in speak(word, Voice()).phones if phone[2] != PAUSE]
    whole = sum(end - start for start, end, _ in spoken)
    return tuple(((end - start) / whole, name) for start, end, name in spoken)
