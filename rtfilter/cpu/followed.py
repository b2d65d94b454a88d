"""`Followed`: the followed faces of the CPU lane, by number. Called by `cpu.lane`."""

from __future__ import annotations

from collections.abc import Sequence

from rtfilter.cpu.person import Person
from rtfilter.cpu.warm_up import warm_up
from rtfilter.face.edit import FaceEditor
from rtfilter.face.fit import FaceFit
from rtfilter.face.model import MorphableModel
from rtfilter.face.skin import SkinMaps
from rtfilter.tracking.base import Landmarks


class Followed:
    """A `Person` for every number of the tracker's, until that is not used any more.

    alone: one face is followed; its number is used whenever it comes, until another face is chosen.
    """

    def __init__(self, model: MorphableModel, fade_s: float, skin: SkinMaps, alone: bool) -> None:
        # Loaded here: OpenCV and Numba are not for the CUDA lane.
        from rtfilter.occlusion.glasses import Glasses, rims_on_the_processor
        from rtfilter.occlusion.network import on_the_processor
        from rtfilter.occlusion.watch import OcclusionWatch

        self._fit, self._editor = FaceFit(model), FaceEditor(model, fade_s, skin)
        warm_up(model, self._fit, self._editor)
        self._network, self._rims = on_the_processor(), rims_on_the_processor()

        def watch() -> OcclusionWatch:
            return OcclusionWatch(self._network, model.triangles, Glasses(self._rims, model))

        self._watch = watch
        self._skin, self._alone = skin, alone
        self._known: dict[int, Person] = {}
        self._own_skin: dict[int, SkinMaps] = {}

    @property
    def strength(self) -> float:
        """The largest of all fades, 0..1."""
        return max((person.strength for person in self._known.values()), default=0.0)

    def of(self, number: int) -> Person:
        """The person of a number; a new one at its first use."""
        person = self._known.get(number)
        if person is None:
            person = self._known[number] = Person(
                self._fit, self._editor.another(), self._watch(), self._skin
            )
        return person

    def absent(self, found: Sequence[Landmarks], time_s: float) -> list[Person]:
        """Those who are not among a frame's faces, whose edits fade; who is long gone is forgotten."""
        seen = {landmarks.person for landmarks in found}
        for number in [number for number in self._known if number not in seen]:
            person = self._known[number]
            stays = self._alone and number == max(self._known)
            if person.strength == 0.0 and person.forgotten(time_s) and not stays:
                del self._known[number]
                self._own_skin.pop(number, None)
        return [person for number, person in self._known.items() if number not in seen]

    def use_skin(self, skin: SkinMaps, number: int | None) -> None:
        """See `Lane.use_skin`."""
        if number is None:
            self._skin = skin
            for each in self._known.keys() - self._own_skin.keys():
                self._known[each].use_skin(skin)
        elif number in self._known:
            self._own_skin[number] = skin
            if skin is self._skin:  # their own are taken off: what everybody gets next is for them too
                del self._own_skin[number]
            self._known[number].use_skin(skin)

    def close(self) -> None:
        """Free the network."""
        self._network.close()
        self._rims.close()

    def reset(self) -> None:
        """Forget everybody."""
        self._known.clear()
        self._own_skin.clear()
