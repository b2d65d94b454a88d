"""What each key of the settings file means, for people: the one place that help, template and test read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from rtfilter.controls import EMOTIONS, INTENSITY_MAX

# By key: an example as TOML, and the meaning with range and default. Tables stand last, as TOML wants it.
KEYS_EXPLAINED: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "preset": ('"friendly"', "a named mix; `rtfilter presets` lists them"),
        "intensity": ("1.0", f"factor on the emotions, 0..{INTENSITY_MAX} (default 1)"),
        "mouth": ("1.0", "1: speech wins everywhere, 0: emotion wins (default 1)"),
        "valence": ("0.3", "-1 unpleasant .. 1 pleasant (default 0)"),
        "arousal": ("0.1", "-1 drowsy .. 1 excited (default 0)"),
        "smoothing": ("0.5", "0 follows at once .. 1 calmest (default 0.5)"),
        "bypass": ("false", "true passes every frame through untouched (default false)"),
        "input": ('"camera:0"', "what to filter: a file, camera:N or demo"),
        "output": ('"virtualcam"', "where it goes: a file, virtualcam or null"),
        "codec": ('"h264"', "of video files that can have it, as --codec (default h264)"),
        "device": ('"/dev/video9"', "the virtual camera (default: the first free one)"),
        "lane": ('"auto"', "cpu, cuda, or auto (default): a GPU where one can be used"),
        "width": ("1280", "pixels to ask a camera or the demo for (default 1280)"),
        "height": ("720", "pixels to ask a camera or the demo for (default 720)"),
        "fps": ("30", "frames a second to ask a camera or the demo for (default 30)"),
        "emotions": ("happy = 0.4", f"how much of each, 0..{INTENSITY_MAX}: {', '.join(EMOTIONS)}"),
        "blendshapes": (
            "mouthSmileLeft = 0.2",
            f"offsets by ARKit's names, -{INTENSITY_MAX}..{INTENSITY_MAX}; a name without a side means both",
        ),
    }
)
TABLES: Final = ("emotions", "blendshapes")


def template() -> str:
    """A settings file in which every key is explained and none is set."""
    head = "# rtfilter's settings: remove the # of a line to use it; options and RTFILTER_... win.\n\n"
    return head + explained(KEYS_EXPLAINED)


def explained(keys: Iterable[str]) -> str:
    """The lines of TOML that explain these keys and set none; tables have to come last."""
    lines = []
    for key in keys:
        example, meaning = KEYS_EXPLAINED[key]
        if key in TABLES:
            lines += ["", f"# [{key}]  # {meaning}", f"# {example}"]
        else:
            lines.append(f"# {key} = {example}  # {meaning}")
    return "\n".join(lines) + "\n"
