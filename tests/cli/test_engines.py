"""`rtfilter engines`, as it is typed; all of it without a GPU."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rtfilter.cli.main import main
from rtfilter.engines.driver import Gpu
from rtfilter.engines.prepare.files import NETWORKS, prepare
from rtfilter.engines.trt.flavour import Flavour
from rtfilter.system.installation import install_extra
from tests.engines.test_flavour import NO_TENSORRT

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the networks and no plans."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RTFILTER_CACHE", str(folder))
        prepare()
    return folder / "networks"


@pytest.fixture
def cache(networks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, which begins like that."""
    shutil.copytree(networks, tmp_path / "cache" / "networks")
    monkeypatch.setenv("RTFILTER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def rtx() -> Flavour:
    pytest.importorskip("tensorrt_rtx", reason="needs TensorRT for RTX: pip install tensorrt-rtx-cu12")
    from rtfilter.engines.trt.flavour import find_flavour

    return find_flavour()


def test_a_wheel_that_is_not_there_is_said(cache: Path, capsys: Capture) -> None:
    assert main(["engines", "prepare", "--wheel", str(cache / "no.whl")]) == 1
    assert "no.whl: no such file; expected the wheel of mediapipe==0.10.21" in capsys.readouterr().err


def plans(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / "plans").glob("*.plan"))


def test_prepare_makes_every_network_and_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("RTFILTER_CACHE", str(tmp_path))
    assert main(["engines", "prepare"]) == 0
    out, err = capsys.readouterr()
    lines = {line.split()[0]: line for line in out.splitlines()}
    for spec in NETWORKS:
        path = Path(lines[spec.name].split()[-1])
        assert path.is_relative_to(tmp_path)
        assert path.stat().st_size > 100_000
        assert f"making {path.name}" in err
    assert "no plans for a GPU: there is no NVIDIA" in out
    assert main(["engines", "prepare", "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_build_list_clear(cache: Path, rtx: Flavour, capsys: Capture) -> None:
    line = ["engines", "build", "--target", "sm89", "--target", "sm120", "--network", "face_detector"]
    assert main([*line, "--batch", "1", "--batch", "2"]) == 0
    out, err = capsys.readouterr()
    assert out.count("built in") == 4
    assert err.count("building face_detector (fp16") == 4
    assert len(plans(cache)) == 4
    assert main([*line, "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert (out.count("was there"), out.count("built in"), err) == (2, 0, "")

    assert main(["engines", "list"]) == 0
    assert capsys.readouterr().out.count("tensorrt_rtx") == 4
    assert main(["engines", "list", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["cache"] == str(cache)
    found = {(plan["key"]["target"], plan["key"]["batch"]) for plan in document["plans"]}
    assert found == {("sm89", 1), ("sm89", 2), ("sm120", 1), ("sm120", 2)}
    for plan in document["plans"]:
        assert plan["problem"] is None
        assert plan["bytes"] == Path(plan["path"]).stat().st_size

    assert main(["engines", "clear"]) == 0
    assert "removed 4 files" in capsys.readouterr().out
    assert plans(cache) == []
    assert (cache / "networks").is_dir()
    assert main(["engines"]) == 0
    assert "no plans in" in capsys.readouterr().out


def test_all_networks_by_default_each_in_what_it_may_have(cache: Path, rtx: Flavour, capsys: Capture) -> None:
    assert main(["engines", "build", "--target", "sm86"]) == 0
    names = "\n".join(plans(cache))
    assert all(part in names for part in ("face_detector-fp16", "face_mesh-fp16", "expression-fp32"))
    assert main(["engines", "build", "--target", "sm86", "--precision", "fp16"]) == 0
    assert "fp32 for expression, which must not have fp16" in capsys.readouterr().out
    assert len(plans(cache)) == 3
    assert main(["engines", "build", "--target", "sm86", "--precision", "fp32"]) == 0
    assert len(plans(cache)) == 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["build"], "for which GPU? expected --target and one of sm75"),
        (["build", "--target", "sm98"], "unknown target 'sm98': did you mean 'sm89'"),
        (["build", "--target", "sm89", "--network", "face_mash"], "did you mean 'face_mesh'"),
        (["build", "--target", "sm89", "--precision", "fp8"], "unknown precision 'fp8'"),
        (["build", "--target", "sm89", "--network", "expression", "--precision", "fp16"], "--precision fp32"),
        (["build", "--target", "sm89", "--batch", "0"], "above 0"),
        (["build", "--target", "sm89", "--batch", "999"], "expected 1..256, got 999"),
        (["list", "--target", "sm89"], "takes no --target"),
        (["list", "--wheel", "x.whl"], "takes no --wheel; did you mean: rtfilter engines prepare"),
        (["lost"], "did you mean 'list'"),
    ],
)
def test_a_mistake_is_one_line_and_builds_nothing(
    words: list[str], said: str, cache: Path, rtx: Flavour, capsys: Capture
) -> None:
    assert main(["engines", *words]) == 2
    err = capsys.readouterr().err.splitlines()
    assert said in err[-1]
    assert all(line.startswith("rtfilter: ") for line in err)
    assert plans(cache) == []


def test_the_gpu_that_is_there_is_the_default_target(
    cache: Path, rtx: Flavour, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    here = Gpu(0, "NVIDIA GeForce RTX 3060", (8, 6), 12 << 30, (13, 0))
    monkeypatch.setattr("rtfilter.cli.engines.find_gpus", lambda: [here])
    assert main(["engines", "build", "--network", "face_detector"]) == 0
    assert [name.split("-")[3] for name in plans(cache)] == ["sm86"]
    assert main(["engines", "prepare"]) == 0
    assert len(plans(cache)) == 3
    assert "runs the networks on NVIDIA GeForce RTX 3060" in capsys.readouterr().out


def test_a_network_that_was_cut_short_is_made_again(cache: Path, rtx: Flavour, capsys: Capture) -> None:
    path = next((cache / "networks").glob("face_detector*.network"))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert main(["engines", "build", "--target", "sm89", "--network", "face_detector"]) == 0
    assert path.read_bytes() == whole


def test_a_damaged_plan_is_listed_and_built_anew(cache: Path, rtx: Flavour, capsys: Capture) -> None:
    line = ["engines", "build", "--target", "sm89", "--network", "face_detector"]
    assert main(line) == 0
    (path,) = (cache / "plans").glob("*.plan")
    whole = path.read_bytes()
    path.write_bytes(b"torn")
    capsys.readouterr()
    assert main(["engines", "list"]) == 0
    assert "it was not written by this rtfilter; it will be built anew" in capsys.readouterr().out
    assert main(line) == 0
    assert "built in" in capsys.readouterr().out
    assert len(path.read_bytes()) == len(whole)


def test_a_cache_that_cannot_be_used_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RTFILTER_CACHE", str(tmp_path / "file"))
    for words in (["list"], ["clear"], ["prepare"]):
        assert main(["engines", *words]) == 1
        err = capsys.readouterr().err.splitlines()[-1]
        assert str(tmp_path / "file") in err
        assert "RTFILTER_CACHE" in err


def test_without_tensorrt_the_command_that_installs_it_is_named(cache: Path, root: Path) -> None:
    code = NO_TENSORRT + "from rtfilter.cli.main import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, "engines", "build", "--target", "sm89"],
        capture_output=True,
        text=True,
        cwd=root,
        env={**os.environ, "RTFILTER_CACHE": str(cache)},
        timeout=120,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.strip().endswith(install_extra("gpu"))
    assert "TensorRT is not installed" in done.stderr
