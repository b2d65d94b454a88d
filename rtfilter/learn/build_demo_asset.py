"""Track the demo portrait once: `python -m rtfilter.learn.build_demo_asset`.

Writes rtfilter/sources/assets/demo_portrait.npz: the 478 landmarks of scikit-image's astronaut portrait
(NASA, public domain), so that the demo source needs no tracker and its truth does not depend on one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rtfilter.frame import Frame
from rtfilter.sources.demo import portrait_rgb
from rtfilter.tracking.mediapipe import MediaPipeTracker

TARGET = Path(__file__).resolve().parents[1] / "sources" / "assets" / "demo_portrait.npz"
REPEATS = 10  # the tracker refines its region over the first pictures


def main() -> None:
    tracker = MediaPipeTracker()
    frame = Frame.from_rgb(portrait_rgb())
    found = [tracker.track(frame) for _ in range(REPEATS)][-1]
    tracker.close()
    if found is None:
        raise SystemExit("no face found in the portrait: is scikit-image's astronaut picture intact?")
    TARGET.parent.mkdir(exist_ok=True)
    np.savez_compressed(TARGET, points_px=found.points_px)
    print(f"{TARGET}: {found.points_px.shape[0]} landmarks")


if __name__ == "__main__":
    main()
