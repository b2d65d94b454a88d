"""`python -m rtfilter.learn.model.build_face_model`: the face model, from scans and footage.

Fits the scans' shapes to every video of a folder (one person a clip), writes the asset, and prints the
model card's figures: held-out error of the scans' shapes alone and of the fitted model.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from rtfilter.controls import BLENDSHAPES
from rtfilter.errors import InputError, RtfilterError
from rtfilter.face.dense import DENSE_ASSET
from rtfilter.face.fit import FaceFit
from rtfilter.face.model import ASSET, HOLES, MorphableModel
from rtfilter.learn.model.assemble import Built, assemble
from rtfilter.learn.model.dense import build_dense, save_dense
from rtfilter.learn.model.observe import Clip, observe
from rtfilter.learn.model.rigging import rigidity
from rtfilter.learn.model.scans import Scans, load_scans

TARGET = Path(__file__).resolve().parents[2] / "face" / "assets" / ASSET
SETTLING_S = 1.0  # the person's neutral is learned "within seconds"; errors are counted after this
VIDEOS = {".mp4", ".mkv", ".mov", ".webm"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the model and print its figures as JSON; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scans", type=Path, required=True, help="ICT-FaceKit light as an .npz")
    parser.add_argument("--footage", type=Path, required=True, help="folder of clips, one person each")
    parser.add_argument(
        "--also", type=Path, action="append", default=[], help="more clips: for expressions, not for people"
    )
    parser.add_argument("--task", type=Path, required=True, help="FaceLandmarker v2 model with blendshapes")
    parser.add_argument("--out", type=Path, default=TARGET)
    parser.add_argument("--dense", type=Path, default=TARGET.with_name(DENSE_ASSET), help="the dense face")
    options = parser.parse_args(arguments)
    try:
        print(json.dumps(build(options), indent=1))
    except RtfilterError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def build(options: argparse.Namespace) -> dict[str, Any]:
    """Both files of the options' inputs; the figures. Raises InputError."""
    scans = load_scans(options.scans)
    if not options.task.is_file():
        raise InputError(f"{options.task}: no such file; expected face_landmarker.task: check --task")
    paths, others = clips_of(options.footage), [path for folder in options.also for path in clips_of(folder)]
    if len(paths) < 2:
        raise InputError(
            f"{options.footage}: {len(paths)} clips, expected at least 2, each of another person: add some"
        )
    people, more = ([observe(path, options.task) for path in some] for some in (paths, others))
    report: dict[str, Any] = {
        "clips": {clip.name: len(clip.scores) for clip in [*people, *more]},
        "held_out": held_out(scans, people, more),
    }
    built = assemble(scans, people, more)
    save(built.model, options.out)
    save_dense(build_dense(scans, built), options.dense)
    report["bytes"] = {path.name: path.stat().st_size for path in (options.out, options.dense)}
    return report


def clips_of(folder: Path) -> list[Path]:
    """The videos of a folder, in order of their names."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected one with clips ({', '.join(sorted(VIDEOS))})")
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in VIDEOS)


def held_out(scans: Scans, people: Sequence[Clip], more: Sequence[Clip]) -> dict[str, dict[str, float]]:
    """Leave one person out: reconstruction error in IODs by person, of the scans' shapes and fitted.

    The clips of `more` are of none of `people` and stay in.
    """
    errors: dict[str, dict[str, float]] = {}
    for clip in people:
        built = assemble(scans, [other for other in people if other is not clip], more)
        errors[clip.name] = {
            "prior": reconstruction_error(unfitted(built), clip),
            "fitted": reconstruction_error(built.model, clip),
        }
    errors["median"] = {k: float(np.median([e[k] for e in errors.values()])) for k in ("prior", "fitted")}
    return errors


def unfitted(built: Built) -> MorphableModel:
    """The model with the scans' own shapes in place of the fitted ones."""
    prior = built.prior
    return replace(
        built.model,
        expression_basis=prior.astype(np.float32),
        rigidity=rigidity(prior).astype(np.float32),
    )


def reconstruction_error(model: MorphableModel, clip: Clip) -> float:
    """Median over frames and landmarks of the distance between model and tracked landmarks, in IODs.

    The fit runs as in the product: causally, and with the person's neutral learned on the way.
    """
    fit = FaceFit(model)
    state = fit.first_identity()
    residuals = []
    for points, time_s in zip(clip.points_px, clip.time_s, strict=True):
        face, state = fit.step(state, points.astype(np.float32), float(time_s))
        if time_s >= SETTLING_S:
            residuals.append(face.residual)
    return float(np.median(residuals))


def save(model: MorphableModel, path: Path) -> None:
    """Write the model in the format that MorphableModel.load reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        mean_iod=model.mean_iod,
        expression_basis=model.expression_basis,
        expression_covariance=model.expression_covariance,
        identity_basis=model.identity_basis,
        identity_scale=model.identity_scale,
        rigidity=model.rigidity,
        mirror=model.mirror,
        triangles=model.triangles,
        blendshapes=np.array(BLENDSHAPES),
        **{f"hole_{name}": model.holes[name] for name in HOLES},
    )


if __name__ == "__main__":
    sys.exit(main())
