"""Several streams on one device: each as it would be alone, whichever come, go or fail."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from rtfilter.controls import Controls
from rtfilter.cpu.lane import CpuLane
from rtfilter.engines.driver import Gpu
from rtfilter.engines.prepare.choose import EngineChoice
from rtfilter.errors import GpuError, GpuLostError, UsageError
from rtfilter.face.model import MorphableModel
from rtfilter.frame import Frame
from rtfilter.gpu.batcher import Batcher
from rtfilter.gpu.cuda_lane import CudaLane
from rtfilter.gpu.fallback import FallingBack
from rtfilter.gpu.open import open_cuda
from rtfilter.gpu.work import Work
from rtfilter.render.mesh import RingedMesh
from rtfilter.sources.demo import DemoSource
from tests.faces import ScriptedTracker, builtin, face_px
from tests.fakes.watched_device import Watch
from tests.gpu.conftest import MakeLane
from tests.host_gpu.on_host import HostRuntime

TARGETS = [
    Controls({"happy": 1.0}, smoothing=0.0),
    Controls({"surprised": 1.2, "angry": 0.3}, mouth=0.3),
    Controls({"sad": 1.0}),
    Controls(),
    Controls({"disgusted": 0.7, "happy": 0.2}, smoothing=0.2),
]
MakeBatcher = Callable[..., Batcher]


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def make_batcher(runtime: HostRuntime, watch: Watch) -> Iterator[MakeBatcher]:
    made: list[Batcher] = []

    def make(streams: int = 5) -> Batcher:
        model = builtin()
        mesh = RingedMesh(model.triangles, model.holes)
        made.append(Batcher(watch.open, runtime, mesh, streams))
        return made[-1]

    yield make
    for one in made:
        one.close()
        one.close()
    assert watch.open_devices == 0


def lane_at(one: Batcher, fade_s: float = 0.0) -> CudaLane:
    return CudaLane(one, builtin(), fade_s)


@pytest.fixture(scope="module")
def clips() -> list[list[Frame]]:
    """Five streams of different sizes and moments; one of them shows no face for a while."""
    clips = []
    for number, (width, height) in enumerate([(320, 240), (320, 240), (400, 300), (241, 183), (320, 240)]):
        source = DemoSource(width, height)
        clips.append([source.frame(7 * number + seq) for seq in range(6)])
        source.close()
    blank = np.full((240, 320, 3), 80, np.uint8)
    clips[4][2:4] = [Frame.from_rgb(blank, pts=frame.pts_ns, seq=frame.seq) for frame in clips[4][2:4]]
    return clips


def in_threads(work: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=one) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120.0)
        assert not thread.is_alive()


@pytest.mark.parametrize("most", [64, 2])
def test_each_stream_is_as_it_would_be_alone(
    on_host: MakeLane,
    make_batcher: MakeBatcher,
    clips: list[list[Frame]],
    most: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever the others do, and whichever batch a frame is in. Products of other sizes round otherwise;
    measured: one grey level of one pixel in two of 60 frames, where a fraction was near a half."""
    alone = []
    for clip, controls in zip(clips, TARGETS, strict=True):
        lane = on_host(0.1)
        alone.append([lane.step(frame, controls)[0] for frame in clip])
    monkeypatch.setattr("rtfilter.gpu.batch_device.FRAMES_MAX", most)
    one = make_batcher()
    got: list[list[Frame]] = [[] for _ in clips]

    def stream(number: int) -> None:
        lane = lane_at(one, 0.1)
        for frame in clips[number]:
            got[number].append(lane.step(frame, TARGETS[number])[0])
        lane.close()

    in_threads([lambda n=number: stream(n) for number in range(len(clips))])
    for number, (expected, frames) in enumerate(zip(alone, got, strict=True)):
        assert len(frames) == len(expected)
        for ours, theirs in zip(frames, expected, strict=True):
            assert ours.changed == theirs.changed
            apart = np.abs(ours.rgb.astype(np.int16) - theirs.rgb.astype(np.int16))
            assert apart.max() <= 1
            assert np.count_nonzero(apart) <= 5
        assert any(frame.changed for frame in frames) == (number != 3), "the one without an edit is untouched"


