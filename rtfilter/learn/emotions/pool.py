"""One change from those of several people: empirical Bayes, with anatomy as the prior.

Person i with a feeling shows y_i of a coefficient: the feeling's own mean m, plus what people differ by
(variance tau^2), plus, without a matched sentence, what estimated neutral and teacher get wrong (e^2):

    mean = sum y_i / v_i / sum 1 / v_i      v_i = tau^2 + e_i^2      se^2 = 1 / sum 1 / v_i
    m    = k p + (mean - k p) * r^2 / (r^2 + se^2)      r^2 = (mean - k p)^2 - se^2, within omega^2 * (1, 9)

p: the anatomical prior; k: how much of it speech shows; omega^2: how far emotions usually are from k p. All
of tau, e, k and omega are estimated over all emotions. One person thus moves a coefficient a little, five
move it far, and a change that stands out (the upper lip of happy, not in EMFACS) is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPES, MIRROR
from rtfilter.learn.emotions.change import MATCHED, Change, teacher_gain
from rtfilter.learn.emotions.prior import prior_row
from rtfilter.learn.emotions.solver import MEASURED

F64 = npt.NDArray[np.float64]

MIRRORED: Final = list(MIRROR)
ONE_SIDED: Final = ("contempt",)
# Which side of a one-sided emotion is turned to the subject's right, the prior's.
_ONE_SIDED_BY: Final = ("mouthSmile", "mouthDimple", "mouthUpperUp", "noseSneer", "mouthStretch")
# What lips and jaw do to speak: comparable only where the same sentence is spoken.
ARTICULATORS: Final = tuple(
    name
    for name in BLENDSHAPES
    if name.startswith(("jaw", "mouthClose", "mouthFunnel", "mouthPucker", "mouthRoll", "mouthShrug"))
    or name.startswith(("mouthLowerDown", "mouthPress"))
)
_ARTICULATOR: Final = np.isin(BLENDSHAPES, ARTICULATORS)
LEAST_SPREAD: Final = 0.05
# Mean and spread of two people would give what each of them shows.
LEAST_PEOPLE: Final = 3
OUTLIER: Final = 2.5  # standard deviations from the median at which one person's value is cut
FRAME_SPREAD: Final = 0.2
OUTSTANDING: Final = 3.0  # how many omega a change may be expected to stand out, at most
# The standard deviation of a value that neither landmarks nor teacher see.
UNSEEN: Final = 1.0
# The teacher reads scores from landmarks. What it never sees, however plain on the picture (a wrinkled nose),
# the tracker hardly follows, even where the face model could show it.
SEEN_ALONE: Final = 0.75


@dataclass(frozen=True)
class Model:
    """What all emotions have in common; variances float64 [52].

    between: tau^2. estimated: e^2 without a matched sentence. unseen: added to every person's. scale: k.
    omega: standard deviations, where the prior expects something and where not.
    """

    between: F64
    estimated: F64
    unseen: F64
    scale: float
    omega: tuple[float, float]


@dataclass(frozen=True)
class Pooled:
    """One emotion: mean float64 [52], spread float64 [52] over people, what measurement alone gives.

    spread: that of all emotions where fewer than LEAST_PEOPLE show a coefficient.

    consistency: share of people, float64 [52], whose change has the mean's sign.
    """

    mean: F64
    measured: F64
    spread: F64
    consistency: F64
    people: int
    frames: int


def oriented(change: Change) -> F64:
    """The change during speech [52]: both sides alike, or a one-sided emotion's side on the right."""
    values = change.solved["speech"]
    if change.emotion not in ONE_SIDED:
        return np.asarray(0.5 * (values + values[MIRRORED]))
    return values[MIRRORED] if is_left(values) else values


def is_left(values: F64) -> bool:
    """Whether a change [52] is stronger on the subject's left side of the mouth."""
    names = {f"{name}{side}": sign for name in _ONE_SIDED_BY for side, sign in (("Left", 1), ("Right", -1))}
    weights = np.array([names.get(name, 0) for name in BLENDSHAPES])
    return bool(weights @ values > 0.0)


def learn_model(changes: Sequence[Change], checks: Sequence[Change], seen: F64, sight: F64) -> Model:
    """The common variances and the prior's scale.

    checks: neutral speakers against their estimated neutral. seen, sight: float64 [52], 0..1, how much
    landmarks and teacher see of a coefficient.
    """
    errors = np.array([check.solved["speech"] for check in checks])
    errors = 0.5 * (errors + errors[:, MIRRORED])
    estimated = errors.var(axis=0, ddof=1) + _misread(changes)
    unseen = UNSEEN**2 * (1.0 - SEEN_ALONE * seen) * (1.0 - sight)
    total, degrees = np.zeros(BLENDSHAPE_COUNT), np.zeros(BLENDSHAPE_COUNT)
    for emotion in sorted({change.emotion for change in changes}):
        group = [change for change in changes if change.emotion == emotion]
        values, known = np.array([oriented(c) for c in group]), np.array([_known(c) for c in group])
        noise = np.array([_error_of(c, estimated) for c in group])
        count = known.sum(0)
        mean = (values * known).sum(0) / np.maximum(count, 1)
        squares = ((values - mean) ** 2 * known).sum(0)
        excess = squares - (noise * known).sum(0) * (1 - 1 / np.maximum(count, 1))
        total += np.where(count > 1, excess, 0.0)
        degrees += np.maximum(count - 1, 0)
    between = np.maximum(total / np.maximum(degrees, 1), LEAST_SPREAD**2)
    between = 0.5 * (between + between[MIRRORED])
    first = Model(between, estimated, unseen, 0.5, (0.2, 0.1))
    return _with_prior(first, changes)


