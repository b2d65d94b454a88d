"""`python -m rtfilter.learn.model.build_face_model --footage DIR --task FILE`: the face model, from footage.

Fits the anatomical prior to every video of a folder (one person a clip), writes the asset, and prints the
model card's figures: held-out error of the prior alone and of the fitted model.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from rtfilter.controls import BLENDSHAPES
from rtfilter.face.fit import FaceFit
from rtfilter.face.model import ASSET, HOLES, MorphableModel
from rtfilter.learn.model.muscles import build_prior
from rtfilter.learn.model.observe import Clip, observe
from rtfilter.learn.model.rigging import fit_rig, mean_face, rigidity, to_model

TARGET = Path(__file__).resolve().parents[2] / "face" / "assets" / ASSET
SETTLING_S = 1.0  # the person's neutral is learned "within seconds"; errors are counted after this


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the model and print its figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--footage", type=Path, required=True, help="folder of clips, one person each")
    parser.add_argument("--task", type=Path, required=True, help="FaceLandmarker v2 model with blendshapes")
    parser.add_argument("--out", type=Path, default=TARGET)
    options = parser.parse_args(arguments)
    paths = sorted(
        p for p in options.footage.iterdir() if p.suffix.lower() in {".mp4", ".mkv", ".mov", ".webm"}
    )
    if len(paths) < 2:
        raise SystemExit(f"{options.footage}: {len(paths)} clips, expected at least 2 people")
    clips = [observe(path, options.task) for path in paths]
    report = {"clips": {clip.name: len(clip.scores) for clip in clips}, "held_out": held_out(clips)}
    mean, mirror = mean_face(clips)
    rig, neutrals = fit_rig(clips, mean, mirror)
    save(to_model(rig, neutrals), options.out)
    report["bytes"] = options.out.stat().st_size
    print(json.dumps(report, indent=1))


def held_out(clips: Sequence[Clip]) -> dict[str, dict[str, float]]:
    """Leave one person out: reconstruction error in IODs by person, prior alone and fitted."""
    errors: dict[str, dict[str, float]] = {}
    for clip in clips:
        others = [other for other in clips if other is not clip]
        mean, mirror = mean_face(others)
        prior = build_prior(mean, mirror)
        rig, neutrals = fit_rig(others, mean, mirror, prior)
        fitted = to_model(rig, neutrals)
        unfitted = replace(
            fitted, expression_basis=prior.astype(np.float32), rigidity=rigidity(prior).astype(np.float32)
        )
        errors[clip.name] = {
            "prior": reconstruction_error(unfitted, clip),
            "fitted": reconstruction_error(fitted, clip),
        }
    errors["median"] = {k: float(np.median([e[k] for e in errors.values()])) for k in ("prior", "fitted")}
    return errors


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
        identity_basis=model.identity_basis,
        identity_scale=model.identity_scale,
        rigidity=model.rigidity,
        mirror=model.mirror,
        triangles=model.triangles,
        blendshapes=np.array(BLENDSHAPES),
        **{f"hole_{name}": model.holes[name] for name in HOLES},
    )


if __name__ == "__main__":
    main()