def test_frames_that_wait_are_launched_at_once(
    make_batcher: MakeBatcher, watch: Watch, clips: list[list[Frame]]
) -> None:
    """Five streams, and no more launches than a quarter of their frames would need alone, once warm."""
    one = make_batcher()
    lanes = [lane_at(one) for _ in clips]
    same = clips[0]
    barrier = threading.Barrier(len(lanes))

    def stream(lane: CudaLane) -> None:
        for frame in same:
            barrier.wait(60.0)
            lane.step(frame, TARGETS[0])

    in_threads([lambda lane=lane: stream(lane) for lane in lanes])
    watch.forget()
    in_threads([lambda lane=lane: stream(lane) for lane in lanes])
    launches = watch.events.count("graph") + watch.events.count("launch crop")
    assert launches <= 3 * len(same), "at most three batches for five frames that come at once"
    for lane in lanes:
        lane.close()


def test_a_stream_alone_launches_from_its_own_thread(
    make_batcher: MakeBatcher, watch: Watch, clips: list[list[Frame]]
) -> None:
    one = make_batcher()
    lane = lane_at(one)
    for frame in clips[0]:
        lane.step(frame, TARGETS[0])
    watch.forget()
    threads: set[threading.Thread] = set()
    watch.before = lambda event: threads.add(threading.current_thread())
    lane.step(Frame.from_rgb(clips[0][0].rgb, pts=10**9), TARGETS[0])
    assert watch.events == ["graph", "wait"]
    assert threads == {threading.current_thread()}
    lane.close()


def test_streams_that_find_the_device_busy_join_the_next_launch(
    make_batcher: MakeBatcher, watch: Watch, clips: list[list[Frame]]
) -> None:
    """The first is under way; two frames and a detection wait, and are one launch."""
    one = make_batcher()
    lanes = [lane_at(one) for _ in range(3)]
    for seq in range(3):
        for lane in lanes:
            lane.step(clips[0][seq], TARGETS[0])
    waiting, go_on = threading.Event(), threading.Event()

    def hold(event: str) -> None:
        if event == "wait" and not waiting.is_set():
            waiting.set()
            go_on.wait(60.0)

    watch.before = hold
    work = Work(look=clips[0][3].rgb)
    later = [lambda lane=lane: lane.step(clips[0][3], TARGETS[0]) for lane in lanes[1:]]
    first, *others = [
        threading.Thread(target=action)
        for action in (lambda: lanes[0].step(clips[0][3], TARGETS[0]), *later, lambda: one.run(work))
    ]
    first.start()
    assert waiting.wait(60.0)
    for thread in others:
        thread.start()
    while len(one._pending) < 3:
        time.sleep(0.01)
    watch.forget()
    go_on.set()
    for thread in (first, *others):
        thread.join(60.0)
        assert not thread.is_alive()
    assert watch.events.count("wait") == 1
    assert one.device.launched is not None
    assert one.device.launched[0].batch == 2
    assert len(work.found) == 1
    for lane in lanes:
        lane.close()


@pytest.mark.parametrize("event", ["graph", "wait"])
def test_an_interrupted_frame_leaves_the_device_to_the_next(
    make_batcher: MakeBatcher, watch: Watch, clips: list[list[Frame]], event: str
) -> None:
    """As by Ctrl-C: whichever stream comes next goes on, as does the one that was interrupted."""
    one, plain = make_batcher(), make_batcher()
    lane, other, expected = lane_at(one), lane_at(one), lane_at(plain)
    for frame in clips[0][:3]:
        for each in (lane, other, expected):
            each.step(frame, TARGETS[0])

    def interrupt(happens: str) -> None:
        if happens == event:
            watch.before = None
            raise KeyboardInterrupt

    watch.before = interrupt
    with pytest.raises(KeyboardInterrupt):
        lane.step(clips[0][3], TARGETS[0])
    want = expected.step(clips[0][3], TARGETS[0]).frame
    for each in (other, lane):
        assert np.array_equal(each.step(clips[0][3], TARGETS[0]).frame.rgb, want.rgb)
    for each in (lane, other, expected):
        each.close()


