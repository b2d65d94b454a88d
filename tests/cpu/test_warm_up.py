"""Warming up the CPU lane: the first face waits for no kernel of fit and edit."""

from __future__ import annotations

import subprocess
import sys

# In a process of its own: in this one, other tests have compiled.
_COUNTED = """
import rtfilter.kernels.cpu.edit as edit, rtfilter.kernels.cpu.fit as fit, rtfilter.kernels.cpu.solve as solve
from rtfilter.controls import Controls
from rtfilter.filter import FaceFilter
from rtfilter.sources.demo import DemoSource


def compiled():
    return {
        (name, str(signature))
        for module in (edit, fit, solve)
        for name, kernel in vars(module).items()
        for signature in getattr(kernel, "signatures", ())
    }


face_filter = FaceFilter(lane="cpu")
warm = compiled()
source = DemoSource(640, 360)
for number in range(4):
    report = face_filter.step(source.frame(number), Controls({"surprised": 1.0})).report
assert report.state is not None
face_filter.close()
assert len(warm) > 8
print(*sorted(map(str, compiled() - warm)), sep="\\n")
"""


def test_no_kernel_is_compiled_by_the_frames_after() -> None:
    done = subprocess.run([sys.executable, "-c", _COUNTED], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
