"""The constant part of a face mesh, as the kernels of `mesh.cu` want it. Used by `warp` and `render.mesh`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtfilter.kernels import blocks

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
U8 = npt.NDArray[np.uint8]

# Named alike in mesh.cu; tests compare them.
MESH_BLOCK = 256
MESH_VERTICES_MAX = 1024
LIMIT_LANDMARKS_MAX, LIMIT_SHAPES_MAX = 512, 4
MESH_OVAL_MAX, MESH_LOOPS_MAX, MESH_OPENINGS_MAX, MESH_RIM_MAX = 64, 4, 4, 32


@dataclass(frozen=True)
class Opening:
    """Mouth or eye; `kernels.cpu.parts` says what becomes of it.

    label: of `kernels.cpu.rasterise`. rim: int32 [K], K even, landmarks once around: the subject's right
    corner, the upper edge, the left corner, the lower edge back. above, below: int32, landmarks whose mean
    offset carries the upper and the lower part of what it shows. end: of the way between the corners, at
    either end, what is not rigid. eye: `above` is an iris, centre first, which is completed.
    """

    label: int
    rim: I32
    above: I32
    below: I32
    end: float = 0.0
    eye: bool = False

    @property
    def vertex_count(self) -> int:
        """Of band, core, and the two rows within it."""
        return 3 * len(self.rim) - 2


@dataclass(frozen=True)
class MeshTopology:
    """The constant part of a face mesh.

    Attributes:
        landmark_count: 478.
        triangles: int32 [T, 3].
        labels: uint8 [T], of kernels/cpu/rasterise.py.
        oval: int32 [K], landmarks around the face.
        loops: float32 [L, 2], each ring loop's distance in IODs and its share of the offset.
        openings: mouth and eyes; their vertices follow the ring's.
        design: float32 [4], of `extend_part`. behind_iod: of the cores, behind the farthest landmark.
        uv: float32 [N, 2], 0..1, each landmark's place in the skin's maps.
        shapes: float32 [N, G], of `limit_offsets`.
    """

    landmark_count: int
    triangles: I32
    labels: U8
    oval: I32
    loops: F32
    openings: tuple[Opening, ...]
    design: F32
    behind_iod: float
    uv: F32
    shapes: F32

    def __post_init__(self) -> None:
        rims = [len(opening.rim) for opening in self.openings]
        fits = (
            len(self.oval) <= MESH_OVAL_MAX
            and len(self.loops) <= MESH_LOOPS_MAX
            and len(self.openings) <= MESH_OPENINGS_MAX
            and all(4 <= count <= MESH_RIM_MAX and count % 2 == 0 for count in rims)
            and self.vertex_count <= MESH_VERTICES_MAX
            and self.uv.shape == (self.landmark_count, 2)
            and self.landmark_count <= LIMIT_LANDMARKS_MAX
            and len(self.shapes) == self.landmark_count
            and self.shapes.shape[1] <= LIMIT_SHAPES_MAX
            and int(self.triangles.max(initial=0)) < self.vertex_count
        )
        if not fits:
            raise ValueError("this mesh does not fit the kernels: see the limits in kernels/mesh.cu")

    @property
    def vertex_count(self) -> int:
        inside = sum(opening.vertex_count for opening in self.openings)
        return self.landmark_count + len(self.loops) * len(self.oval) + inside

    def corners(self) -> I32:
        """int32 [T, 4]: triangles and labels."""
        joined = np.empty((len(self.triangles), 4), np.int32)
        joined[:, :3], joined[:, 3] = self.triangles, self.labels
        return joined

    def indices(self) -> I32:
        """The oval, then each opening's rim, and what carries it above and below, in one row."""
        parts = [self.oval, *(part for each in self.openings for part in (each.rim, each.above, each.below))]
        return np.asarray(np.concatenate(parts), np.int32)

    def parameters(self, batch: int) -> npt.NDArray[np.void]:
        """MESH [batch], all alike."""
        block = np.zeros(batch, blocks.MESH)
        block["landmark_count"], block["oval_count"] = self.landmark_count, len(self.oval)
        block["loop_count"], block["opening_count"] = len(self.loops), len(self.openings)
        block["loop_iod"][:, : len(self.loops)] = self.loops[:, 0]
        block["loop_share"][:, : len(self.loops)] = self.loops[:, 1]
        for n, opening in enumerate(self.openings):
            block["rim_count"][:, n] = len(opening.rim)
            block["above_count"][:, n], block["below_count"][:, n] = len(opening.above), len(opening.below)
            block["end"][:, n], block["eye"][:, n] = opening.end, opening.eye
        block["band_iod"], block["band_share"], block["row_above"], block["row_below"] = self.design
        block["behind_iod"] = self.behind_iod
        return block
