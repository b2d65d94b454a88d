"""Who may import whom: read from the source, and tried in a fresh interpreter."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Top-level folders that are installed inside the package; symlinks below rtfilter/ in the tree.
INSIDE = ("bench", "engines", "kernels")
FILES = sorted(
    path
    for folder in ("rtfilter", *INSIDE)
    for path in (ROOT / folder).rglob("*.py")
    if not any(path.is_relative_to(ROOT / "rtfilter" / linked) for linked in INSIDE)
)

LEAVES = {"errors", "system"}
PICTURES = {"frame", "planes", "colour", "media"}
BASE = LEAVES | PICTURES | {"controls"}
STAGES = BASE | {"kernels", "engines", "face", "tracking", "occlusion", "render", "gpu"}
ENDS = {"sources", "sinks"}

# By the longest listed start of a module's name below rtfilter: the rooms, or single modules, that it may
# import. The plan is docs/architecture.md's.
ALLOWED: dict[str, set[str]] = {
    "": {"controls", "errors", "frame", "filter", "system"},
    "errors": set(),
    # Leaves: the machine, not faces.
    "system": LEAVES,
    "controls": {"errors"},
    "presets": {"controls", "errors", "system"},
    "config": {"controls", "errors", "presets", "system"},
    # A picture, and what a decoded one is.
    "colour": LEAVES,
    "planes": LEAVES | {"colour", "kernels.cpu"},
    "media": LEAVES | {"colour", "planes", "media"},
    "frame": LEAVES | {"planes", "media"},
    # Stages. None imports a later one.
    "kernels": LEAVES | {"kernels"},
    "face": {"errors", "controls", "face", "kernels.cpu.solve", "kernels.cpu.fit", "kernels.cpu.edit"},
    "engines": LEAVES | {"engines", "face.model", "kernels.device", "kernels.memory"},
    "engines.expression": LEAVES | {"controls", "engines", "face"},
    "tracking": LEAVES | {"frame", "planes", "engines", "kernels.cpu", "tracking"},
    "occlusion": BASE | {"kernels", "engines", "face", "tracking", "render", "occlusion"},
    "render": BASE | {"kernels", "face", "render"},
    "gpu": STAGES,
    "profiles": BASE | {"kernels", "face", "render", "gpu.lane", "profiles"},
    "cpu": STAGES | {"cpu"},
    "filter": STAGES | {"cpu", "profiles"},
    # Devices and files.
    "sources": BASE | {"sources"},
    "sources.demo": BASE | {"sources", "face", "render"},
    "sources.portrait": BASE | {"sources", "face"},
    "sinks": BASE | {"sinks"},
    # Threads.
    "pipeline": BASE | ENDS | {"pipeline"},
    "cam": STAGES | ENDS | {"pipeline", "filter", "cam"},
    "serve": STAGES | ENDS | {"pipeline", "filter", "profiles", "presets", "config", "serve"},
    "serve.gate": LEAVES | {"controls", "serve.gate"},
    "serve.rtc": LEAVES | PICTURES | {"serve.gate", "serve.rtc"},
    "aiortc": STAGES | {"filter", "serve"},
    "quality": STAGES | ENDS | {"filter", "quality"},
    # All of the product; learn only for MediaPipe's tracker, as a contender.
    "bench": STAGES | ENDS | {"cpu", "filter", "profiles", "pipeline", "serve", "learn", "bench", ""},
    "learn": STAGES | ENDS | {"profiles", "quality", "learn"},
}
# The command line imports all of the product, and nothing of the product imports the command line.
TOP = {"__main__", "cli"}


def module_of(path: Path) -> str:
    """The dotted name below rtfilter; "" for the package itself."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts[1:] if parts[0] == "rtfilter" else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path, top_level_only: bool = False) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every import, inside functions too; `TYPE_CHECKING` ones included."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import; write it in full"
            module = node.module or ""
            for alias in node.names:
                yield node.lineno, f"{module}.{alias.name}" if is_package(module, alias.name) else module


