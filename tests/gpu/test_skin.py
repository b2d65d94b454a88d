"""Skin maps of streams on one device: each its own, in the rows that there are."""

from __future__ import annotations

import numpy as np
import pytest

from rtfilter.bench.gpu_machine import demo_frames
from rtfilter.controls import Controls
from rtfilter.face.skin import SkinMaps
from rtfilter.gpu.batcher import Batcher, _of_few_persons
from rtfilter.gpu.cuda_lane import CudaLane
from rtfilter.gpu.skin_rows import SkinRows
from rtfilter.gpu.work import Work
from rtfilter.kernels.skin import SkinTable
from rtfilter.render.mesh import RingedMesh
from tests.faces import builtin
from tests.gpu.conftest import Both
from tests.host_gpu.device import HostDevice
from tests.host_gpu.on_host import HostRuntime, open_on_host
from tests.kernels.test_gain_kernels import random_maps


def test_each_stream_has_skin_maps_of_its_own(runtime: HostRuntime) -> None:
    """More maps than there is room for, swapped between frames, as in a lane of its own that has them."""
    mesh = RingedMesh(builtin().triangles, builtin().holes)
    batcher = Batcher(HostDevice, runtime, mesh, streams=2)
    lanes = [CudaLane(batcher, builtin(), 0.0) for _ in range(2)]
    frames = demo_frames(320, 240, 6)
    skins = [SkinMaps.none(), *(random_maps(2 + n, 16, n) for n in range(4))]
    alone = [Both(open_on_host(builtin(), 0.0, runtime), 0.0) for _ in lanes]
    painted = []
    for number, frame in enumerate(frames):
        for n, lane in enumerate(lanes):
            skin = skins[(number + 2 * n) % len(skins)]
            lane.use_skin(skin)
            alone[n].cuda.use_skin(skin)
            alone[n].cpu.use_skin(skin)
            ours, _ = alone[n].step(frame, Controls({"happy": 1.0}))
            shared, _ = lane.step(frame, Controls({"happy": 1.0}, occlusion=False))
            assert np.array_equal(shared.rgb, ours.rgb)
        painted.append(ours.rgb)
    assert all(one.farther_than(1) == 0.0 for one in alone)
    assert (painted[-1] != frames[-1].rgb).any()
    for one in alone:
        one.cuda.close()
        one.cpu.close()
    for lane in lanes:
        lane.close()


def test_the_oldest_maps_make_room_but_none_of_the_same_launch() -> None:
    device = HostDevice()
    rows = SkinRows(SkinTable(device, device.stream(), 3))
    a, b, c = (random_maps(2, 8, seed) for seed in range(3))
    assert rows.row_of(None, [None]) == rows.row_of(SkinMaps.none(), [None]) == 0
    assert (rows.row_of(a, [a, b]), rows.row_of(b, [a, b])) == (1, 2)
    assert rows.row_of(a, [a, c]) == 1
    assert rows.row_of(c, [a, c]) == 2, "b was not asked for since"
    assert rows.row_of(b, [b, c]) == 1
    table = rows.table.arrays[0].array  # type: ignore[attr-defined]
    assert table[1]["mixing"][: b.mixing.size] == pytest.approx(b.mixing.ravel())
    assert table[2]["mixing"][: c.mixing.size] == pytest.approx(c.mixing.ravel())
    assert table[0]["map_count"] == 0


def test_a_launch_has_no_more_persons_than_there_are_rows() -> None:
    """The rest waits for the next one, in order; who has no maps, or the same ones, counts for nothing."""
    a, b, c = (random_maps(2, 8, seed) for seed in range(3))
    works = [Work(skin=skin) for skin in (a, None, a, b, a, c, b)]
    assert _of_few_persons(works, 3) == works
    assert _of_few_persons(works, 2) == works[:5]
    assert _of_few_persons(works, 1) == works[:3]
