"""Who may import whom: read from the source, and tried in a fresh interpreter."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(
    path
    for folder in ("rtfilter", "kernels", "engines")
    for path in (ROOT / folder).rglob("*.py")
    if not path.is_relative_to(ROOT / "rtfilter" / "kernels")
    and not path.is_relative_to(ROOT / "rtfilter" / "engines")
)

FOUNDATION = {"errors", "frame", "controls", "names", "clock", "system"}
TRACKING = {"errors", "system", "frame", "clock", "colour", "planes", "engines", "kernels.crop", "tracking"}
FACE = {"errors", "controls", "clock", "face", "kernels.solve"}
RENDER = {"errors", "frame", "clock", "colour", "planes", "kernels", "face", "render"}
STAGES = FOUNDATION | TRACKING | FACE | RENDER
# Devices, files and threads, which no stage knows.
WORLD = FOUNDATION | {"threads", "colour", "depth", "planes", "v4l2"}
ENDS = WORLD | {"sources", "sinks"}

# By the longest listed start of a module's name below rtfilter: the parts, or single modules, that
# it may import. A stage never imports a later stage.
ALLOWED: dict[str, set[str]] = {
    "": {"controls", "errors", "frame", "filter"},
    "errors": set(),
    # Leaves, which know nothing of faces.
    "system": {"errors", "system"},
    # What its planes are; and, for a picture that somebody decoded, how it is read.
    "frame": {"errors", "planes", "sources.pixels"},
    "names": {"errors", "face.blendshapes"},
    "controls": {"errors", "names"},
    "clock": {"errors"},
    "threads": set(),
    "colour": {"errors", "frame"},
    "depth": {"frame"},
    # Numba is loaded where an edit in RGB is added to planes, and not before.
    "planes": {"colour", "frame", "kernels.add_edit", "kernels.resample"},
    "v4l2": set(),
    "tomlfile": {"errors"},
    "presets": {"controls", "errors", "names", "tomlfile"},
    "config": {"controls", "errors", "names", "presets", "tomlfile"},
    "config_keys": {"controls"},
    "machine": {""},
    "progress": set(),
    "native_logs": set(),
    # The cache keeps what was compiled.
    "kernels": {"errors", "system", "kernels", "engines.cache", "engines.sealed"},
    # Of the kernels only what memory and streams look like, and who may make memory.
    "engines": {"errors", "system", "engines", "face.model", "kernels.device", "kernels.memory"},
    "engines.expression": {"errors", "controls", "engines", "face"},
    "tracking": TRACKING,
    "face": FACE,
    "render": RENDER,
    # What is decided before anything is loaded, and the lanes themselves.
    "lane": STAGES | {"lane"},
    "lane.choose": {"engines", "errors", "system", "face.model", "lane", "tracking.base"},
    "filter": STAGES | {"lane"},
    "sources": WORLD | {"sources"},
    "sources.demo": WORLD | {"sources", "face", "render"},
    "sources.portrait": WORLD | {"sources", "face"},
    # A sink must know what its source is and how a container is opened, and no source itself.
    "sinks": WORLD
    | {
        "sinks",
        "sources.base",
        "sources.container",
        "sources.contents",
        "sources.continuous",
        "sources.filters",
        "sources.side_data",
    },
    "loop": ENDS | {"loop_report"},
    "loop_report": {"clock"},
    "cam_display": ENDS,
    "cam_job": STAGES | ENDS | {"filter", "lane", "loop", "loop_report", "cam_display", "cam_rest"},
    "cam_rest": ENDS,
    "transcode": ENDS,
    # Knows the filter, the loop's parts and the wish; no camera and no command.
    "serve": STAGES | ENDS | {"serve", "presets", "config", "machine", "filter", "lane", ""},
    "aiortc": STAGES | {"filter", "lane", "serve"},
    "measures": {"face"},
    "evaluate": STAGES | ENDS | {"measures"},
    "learn": STAGES | ENDS | {"learn"},
}
# The command line knows all of the product, and nothing of the product knows the command line.
TOP = {"__main__", "cli", "cli_engines", "cli_files", "cli_options", "cli_parser", "cli_serve", "commands"}


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
        assert head not in {"kernels", "engines"}, f"{path}:{line}: import rtfilter.{head}"
        if head == "rtfilter" and allowed is not None:
            reached = {rest, rest.partition(".")[0], ".".join(rest.split(".")[:2])}
            assert reached & allowed, f"{path}:{line}: {module or 'rtfilter'} must not import rtfilter.{rest}"


@pytest.mark.parametrize(
    ("package", "permitted"),
    [
        (
            "threading",
            {
                "loop",
                "cam_display",
                "cam_job",
                "cam_rest",
                "transcode",
                "threads",
                # Waits for the end of the process that started this one.
                "system.tied",
                "sources",
                "sinks",
                "serve",
                "lane.asked",
                "lane.open_cuda",
                "lane.together",
                "render.helper",
                "engines",  # filters are opened from several threads, and share what is loaded
                "kernels.memory",
            },
        ),
        ("aiortc", {"serve", "aiortc"}),
        ("aiohttp", {"serve"}),
        ("torch", {"learn"}),
        ("pyvirtualcam", {"sinks.virtualcam"}),
        ("cupy", {"kernels", "engines", "lane"}),
        ("tensorrt_rtx", {"engines"}),
        ("onnx", {"engines"}),
        ("onnxruntime", {"engines"}),
        ("tflite", {"engines.tflite.reader"}),
        ("flatbuffers", {"engines.tflite.reader"}),
        # The renderer's second row band; see docs/decisions.md.
        ("concurrent", {"render.cpu", "render.helper", "serve"}),
        # learn/ builds the committed assets from tracked footage, with a MediaPipe model as teacher.
        ("mediapipe", {"tracking", "learn"}),
        ("numba", {"kernels"}),
        ("skimage", {"learn"}),
    ],
)
def test_a_package_is_imported_only_where_it_belongs(package: str, permitted: set[str]) -> None:
    for path in FILES:
        module = module_of(path)
        if module in permitted or module.partition(".")[0] in permitted:
            continue
        for line, name in imports_of(path):
            assert name.partition(".")[0] != package, f"{path}:{line}: {package} belongs in {permitted}"


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


@pytest.mark.parametrize("statement", ["import rtfilter", "import rtfilter.cli; rtfilter.cli.build_parser()"])
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


def test_help_shows_the_filter() -> None:
    code = "import pydoc, rtfilter; print(pydoc.plain(pydoc.render_doc(rtfilter)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 0, done.stderr
    for shown in ("class FaceFilter", "step(self, frame", "class Controls", "class Frame", "from_bgr("):
        assert shown in done.stdout