def is_package(module: str, name: str) -> bool:
    """Whether `from module import name` takes a module of ours rather than a name in one."""
    folder = ROOT.joinpath(*module.split("."))
    return module.split(".")[0] == "rtfilter" and (
        (folder / f"{name}.py").is_file() or (folder / name / "__init__.py").is_file()
    )


def rule_of(module: str) -> set[str] | None:
    names = module.split(".")
    above = (".".join(names[:count]) for count in range(len(names), 0, -1))
    return next((ALLOWED[name] for name in above if name in ALLOWED), None)


def test_there_is_something_to_look_at() -> None:
    assert len(FILES) > 20


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_part_imports_only_what_lies_below_it(path: Path) -> None:
    module = module_of(path)
    part = module.partition(".")[0]
    allowed = rule_of(module)
    assert allowed is not None or part in TOP, f"{module}: give it a place in tests/test_layering.py"
    for line, name in imports_of(path):
        head, _, rest = name.partition(".")
        assert head not in INSIDE, f"{path}:{line}: import rtfilter.{head}"
        assert not (part in TOP and rest.startswith("learn")), f"{path}:{line}: the product imports no learn/"
        if head == "rtfilter" and allowed is not None:
            names = rest.split(".")
            reached = {".".join(names[:count]) for count in range(1, len(names) + 1)}
            assert reached & allowed, f"{path}:{line}: {module or 'rtfilter'} must not import rtfilter.{rest}"


@pytest.mark.parametrize(
    ("package", "permitted"),
    [
        (
            "threading",
            {
                "pipeline",
                "cam",
                "serve",
                "sources",
                "system",
                # Streams that share a device, and memory that several threads free.
                "gpu",
                "engines",
                "kernels.memory",
                "bench",
            },
        ),
        ("aiortc", {"serve", "aiortc", "bench"}),
        ("aiohttp", {"serve", "bench"}),
        ("torch", {"learn"}),
        ("pyvirtualcam", {"sinks.virtualcam"}),
        ("cupy", {"kernels", "engines", "gpu", "bench", "system"}),
        ("tensorrt_rtx", {"engines"}),
        ("onnx", {"engines", "bench"}),
        ("onnxruntime", {"engines"}),
        ("tflite", {"engines.onnx.reader"}),
        ("flatbuffers", {"engines.onnx.reader"}),
        # The renderer's second row band, and the tracker's look-around; see docs/decisions.md.
        (
            "concurrent",
            {"render.painting", "tracking.lookout", "system.helper", "gpu.batch_device", "serve", "bench"},
        ),
        # The teacher of what is learned, and a contender of the tracker.
        ("mediapipe", {"learn"}),
        ("numba", {"kernels"}),
        ("skimage", {"learn"}),
        ("librosa", {"learn"}),
        ("soundfile", {"learn"}),
        ("tensorboard", {"learn"}),
        # GPL: for the synthetic corpus, never for the product.
        ("espeakng_loader", {"learn.data.espeak"}),
    ],
)
def test_a_package_is_imported_only_where_it_belongs(package: str, permitted: set[str]) -> None:
    for path in FILES:
        module = module_of(path)
        if {module, module.partition(".")[0]} & permitted:
            continue
        for line, name in imports_of(path):
            assert name.partition(".")[0] != package, f"{path}:{line}: {package} belongs in {permitted}"


def folder_of(path: Path) -> str:
    """The folder of a file, or the file itself where it lies at the root of the package."""
    inside = path.relative_to(ROOT)
    return str(inside) if inside.parent == Path("rtfilter") else str(inside.parent)


def graph_of_files() -> dict[Path, set[Path]]:
    """Who imports whom among our files, inside functions and for type checks too."""
    named = {f"rtfilter.{module_of(path)}".removesuffix("."): path for path in FILES}
    graph: dict[Path, set[Path]] = {path: set() for path in FILES}
    for path in FILES:
        for _, name in imports_of(path):
            target = named.get(name)
            if target is not None and target != path:
                graph[path].add(target)
    return graph


