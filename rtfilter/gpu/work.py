"""`Work`: one stream's request to a device, and its results. Made by `CudaLane`, done by `Batcher`."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from rtfilter.colour import YuvSpec
from rtfilter.engines.expression.layout import TARGET
from rtfilter.engines.spec import F32
from rtfilter.errors import GpuError
from rtfilter.face.deform import Room
from rtfilter.face.skin import SkinMaps
from rtfilter.gpu.frame_io import Format, PlanesUpload, RgbUpload, Upload
from rtfilter.gpu.graph import BatchGraph
from rtfilter.gpu.region import changed_box, wanted_box
from rtfilter.kernels.room import put_room
from rtfilter.planes import Planes
from rtfilter.system.arrays import U8, Box
from rtfilter.tracking.detect import Detection
from rtfilter.tracking.roi import Roi
from rtfilter.tracking.tiles import Tile


@dataclass(eq=False, slots=True)
class Work:
    """A step of a frame, a detection of faces, or both.

    Attributes:
        upload: the region of the frame; None for a detection alone.
        roi: the mesh network's square; None where there is no face.
        rows: of the state table, read and written; -1 reads zeros, a new stream.
        target: the row TARGET of this frame (target, weights, times), float32 [TARGET.size].
        skin: the maps of the person's skin; None: without.
        room: what must not change; None: everything may.
        person: their row on the device, written by `BatchDevice`.
        look: the frame's pixels, where its faces are to be detected.
        tile: in which square of the frame; None: in all of it.
        results: see `BatchGraph`, of this frame: [1, ...]. The stream's next step may overwrite them.
        box: the changed box; None where nothing changed.
        wanted: see `wanted_box`.
        changed: what lies in the box, see `RgbUpload.changed`.
        found: the detected faces, highest score first.
        started_ns: of the launch, or of the request where that had to wait.
        device_ns: from there to the end.
        done: set with the results, or with `error`.
    """

    upload: Upload | None = None
    roi: Roi | None = None
    rows: tuple[int, int] = (-1, 0)
    target: F32 = field(default_factory=TARGET.zeros)
    skin: SkinMaps | None = None
    room: Room | None = None
    person: int = 0
    look: U8 | Planes | None = None
    tile: Tile | None = None
    results: dict[str, F32] = field(default_factory=dict)
    box: Box | None = None
    wanted: Box | None = None
    changed: list[U8] = field(default_factory=list)
    found: list[Detection] = field(default_factory=list)
    started_ns: int = 0
    device_ns: int = 0
    done: bool = False
    error: GpuError | None = None

    @property
    def frame(self) -> Upload:
        """The upload of a step."""
        assert self.upload is not None, "this work is a detection alone"
        return self.upload

    def put(self, graph: BatchGraph, number: int, slot_bytes: int) -> None:
        """Write the frame into a slot of a batch."""
        self.frame.put(graph.slot(number, slot_bytes), self.roi)
        graph.parameters["carry"][number] = self.rows
        graph.parameters["target"][number] = self.target
        graph.parameters["person"][number] = self.person
        put_room(graph.parameters["room"][number], graph.parameters["distance"][number], self.room)

    def take(self, graph: BatchGraph, number: int, slot_bytes: int, *, copied: bool) -> None:
        """Read the frame's results; copied: where another stream's launch may follow, else views."""
        self.results = {name: values[number : number + 1] for name, values in graph.results.items()}
        report = graph.reports[number]
        self.box, self.wanted = changed_box(report), wanted_box(report)
        slot = graph.slot(number, slot_bytes)
        self.changed = [] if self.box is None else self.frame.changed(slot, self.box)
        if copied:
            self.results = {name: values.copy() for name, values in self.results.items()}
            self.changed = [part.copy() for part in self.changed]

    def paste(self, out: U8 | Planes) -> None:
        """Copy the changed box into a copy of the picture."""
        assert self.box is not None
        self.frame.paste(out, self.box, self.changed)


def empty_work(kind: Format, row: int) -> Work:
    """For an unused slot of a batch: one pixel without a face, and a row that no stream reads."""
    target = TARGET.zeros()
    for name in ("offset_cutoff_hz", "width_px", "height_px"):
        target[TARGET[name].slice] = 1.0
    return Work(_ONE_PIXEL[kind], rows=(-1, row), target=target)


_PIXEL, _BOX = np.zeros((1, 1), np.uint8), Box(0, 0, 1, 1)
_ONE_PIXEL: dict[Format, Upload] = {
    Format.RGB: RgbUpload(np.zeros((1, 1, 3), np.uint8), _BOX),
    Format.I420: PlanesUpload(Planes(_PIXEL, _PIXEL, _PIXEL, (1, 1), YuvSpec("bt709", False)), _BOX),
}
