"""Which lane is taken, what is said of it, and what is asked for in vain."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from rtfilter.cli.main import main
from rtfilter.config import settings_from_environment, settings_from_file
from rtfilter.controls import Controls
from rtfilter.engines.driver import Gpu, NoGpuError, find_gpus
from rtfilter.errors import GpuError, UsageError
from rtfilter.filter import FaceFilter
from rtfilter.frame import Frame
from rtfilter.gpu.choose import LaneChoice, choose_lane
from tests.faces import ScriptedTracker, builtin, face_px, texture

CARD = Gpu(0, "NVIDIA Test 4090", (8, 9), 24 << 30, (12, 4))


def none_there() -> list[Gpu]:
    raise NoGpuError("no NVIDIA driver: install NVIDIA's driver")


def broken_driver() -> list[Gpu]:
    raise GpuError("NVIDIA's driver does not work: restart the machine")


def only(**changes: object) -> Callable[[], list[Gpu]]:
    values = {name: getattr(CARD, name) for name in Gpu.__slots__}
    return lambda: [Gpu(**{**values, **changes})]


def test_without_a_gpu_auto_is_quietly_the_cpu() -> None:
    choice = choose_lane("auto", gpus=none_there)
    assert choice == LaneChoice("cpu", "no NVIDIA GPU")
    assert choice.line == "lane: cpu (no NVIDIA GPU)"


def test_the_cpu_asked_for_asks_no_driver() -> None:
    def never() -> list[Gpu]:
        raise AssertionError("the driver was asked")

    assert choose_lane("cpu", gpus=never).lane == "cpu"


def test_a_gpu_asked_for_in_vain_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(GpuError, match="cannot be had: no NVIDIA driver: install"):
        choose_lane("cuda", gpus=none_there)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cuda": (11, 8)}, "its driver is too old: it serves CUDA 11.8, needed is 12.0"),
        ({"capability": (6, 1)}, "its compute capability is 6.1, needed is 7.5"),
        ({"memory_bytes": 512 << 20}, "512 MiB of memory free, needed are 768 MiB"),
    ],
)
def test_a_gpu_that_will_not_do_is_named_with_its_reason(changes: dict[str, object], said: str) -> None:
    with pytest.raises(GpuError, match=said) as raised:
        choose_lane("cuda", gpus=only(**changes))
    assert "NVIDIA Test 4090" in str(raised.value)
    assert "\n" not in str(raised.value)
    choice = choose_lane("auto", gpus=only(**changes))
    assert (choice.lane, choice.loud) == ("cpu", True), "its owner is told"
    assert said in choice.line


def test_a_driver_that_does_not_work_is_told_even_under_auto() -> None:
    choice = choose_lane("auto", gpus=broken_driver)
    assert (choice.lane, choice.loud) == ("cpu", True)
    assert "restart the machine" in choice.line


def test_the_cpu_may_be_allowed_in_its_place_and_that_is_said() -> None:
    choice = choose_lane("cuda", fall_back=True, gpus=none_there)
    assert (choice.lane, choice.loud) == ("cpu", True)
    assert "install" in choice.line


@pytest.mark.parametrize("target", ["gpus", "", "cud", "x" * 200])
def test_a_lane_that_does_not_exist_is_refused(target: str) -> None:
    with pytest.raises(UsageError, match=r"unknown lane .*Known: auto, cpu, cuda") as raised:
        choose_lane(target, gpus=none_there)
    assert len(str(raised.value)) < 200


def test_a_driver_that_does_not_load_is_no_gpu() -> None:
    with pytest.raises(GpuError, match=r"driver.*libcuda-of-nobody.*install"):
        find_gpus("libcuda-of-nobody.so.1")


def test_settings_and_environment_name_a_lane(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('lane = "cpu"\n', encoding="utf-8")
    assert settings_from_file(path).values == {"lane": "cpu"}
    assert settings_from_environment({"RTFILTER_LANE": "cuda"}).values == {"lane": "cuda"}


def test_a_filter_with_a_tracker_of_ones_own_is_on_the_cpu(caplog: pytest.LogCaptureFixture) -> None:
    for lane in ("auto", "cpu"):
        one = FaceFilter(lane=lane, tracker=ScriptedTracker([face_px()]), model=builtin(), fade_s=0.0)
        assert (one.lane, one.lane_why) == ("cpu", "a tracker of your own")
        out = one.step(Frame.from_rgb(texture()), Controls({"happy": 1.0}, occlusion=False))
        assert out.frame.changed is not None
        one.close()
    with pytest.raises(UsageError, match="CPU lane"):
        FaceFilter(lane="cuda", tracker=ScriptedTracker([None]), model=builtin())


def test_who_embeds_the_filter_finds_the_choice_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "rtfilter.lane"):
        FaceFilter(lane="cpu").close()
    assert "lane: cpu (as asked for)" in caplog.text


@pytest.mark.parametrize(
    "verb",
    [
        ["run", "-i", "demo", "-o", "null"],
        ["demo", "-o", "null"],
        ["inspect", "FILE"],
        ["bench"],
        ["serve", "--port", "0"],
    ],
)
def test_a_command_whose_gpu_is_missing_ends_before_it_opens_anything(
    verb: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("rtfilter.gpu.choose.find_gpus", none_there)
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"")
    words = [str(clip) if word == "FILE" else word for word in verb]
    assert main([*words, "--lane", "cuda"]) == 1
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert "the CUDA lane cannot be had: no NVIDIA driver" in said.err
    assert said.out == ""


def test_a_command_says_its_lane_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RTFILTER_LANE", "cpu")
    assert (
        main(["run", "-i", "demo", "-o", "null", "--duration", "0.1", "--width", "64", "--height", "64"]) == 0
    )
    assert capsys.readouterr().err.count("lane: cpu (as asked for)") == 1


def test_a_wrong_lane_in_a_command_is_a_usage_mistake(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--lane", "gpus"]) == 2
    monkeypatch.setenv("RTFILTER_LANE", "gpus")
    assert main(["demo", "-o", "null"]) == 2
    assert capsys.readouterr().err.count("unknown lane 'gpus'") == 2


@pytest.mark.parametrize("target", ["gpu", "GPU", "CUDA", " nvidia"])
def test_a_gpu_has_several_names(target: str) -> None:
    with pytest.raises(GpuError, match="the CUDA lane cannot be had"):
        choose_lane(target, gpus=none_there)
    assert choose_lane("CPU").lane == "cpu"