def circles(graph: dict[Any, set[Any]]) -> list[list[Any]]:
    """Groups of nodes that reach each other; what remains when leaves are taken away, from both sides."""
    left = {node: set(targets) for node, targets in graph.items()}
    while True:
        used = set().union(*left.values()) if left else set()
        ends = {node for node, targets in left.items() if not targets or node not in used}
        if not ends:
            return [[node, *targets] for node, targets in left.items()]
        left = {node: targets - ends for node, targets in left.items() if node not in ends}


def test_no_circle_among_files() -> None:
    found = circles(graph_of_files())
    assert not found, "\n".join(" -> ".join(str(path.relative_to(ROOT)) for path in each) for each in found)


def test_no_circle_among_folders() -> None:
    folders: dict[str, set[str]] = {folder_of(path): set() for path in FILES}
    for path, targets in graph_of_files().items():
        folders[folder_of(path)] |= {folder_of(target) for target in targets} - {folder_of(path)}
    found = circles(folders)
    assert not found, "\n".join(f"{each[0]} -> {each[1:]}" for each in found)


@pytest.mark.parametrize(
    ("arrows", "count"), [({1: {2}, 2: {3}, 3: set()}, 0), ({1: {2}, 2: {3}, 3: {2}, 4: {1}}, 2)]
)
def test_circles_are_found(arrows: dict[int, set[int]], count: int) -> None:
    assert len(circles(arrows)) == count


def test_the_root_holds_twelve_files_at_most() -> None:
    found = sorted(path.name for path in FILES if path.parent == ROOT / "rtfilter")
    assert len(found) <= 12, found


def test_the_face_is_pure_arrays() -> None:
    for path in FILES:
        if module_of(path).partition(".")[0] == "face":
            for line, name in imports_of(path):
                head = name.partition(".")[0]
                pure = head in {"numpy", "rtfilter", "__future__"} or head in sys.stdlib_module_names
                assert pure, f"{path}:{line}: face/ imports NumPy and the standard library only, not {name}"
                assert head not in {"threading", "time", "socket", "subprocess", "multiprocessing"}, (
                    f"{path}:{line}: face/ knows no device and no clock"
                )


def loaded_after(statement: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after `statement`."""
    code = f"import sys; {statement}; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


PARSER = "import rtfilter.cli.main; rtfilter.cli.main.build_parser()"


@pytest.mark.parametrize("statement", ["import rtfilter", PARSER])
def test_importing_loads_nothing_heavy(statement: str) -> None:
    heavy = {"torch", "cupy", "tensorrt", "tensorrt_rtx", "mediapipe", "cv2", "av", "numba", "pyvirtualcam",
             "onnx", "onnxruntime", "tflite", "flatbuffers", "skimage", "jax", "scipy",
             "matplotlib"}  # fmt: skip
    loaded = loaded_after(statement)
    assert "rtfilter" in loaded
    assert not loaded & heavy


def test_the_filter_loads_neither_gpu_nor_training_nor_camera() -> None:
    loaded = loaded_after("from rtfilter import FaceFilter")
    assert not loaded & {"torch", "cupy", "tensorrt", "tensorrt_rtx", "pyvirtualcam"}
    assert not {name for name in loaded if name.startswith(("rtfilter.sources.camera", "rtfilter.sinks"))}


def test_the_verb_that_learns_loads_it_when_it_is_called() -> None:
    """By name, which the tests of imports above do not see."""
    for module in ("rtfilter.cli.learn", "rtfilter.cli.main"):
        loaded = loaded_after(f"import {module}")
        assert not {name for name in loaded if name.startswith("rtfilter.learn")}


def test_help_shows_the_filter() -> None:
    code = "import pydoc, rtfilter; print(pydoc.plain(pydoc.render_doc(rtfilter)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 0, done.stderr
    for shown in ("class FaceFilter", "step(self, frame", "class Controls", "class Frame", "from_bgr("):
        assert shown in done.stdout
