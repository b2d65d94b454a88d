"""The whole model of scans and clips: bound, fitted, with its identity basis and mesh.

Called by `learn.model.build_face_model`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from mediapipe.python.solutions.face_mesh_connections import FACEMESH_TESSELATION
from scipy import sparse

from rtfilter.face.model import MorphableModel
from rtfilter.learn.model.binding import bind
from rtfilter.learn.model.identity import identity_basis, mean_face
from rtfilter.learn.model.observe import Clip
from rtfilter.learn.model.rigging import fit_rig, rigidity, scan_prior
from rtfilter.learn.model.scans import Scans
from rtfilter.learn.model.teacher import covariance, relative, resting_scores
from rtfilter.learn.model.topology import hole_triangles, triangles_from_edges

F64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Built:
    """A model and what it was made of. prior: float64 [52, 478, 3], the scans' shapes at the landmarks.

    binding: [478, V], the weights of the scans' vertices for every landmark.
    """

    model: MorphableModel
    prior: F64
    binding: sparse.csr_matrix


def assemble(scans: Scans, people: Sequence[Clip], more: Sequence[Clip]) -> Built:
    """The face model. people: clips of one person each; more: others, of any people, for expressions."""
    mean, mirror = mean_face(people)
    edges = np.unique(np.sort(np.array(list(FACEMESH_TESSELATION), np.int32), axis=1), axis=0)
    binding = bind(scans, mean, mirror, edges)
    prior = scan_prior(scans, binding, mirror)
    clips = relative([*people, *more], resting_scores(people))
    rig, neutrals = fit_rig(clips, mean, mirror, prior)
    mean, directions, scale = identity_basis(scans, binding, neutrals[: len(people)], rig.basis, mirror)
    model = MorphableModel(
        mean_iod=mean.astype(np.float32),
        expression_basis=rig.basis.astype(np.float32),
        expression_covariance=covariance(clips).astype(np.float32),
        identity_basis=directions.astype(np.float32),
        identity_scale=scale.astype(np.float32),
        rigidity=rigidity(rig.basis).astype(np.float32),
        mirror=mirror.astype(np.int32),
        triangles=triangles_from_edges(FACEMESH_TESSELATION),
        holes=hole_triangles(),
    )
    return Built(model, prior, binding)
