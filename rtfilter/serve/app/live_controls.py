"""`LiveControls`: the controls of one session, everybody's and those of single people.

Changed by `session` and `api`; read by `steering` before every frame.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any

from rtfilter.controls import Controls
from rtfilter.errors import UsageError
from rtfilter.serve.app.messages import merged, person_number
from rtfilter.system.clock import NS_PER_S

# Called with the new controls, and the number of the message that changed them.
ControlsListener = Callable[[Controls, "int | None"], None]
PeopleListener = Callable[[Mapping[int, Controls], "int | None"], None]

# Who is not seen for so long has left: the number is never used again.
GONE_NS = 10 * NS_PER_S


class LiveControls:
    """The controls of one session: changed from any thread, read before every frame.

    Changes are serial: none is lost when two threads change at once.

    people_changed: called when the controls of single people change, in the thread that changed them.
    """

    def __init__(self, controls: Controls) -> None:
        self._newest: tuple[Controls, int | None] = (controls, None)
        self._people: Mapping[int, Controls] = {}
        # When each person was last in a picture.
        self._seen_ns: dict[int, int] = {}
        self._changing = threading.Lock()
        self._listeners: list[ControlsListener] = []
        self.people_changed: PeopleListener = lambda _people, _seq: None

    @property
    def current(self) -> Controls:
        return self._newest[0]

    @property
    def newest(self) -> tuple[Controls, int | None]:
        """The controls, and the number of the last numbered message in them; of one moment."""
        return self._newest

    @property
    def people(self) -> Mapping[int, Controls]:
        """Controls of those who have their own, by number."""
        return self._people

    def change(self, changes: Mapping[str, Any], seq: int | None = None) -> Controls:
        """Apply a merge patch. Raises UsageError and changes nothing when it is not valid."""
        return self._set(lambda before: merged(before, changes), seq)

    def change_people(self, changes: Mapping[str, Any], seq: int | None = None) -> None:
        """Apply a merge patch for each number; a first one is applied to everybody's controls, and None
        gives a person everybody's again.

        Raises UsageError, also for who is not in the picture, and then changes nothing.
        """

        def step(people: dict[int, Controls], everybody: Controls) -> None:
            for key, patch in changes.items():
                number = self._known(person_number(key), patch is None)
                if patch is None:
                    people.pop(number, None)
                elif isinstance(patch, Mapping):
                    people[number] = merged(people.get(number, everybody), patch)
                else:
                    raise UsageError(f"people: expected an object or null for {number}")

        self._set_people(step, seq)

    def replace(self, controls: Controls) -> Controls:
        """Replace the controls whole."""
        return self._set(lambda _: controls, None)

    def choose(
        self, values: Mapping[str, Any], seq: int | None = None, person: int | None = None
    ) -> Controls:
        """Apply a preset: its mix replaces the present one; of the other controls, those that it names.

        person: whom it is for; None: everybody. Raises UsageError for who is not in the picture.
        """
        mix: dict[str, Any] = {"emotions": {}, "blendshapes": {}, "valence": 0.0, "arousal": 0.0}
        preset = {**mix, "bypass": False, **values}
        if person is None:
            return self._set(lambda before: before.with_(**preset), seq)
        number = person

        def step(people: dict[int, Controls], everybody: Controls) -> None:
            self._known(number, False)
            people[number] = people.get(number, everybody).with_(**preset)

        return self._set_people(step, seq)[number]

    def saw(self, people: Collection[int], now_ns: int) -> None:
        """Note who is in a picture; who left is forgotten, with their controls."""
        with self._changing:
            self._seen_ns.update(dict.fromkeys(people, now_ns))
            gone = {number for number, seen_ns in self._seen_ns.items() if now_ns - seen_ns > GONE_NS}
            for number in gone:
                del self._seen_ns[number]
        if gone & self._people.keys():
            self._set_people(lambda kept, _: [kept.pop(number, None) for number in gone], None)

    def forget_people(self) -> None:
        """Numbers mean others from now on."""
        with self._changing:
            self._seen_ns.clear()
        if self._people:
            self._set_people(lambda people, _: people.clear(), None)

    def listen(self, listener: ControlsListener) -> Callable[[], None]:
        """Call `listener` after every change, in the thread that made it. Returns how to stop that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _known(self, number: int, leaves: bool) -> int:
        if number not in self._seen_ns and not leaves:
            here = ", ".join(map(str, sorted(self._seen_ns))) or "nobody"
            raise UsageError(f"person {number} is not in the picture; there is {here}")
        return number

    def _set(self, step: Callable[[Controls], Controls], seq: int | None) -> Controls:
        with self._changing:
            before, last_seq = self._newest
            after = step(before)
            self._newest = (after, last_seq if seq is None else seq)
        for listener in list(self._listeners):
            listener(after, seq)
        return after

    def _set_people(
        self, step: Callable[[dict[int, Controls], Controls], object], seq: int | None
    ) -> Mapping[int, Controls]:
        with self._changing:
            everybody, last_seq = self._newest
            people = dict(self._people)
            step(people, everybody)
            self._people = people
            self._newest = (everybody, last_seq if seq is None else seq)
        self.people_changed(people, seq)
        return people