def _misread(changes: Sequence[Change]) -> F64:
    """How far the teacher's scores, at their worth, are from what landmarks show, as a variance [52]."""
    matched = [change for change in changes if change.grade == MATCHED]
    gain = teacher_gain(changes)
    off = np.array([change.solved["speech"] - gain * change.scores["speech"] for change in matched])
    off = 0.5 * (off + off[:, MIRRORED])
    return np.asarray((off**2).mean(0))


def _with_prior(model: Model, changes: Sequence[Change]) -> Model:
    """The prior's scale and reach, by moments; a few rounds, since each needs the other."""
    emotions = sorted({change.emotion for change in changes})
    means, errors, priors = [], [], []
    for emotion in emotions:
        mean, error, _ = _weighted([c for c in changes if c.emotion == emotion], model)
        means.append(mean[MEASURED])
        errors.append(error[MEASURED])
        priors.append(prior_row(emotion)[MEASURED])
    mean, error, prior = np.array(means), np.array(errors), np.array(priors)
    there = np.isfinite(error)
    expected = there & (prior > 0)
    scale, omega = model.scale, model.omega
    for _ in range(20):
        weights = 1.0 / (error[expected] + omega[0] ** 2)
        scale = float((weights * prior[expected]) @ mean[expected] / (weights @ prior[expected] ** 2))
        scale = float(np.clip(scale, 0.2, 1.0))
        within = _reach(mean[expected] - scale * prior[expected], error[expected])
        outside = _reach(mean[there & (prior == 0)], error[there & (prior == 0)])
        omega = (within, outside)
    return Model(model.between, model.estimated, model.unseen, scale, omega)


def _reach(off: F64, error: F64) -> float:
    """The standard deviation of true differences, from measured ones and their squared errors."""
    weights = 1.0 / (error + LEAST_SPREAD**2)
    return float(np.sqrt(max(weights @ (off**2 - error) / weights.sum(), LEAST_SPREAD**2)))


def pool(emotion: str, changes: Sequence[Change], model: Model) -> Pooled:
    """The mean change of one emotion."""
    group = [change for change in changes if change.emotion == emotion]
    mean, error, spread = _weighted(group, model)
    prior = model.scale * prior_row(emotion)
    omega = np.where(prior > 0, model.omega[0], model.omega[1]) ** 2
    known = np.where(np.isfinite(error), error, 1.0)
    reach = np.clip((mean - prior) ** 2 - known, omega, OUTSTANDING**2 * omega)
    share = np.where(np.isfinite(error), reach / (reach + known), 0.0)
    values = np.array([oriented(change) for change in group])
    counts = np.array([_known(change) for change in group])
    agree = (np.sign(values) == np.sign(mean)) & counts
    consistency = agree.sum(0) / np.maximum(counts.sum(0), 1)
    pooled = np.where(MEASURED, prior + share * (mean - prior), 0.0)
    frames = sum(change.frames for change in group)
    return Pooled(pooled, np.where(MEASURED, mean, 0.0), spread, consistency, len(group), frames)


def _known(change: Change) -> npt.NDArray[np.bool_]:
    return MEASURED & (~_ARTICULATOR | (change.grade == MATCHED))


def _error_of(change: Change, estimated: F64) -> F64:
    """e^2 of one person, float64 [52]; a few stills are a few moments of what varies by FRAME_SPREAD."""
    if change.grade == MATCHED:
        return np.zeros(BLENDSHAPE_COUNT)
    return np.asarray(estimated + (FRAME_SPREAD**2 / change.frames if change.still else 0.0))


def _weighted(group: Sequence[Change], model: Model) -> tuple[F64, F64, F64]:
    """Mean, its squared error (infinite where nothing is known) and the spread over people, each [52]."""
    values, known = np.array([oriented(c) for c in group]), np.array([_known(c) for c in group])
    own = model.between + model.unseen
    variance = np.array([own + _error_of(c, model.estimated) for c in group])
    middle = np.median(values, axis=0) if len(values) > 2 else values.mean(0)
    values = np.clip(values, middle - OUTLIER * np.sqrt(variance), middle + OUTLIER * np.sqrt(variance))
    weights = known / variance
    total = weights.sum(0)
    mean = (weights * values).sum(0) / np.maximum(total, 1e-12)
    error = np.where(total > 0, 1.0 / np.maximum(total, 1e-12), np.inf)
    spread = np.sqrt((known * (values - mean) ** 2).sum(0) / np.maximum(known.sum(0) - 1, 1))
    return mean, error, np.where(known.sum(0) >= LEAST_PEOPLE, spread, np.sqrt(model.between))


def pooled_all(changes: Sequence[Change], model: Model) -> Mapping[str, Pooled]:
    """Every emotion's mean change."""
    return {e: pool(e, changes, model) for e in dict.fromkeys(change.emotion for change in changes)}
