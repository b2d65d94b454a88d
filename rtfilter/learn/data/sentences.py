"""The sentences of the synthetic corpus: short, everyday, and rich in closures and rounded vowels."""

from __future__ import annotations

from typing import Final

SENTENCES: Final = (
    "Bob put the blue map by my window.",
    "We found two small boats near the pier.",
    "My mother bought plums and apple pie.",
    "Who would move the piano on a Monday?",
    "Please bring me a cup of warm milk.",
    "The shop by the pool opens at noon.",
    "Five happy people waved from the bridge.",
    "She knew the whole poem by heart.",
    "Put the book back, then come home.",
    "Our new neighbour plays the flute badly.",
    "I thought you were coming tomorrow.",
    "Maybe the rain will stop before we leave.",
    "The train to Boston was cold and empty.",
    "You should have told me about the party.",
    "He dropped a spoon and broke the lamp.",
    "What a beautiful view of the harbour!",
    "Nobody believed the farmer and his mule.",
    "Give the yellow umbrella to Paul.",
    "The baby woke up as soon as we arrived.",
    "They ought to fix the roof this summer.",
    "A brown bear ate all of our bread.",
    "It was warm, so we swam until evening.",
    "Could you pass the pepper, please?",
    "Few of us know how the movie ends.",
)
