"""Warming up the CPU renderer: no kernel is left to compile for the first frame."""

from __future__ import annotations

import subprocess
import sys

# In a process of its own: in this one, other tests have compiled.
_COUNTED = """
import pkgutil
from importlib import import_module

import numpy as np

import rtfilter.kernels.cpu as kernels
from rtfilter.controls import Controls
from rtfilter.face.deform import Displacement
from rtfilter.face.emotion import Target
from rtfilter.face.model import MorphableModel
from rtfilter.face.skin import SkinMaps
from rtfilter.frame import Frame
from rtfilter.colour import YuvSpec, rgb_to_yuv
from rtfilter.planes import Planes
from rtfilter.render.cpu import CpuRenderer
from rtfilter.render.mesh import RingedMesh
from rtfilter.sources.demo import DemoSource


def compiled():
    names = [one.name for one in pkgutil.iter_modules(kernels.__path__)]
    modules = [import_module(f"{kernels.__name__}.{name}") for name in names]
    return {
        (module.__name__, name, str(signature))
        for module in modules
        for name, kernel in vars(module).items()
        for signature in getattr(kernel, "signatures", ())
    }


model, skin = MorphableModel.builtin(), SkinMaps.builtin()
source = DemoSource(zoom=2.2)
picture, truth = source.frame(0).rgb, source.truth(0)
renderer = CpuRenderer(RingedMesh(model.triangles, model.holes), skin)
wanted = (Controls({emotion: 1.0}) for emotion in ("surprised", "happy"))
offsets = [Target.of_controls(each).offset(truth.expression) for each in wanted]
renderer.warm_up()
warm = compiled()
for offset in offsets:
    moved = truth.pose.project_vectors(model.edited_iod(offset)).astype(np.float32)
    light = np.full(len(moved), 0.1, np.float32)
    for gains in ((), (skin.weights(truth.expression, offset), light)):
        face = Displacement(truth.points_px, moved, truth.pose.scale_px_per_iod, *gains)
        spec = YuvSpec("bt709", full_range=False)
        planes = Planes(*rgb_to_yuv(picture, spec, 1, 1), (1, 1), spec)
        assert renderer.render(Frame(picture), face).changed
        assert renderer.render(Frame(planes), face).changed
renderer.close()
print(*sorted(map(str, compiled() - warm)), sep="\\n")
"""


def test_no_kernel_is_compiled_by_the_frames_after() -> None:
    done = subprocess.run([sys.executable, "-c", _COUNTED], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
