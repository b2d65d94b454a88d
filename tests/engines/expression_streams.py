"""One stream of landmarks through NumPy's fit and edit, and through the expression graph."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from unittest.mock import patch

import numpy as np
import numpy.typing as npt

from rtfilter.controls import Controls
from rtfilter.cpu.lane import CpuLane
from rtfilter.engines.expression.graph import expression_graph
from rtfilter.engines.expression.host import StreamTimes, TargetWriter, face_state
from rtfilter.engines.expression.layout import EXPRESSION, REPORT, STATE, TARGET
from rtfilter.engines.ort.cpu import OnnxRunner
from rtfilter.face.deform import Displacement
from rtfilter.face.fit import FaceState
from rtfilter.face.light import NO_LIGHT
from rtfilter.face.skin import SkinMaps
from rtfilter.face.visibility import ALL_PARTS
from rtfilter.frame import Frame
from rtfilter.tracking.base import Landmarks
from tests.faces import builtin

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Points = F32 | None
Size = tuple[int, int]


@dataclass(frozen=True)
class Shown:
    """What one frame came to. displacement: None where the picture is left alone. face, offset: None
    without a face."""

    displacement: Displacement | None
    face: FaceState | None
    offset: F64 | None
    strength: float
    weight: float
    learned_iod: F64


class NumpyStream:
    """The CPU lane itself, with a tracker that is told what to find and a renderer that only looks."""

    def __init__(self, fade_s: float = 0.2, light: F32 = NO_LIGHT) -> None:
        self._points: Points = None
        self._rendered: Displacement | None = None
        self._lane = CpuLane(self, builtin(), fade_s)
        self._lane._renderer.close()
        self._lane._renderer = self  # type: ignore[assignment]
        self._light = light

    def step(self, points: Points, controls: Controls, size: Size, time_s: float) -> Shown:
        self._points, self._rendered = points, None
        self._lane._people.of(0).light.value = self._light  # its pictures are black and show none
        # Whether the place of a lost face looks alike is asked of pictures, by both lanes, outside the graph.
        with patch("rtfilter.cpu.person.is_alike", return_value=True):
            _, report = self._lane.step(frame_at(size, time_s), controls.with_(occlusion=False))
        identity = self._lane._people.of(0)._identity
        return Shown(
            self._rendered, report.state, report.offset, report.strength, identity.weight, identity.shape_iod
        )

    def reset(self) -> None:
        """As a tracker it has nothing to forget; the lane's `reset` ends here too."""

    def restart(self) -> None:
        self._lane.reset()

    def track(self, frame: Frame) -> Landmarks | None:
        return None if self._points is None else Landmarks(self._points, 1.0)

    def prepare(self, frame: Frame) -> None:
        pass

    def render_all(self, frame: Frame, displacements: list[Displacement]) -> Frame:
        self._rendered = displacements[0] if displacements else None
        return frame

    def close(self) -> None:
        pass