@pytest.mark.parametrize("function", ["_launch", "_try", "_read", "_end", "_wait", "_free"])
def test_an_interruption_anywhere_leaves_the_device_free(
    make_batcher: MakeBatcher, clips: list[list[Frame]], function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing waits for a launch that is under way; it waited for ever for one that was interrupted."""
    one = make_batcher()
    lane, other = lane_at(one), lane_at(one)
    for each in (lane, other):
        each.step(clips[0][0], TARGETS[0])
    inner = getattr(one, function)

    def interrupted(*arguments: object) -> None:
        monkeypatch.setattr(one, function, inner)
        raise KeyboardInterrupt

    monkeypatch.setattr(one, function, interrupted)
    with pytest.raises(KeyboardInterrupt):
        lane.step(clips[0][1], TARGETS[0])
    assert other.step(clips[0][1], TARGETS[0]).frame.changed is not None
    closing = threading.Thread(target=lambda: [each.close() for each in (lane, other)], daemon=True)
    closing.start()
    closing.join(20)
    assert not closing.is_alive()


def test_a_place_is_given_to_the_next_stream_without_the_last_ones_state(
    make_batcher: MakeBatcher, clips: list[list[Frame]]
) -> None:
    one = make_batcher(streams=2)
    first, other = lane_at(one), lane_at(one)
    with pytest.raises(UsageError, match="its 2"):
        lane_at(one)
    expected = [first.step(frame, TARGETS[1])[0].rgb for frame in clips[0][:4]]
    first.close()
    first.close()
    again = lane_at(one)
    assert all(
        np.array_equal(again.step(frame, TARGETS[1])[0].rgb, like)
        for frame, like in zip(clips[0], expected, strict=False)
    )
    again.close()
    other.close()


def test_a_failure_is_every_streams_and_the_cpu_lane_takes_over_where_allowed(
    make_batcher: MakeBatcher, watch: Watch, clips: list[list[Frame]]
) -> None:
    one = make_batcher()
    messages: list[str] = []

    def on_cpu(why: str) -> CpuLane:
        return CpuLane(ScriptedTracker([face_px()]), builtin(), 0.0, why)

    allowed = FallingBack(lane_at(one), on_cpu, messages.append)
    strict = lane_at(one)
    for lane in (allowed, strict):
        lane.step(clips[0][0], TARGETS[0])

    def lost(event: str) -> None:
        if event in ("graph", "launch crop"):
            raise GpuLostError("the GPU failed: it fell off the bus")

    watch.before = lost
    with pytest.raises(GpuLostError, match="fell off the bus"):
        strict.step(clips[0][1], TARGETS[0])
    out, _ = allowed.step(clips[0][1], TARGETS[0])
    assert out.changed is not None
    assert allowed.name == "cpu"
    assert len(messages) == 1
    with pytest.raises(GpuError):
        lane_at(one).step(clips[0][1], TARGETS[0])
    allowed.close()
    strict.close()


def test_lanes_of_one_process_share_a_device_until_the_last_leaves(
    make_batcher: MakeBatcher, clips: list[list[Frame]], monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = Gpu(0, "NVIDIA Test 4090", (8, 9), 24 << 30, (12, 4))
    choice = EngineChoice(gpu, None, "sm89", "a test")
    opened: list[Batcher] = []

    def open_batcher(*_: object) -> Batcher:
        opened.append(make_batcher(streams=2))
        return opened[-1]

    monkeypatch.setattr("rtfilter.gpu.open._open_batcher", open_batcher)

    def lane(model: MorphableModel = builtin()) -> CudaLane:  # noqa: B008
        return open_cuda(choice, model, 0.0, lambda line: None, 2)

    one, other = lane(), lane()
    assert len(opened) == 1
    with pytest.raises(UsageError):
        lane()
    one.close()
    one.close()
    other.step(clips[0][0], TARGETS[0])
    third = lane()
    other.close()
    third.step(clips[0][0], TARGETS[0])
    assert len(opened) == 1
    third.close()
    with pytest.raises(GpuError, match="closed"):
        opened[0].run(Work(look=clips[0][0].rgb))
    last = lane()
    assert len(opened) == 2
    opened[1].failed = GpuLostError("gone")
    after = lane()
    assert len(opened) == 3, "a device that failed is not handed out again"
    last.close()
    other_face = lane(replace(builtin(), mean_iod=builtin().mean_iod * 1.01))
    assert len(opened) == 4, "a network holds its face model"
    after.close()
    other_face.close()


def test_closing_with_frames_under_way_leaves_no_thread_waiting(
    make_batcher: MakeBatcher, clips: list[list[Frame]]
) -> None:
    one = make_batcher()
    ended: list[BaseException | None] = []

    def stream() -> None:
        lane = lane_at(one)
        try:
            for seq in range(1000):
                lane.step(Frame.from_rgb(clips[0][0].rgb, pts=seq * 33_000_000, seq=seq), TARGETS[0])
            ended.append(None)
        except GpuError as error:
            ended.append(error)

    threads = [threading.Thread(target=stream) for _ in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    one.close()
    for thread in threads:
        thread.join(30.0)
        assert not thread.is_alive()
    assert [str(error) for error in ended] == ["this device was closed: open the filter anew"] * 2
