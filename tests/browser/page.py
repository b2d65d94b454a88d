"""The control panel in a browser, through scripts alone, so that it is the same for every browser."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from rtfilter.sources.demo import DemoSource

T = TypeVar("T")
F32 = npt.NDArray[np.float32]

PATIENCE_S = 30.0
# Pictures are compared at this size.
WIDTH, HEIGHT = 320, 180

_LUMA = """
const picture = document.getElementById(arguments[0]);
const canvas = document.createElement("canvas");
[canvas.width, canvas.height] = [arguments[1], arguments[2]];
const context = canvas.getContext("2d", {willReadFrequently: true});
context.drawImage(picture, 0, 0, canvas.width, canvas.height);
const rgba = context.getImageData(0, 0, canvas.width, canvas.height).data;
const luma = [];
for (let i = 0; i < rgba.length; i += 4)
  luma.push(Math.round(0.299 * rgba[i] + 0.587 * rgba[i + 1] + 0.114 * rgba[i + 2]));
return luma;
"""

# Both in one go, so that no picture comes between them.
_APART = """
const [first, second] = ["before", "after"].map((id) => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [arguments[0], arguments[1]];
  const context = canvas.getContext("2d", {willReadFrequently: true});
  context.drawImage(document.getElementById(id), 0, 0, canvas.width, canvas.height);
  return context.getImageData(0, 0, canvas.width, canvas.height).data;
});
return first.reduce((sum, value, i) => sum + Math.abs(value - second[i]), 0) / first.length;
"""


class Server(Protocol):
    """Where the panel is."""

    @property
    def link(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def token(self) -> str: ...


class Browser(Protocol):
    def get(self, url: str) -> None: ...

    def execute_script(self, script: str, *arguments: object) -> Any: ...


@dataclass(frozen=True)
class Difference:
    """Mean absolute difference of two pictures in grey levels, by region."""

    mouth: float
    brows: float
    corner: float


class Panel:
    """One page. What it waits for has PATIENCE_S, and an AssertionError has what it saw instead."""

    def __init__(self, browser: Browser, server: Server) -> None:
        self.browser = browser
        self.server = server

    def open(self) -> None:
        """As the link does, in a tab that remembers nothing."""
        self.browser.get(f"{self.server.address}/healthz")
        self.run("sessionStorage.clear(); localStorage.clear();")
        self.browser.get(self.server.link)
        self.wait(
            lambda: self.run("return !document.getElementById('card-action').disabled"), "a start button"
        )

    def start(self) -> None:
        """Press the button, and wait for a picture with the face found."""
        self.click("card-action")
        self.wait_phase("live")
        self.wait(lambda: self.run("return document.getElementById('before').width > 16"), "a picture")
        self.run("for (const fold of document.querySelectorAll('details')) fold.open = true")

    def show(self, view: str) -> None:
        """Choose a view: sides, split or filtered."""
        self.run(f"document.querySelector('[data-view={view}]').click()")

    def start_as_you_are(self) -> None:
        """Start, and take back the edit that it begins with."""
        self.start()
        self.wait(lambda: self.values["emotions-happy"] != "0", "the edit of the beginning")
        self.click("reset")
        self.wait(lambda: self.session()["controls"]["emotions"] == {}, "no edit")

    def begin(self) -> None:
        self.open()
        self.start()

    def run(self, script: str, *arguments: object) -> Any:
        return self.browser.execute_script(script, *arguments)

    def click(self, element_id: str) -> None:
        self.run("document.getElementById(arguments[0]).click()", element_id)

    def text(self, element_id: str) -> str:
        """What can be read there; "" when it is hidden."""
        script = "const e = document.getElementById(arguments[0]); return e.hidden ? '' : e.innerText"
        return " ".join(str(self.run(script, element_id)).split())

    @property
    def phase(self) -> str:
        return str(self.run("return document.body.dataset.phase ?? 'start'"))

    @property
    def values(self) -> dict[str, str]:
        """What every slider shows, by id."""
        script = (
            "const inputs = [...document.querySelectorAll('.slider input')];"
            "return Object.fromEntries(inputs.map(i => [i.id, i.value]))"
        )
        return dict(self.run(script))

    def slide(self, slider_id: str, value: float) -> None:
        """Move a slider, as a finger does."""
        script = (
            "const i = document.getElementById(arguments[0]); i.value = arguments[1];"
            "i.dispatchEvent(new Event('input', {bubbles: true}));"
        )
        self.run(script, slider_id, str(value))

    def wait(self, seen: Callable[[], T], what: str, patience_s: float = PATIENCE_S) -> T:
        """The first thing that `seen` gives that is true."""
        deadline = time.monotonic() + patience_s
        while not (found := seen()):
            if time.monotonic() > deadline:
                state = {
                    key: self.text(key) for key in ("pill", "card-title", "card-text", "notice", "counts")
                }
                raise AssertionError(f"no {what} within {patience_s:g} s; phase {self.phase}, shown: {state}")
            time.sleep(0.1)
        return found

    def wait_phase(self, phase: str, patience_s: float = PATIENCE_S) -> None:
        self.wait(lambda: self.phase == phase, f"phase {phase}", patience_s)

    def asks_to_stay(self) -> bool:
        """Whether the page wants a confirmation before it is left."""
        script = "return !window.dispatchEvent(new Event('beforeunload', {cancelable: true}))"
        return bool(self.run(script))

    def luma(self, element_id: str) -> F32:
        """What an element shows now, float32 [HEIGHT, WIDTH], 0..255; not mirrored."""
        values = self.run(_LUMA, element_id, WIDTH, HEIGHT)
        return np.array(values, np.float32).reshape(HEIGHT, WIDTH)

    def difference(self) -> Difference:
        """Between the original and the filtered picture, as the page has them now."""
        return compare(self.luma("before"), self.luma("after"))

    def apart(self) -> float:
        """Mean absolute difference of both pictures at the same moment, in grey levels."""
        return float(self.run(_APART, WIDTH, HEIGHT))

    def wait_difference(self, fits: Callable[[Difference], bool], what: str) -> Difference:
        """The first difference that fits: an edit fades in, and its picture has a way to go."""
        last = self.difference()

        def seen() -> bool:
            nonlocal last
            last = self.difference()
            return fits(last)

        try:
            self.wait(seen, what)
        except AssertionError as error:
            raise AssertionError(f"{error}; last difference {last}") from error
        return last

    def api(self, method: str, path: str, body: object = None) -> Any:
        """What a script gets from the server."""
        request = urllib.request.Request(
            self.server.address + path,
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self.server.token}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def mix(self) -> dict[str, float]:
        """Amounts by emotion at the server, without those of 0."""
        emotions = self.session()["controls"]["emotions"]
        return {name: float(amount) for name, amount in emotions.items() if amount}

    def session(self) -> dict[str, Any]:
        """This page's session, the newest."""
        sessions = self.api("GET", "/api/sessions")["sessions"]
        return dict(min(sessions, key=lambda session: float(session["age_s"])))


def compare(first: F32, second: F32) -> Difference:
    """Two pictures of the demo's first frame, by region of its face."""
    change = np.abs(first - second)
    mouth, brows = _regions()
    return Difference(
        mouth=float(change[mouth].mean()),
        brows=float(change[brows].mean()),
        corner=float(change[: HEIGHT // 4, : WIDTH // 5].mean()),
    )


def _regions() -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Boxes around mouth and brows in the demo's first frame."""
    source = DemoSource(WIDTH, HEIGHT)
    try:
        points = source.truth(0).points_px
    finally:
        source.close()
    mouth = _box(points[[61, 291, 0, 17]], 4)
    brows = _box(points[[70, 105, 107, 336, 334, 300, 159, 386]], 3)
    return mouth, brows


def _box(points: npt.NDArray[np.float32], margin_px: int) -> tuple[slice, slice]:
    x0, y0 = np.floor(points[:, :2].min(0)).astype(int) - margin_px
    x1, y1 = np.ceil(points[:, :2].max(0)).astype(int) + margin_px
    return slice(int(y0), int(y1)), slice(int(x0), int(x1))