class GraphStream:
    """The expression graph as a lane runs it: twice on the first frame with a face, else once."""

    def __init__(self, fade_s: float = 0.2, runner: OnnxRunner | None = None, light: F32 = NO_LIGHT) -> None:
        self._light, self.parts = light, ALL_PARTS
        self._runner = runner or builtin_runner()
        self._times, self._writer = StreamTimes(), TargetWriter(fade_s)
        self.target, self.state, self.report = TARGET.zeros(1), STATE.zeros(1), REPORT.zeros(1)

    def step(self, points: Points, controls: Controls, size: Size, time_s: float) -> Shown:
        time_s = frame_at(size, time_s).pts_ns * 1e-9
        seeding = True
        while seeding:
            self._writer.write(self.target[0], controls, self._times, time_s, *size, self._light, self.parts)
            out = self._run(points)
            seeding = self._times.seeding and self._present
            self._times.ran(time_s, self._present)
        report, present = self.report[0], self._present
        shown = bool(REPORT.of(report, "shown")[0])
        place = out["shown_points_px"][0].copy(), out["offset_px"][0].copy(), float(out["iod_px"][0])
        offset = out["skin_offset"][0].copy()
        skin = SkinMaps.builtin().weights(offset, offset), out["gain_log"][0].copy()
        assert shown or not (np.any(place[1]) or np.any(skin[0]) or np.any(skin[1]))
        mean = builtin().mean_iod
        return Shown(
            Displacement(*place, *skin) if shown else None,
            face_state(report, len(builtin().identity_basis)) if present else None,
            REPORT.of(report, "offset").astype(np.float64) if present else None,
            float(REPORT.of(report, "strength")[0]),
            float(STATE.of(self.state[0], "weight")[0]),
            mean + STATE.of(self.state[0], "off_mean_iod").reshape(mean.shape).astype(np.float64),
        )

    def restart(self) -> None:
        self._times.reset()
        self.state[:] = 0.0

    @property
    def _present(self) -> bool:
        return bool(REPORT.of(self.report[0], "present")[0])

    def _run(self, points: Points) -> dict[str, F32]:
        # What a network answers to a picture without a face may be anything.
        given = np.full((1, 478, 3), np.nan, np.float32) if points is None else points[None]
        present = np.array([points is not None], np.float32)
        out = self._runner.run(points_px=given, present=present, target=self.target, state=self.state)
        for name, array in out.items():
            assert np.isfinite(array).all(), name
        self.state, self.report = out["new_state"].copy(), out["report"].copy()
        return out


@lru_cache(maxsize=1)
def builtin_graph() -> bytes:
    return expression_graph(builtin())


@lru_cache(maxsize=4)
def builtin_runner(batch: int = 1) -> OnnxRunner:
    return OnnxRunner(builtin_graph(), EXPRESSION, batch)


@lru_cache(maxsize=8)
def _picture(size: Size) -> npt.NDArray[np.uint8]:
    return np.zeros((size[1], size[0], 3), np.uint8)


def frame_at(size: Size, time_s: float) -> Frame:
    return Frame.from_rgb(_picture(size), pts=round(time_s * 1e9))


def differences(numpy: Shown, graph: Shown) -> dict[str, float]:
    """The largest difference by quantity; lengths in IODs of this face, angles as entries of the rotation.

    What rounding leaves of a fade that is over may still be shown by one and not by the other.
    """
    if max(numpy.strength, graph.strength) > 1e-5:
        assert (numpy.displacement is None) == (graph.displacement is None)
    assert (numpy.face is None) == (graph.face is None)
    found = {
        "strength": abs(numpy.strength - graph.strength),
        "weight": abs(numpy.weight - graph.weight) / max(numpy.weight, 1.0),
        "learned_iod": _largest(numpy.learned_iod - graph.learned_iod),
    }
    if numpy.displacement is not None and graph.displacement is not None:
        one, two = numpy.displacement, graph.displacement
        assert np.array_equal(one.points_px, two.points_px)
        found["displacement_iod"] = _largest(one.offset_px - two.offset_px) / one.iod_px
        found["skin"] = _largest(one.skin_weights - two.skin_weights)
        found["light"] = _largest(one.gain_log - two.gain_log)
        found["scale"] = abs(two.iod_px / one.iod_px - 1.0)
    if numpy.face is not None and graph.face is not None:
        a, b = numpy.face, graph.face
        found["rotation"] = _largest(a.pose.rotation - b.pose.rotation)
        apart_px = _largest(a.pose.translation_px - b.pose.translation_px)
        found["translation_iod"] = apart_px / a.pose.scale_px_per_iod
        found["expression"] = _largest(a.expression - b.expression)
        found["identity"] = _largest(a.identity - b.identity)
        found["shape_iod"] = _largest(a.shape_iod - b.shape_iod)
        found["neutral_iod"] = _largest(a.neutral_iod - b.neutral_iod)
        found["residual_iod"] = abs(a.residual - b.residual)
    if numpy.offset is not None and graph.offset is not None:
        found["offset"] = _largest(numpy.offset - graph.offset)
    return found


def _largest(difference: npt.NDArray[np.floating]) -> float:
    return float(np.abs(difference).max())
