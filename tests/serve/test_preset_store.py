"""Presets that clients save: written as files, offered at once, and refused where they would take a name."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from rtfilter.errors import UsageError
from rtfilter.presets import BUILT_IN, Preset, load_presets
from rtfilter.serve.app.pipeline import face_box
from rtfilter.serve.app.preset_store import MOST_SAVED, PresetStore
from rtfilter.serve.app.server import make_app
from rtfilter.serve.gate.options import ServeOptions
from rtfilter.serve.gate.refusals import RefusedError
from rtfilter.system.tomlfile import write_toml
from rtfilter.tracking.base import Landmarks
from tests.fakes.serving import TOKEN, painting_pool

MOOD = {"emotions": {"happy": 0.3, "surprised": 0.1}, "mouth": 0.8}


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 60))


class Client:
    """Requests with the token against an application of its own."""

    def __init__(self, folder: Path | None) -> None:
        self.app: web.Application = make_app(
            ServeOptions(port=0, token=TOKEN), presets_folder=folder, pool=painting_pool()
        )
        self.http: TestClient[web.Request, web.Application]

    async def __aenter__(self) -> Client:
        server = TestServer(self.app, host="127.0.0.1")
        self.http = TestClient(server, headers={"Authorization": f"Bearer {TOKEN}"})
        await self.http.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.close()

    async def put(self, name: str, body: object) -> tuple[int, Any]:
        answer: aiohttp.ClientResponse = await self.http.put(f"/api/presets/{name}", json=body)
        return answer.status, await answer.json()

    async def info(self) -> Any:
        return await (await self.http.get("/api/info")).json()


def test_a_saved_preset_is_a_file_and_is_offered_at_once(tmp_path: Path) -> None:
    async def test() -> None:
        async with Client(tmp_path) as client:
            assert (await client.info())["presets_can_be_saved"] is True
            status, saved = await client.put("my-mood", {"values": MOOD, "description": "of a test"})
            assert (status, saved["values"], saved["saved"]) == (201, MOOD, True)
            assert (await client.info())["presets"][-1] == saved
            again = await client.put("my-mood", {"values": {"emotions": {"sad": 0.2}}})
            assert again[0] == 409
            assert "choose another name" in again[1]["error"]
            replaced = {"values": {"emotions": {"sad": 0.2}}, "overwrite": True}
            status, kept = await client.put("my-mood", replaced)
            assert (status, kept["description"]) == (200, "of a test")
            (tmp_path / "of-another-program.toml").write_text("mouth = 0.5\n", encoding="utf-8")
            assert (await client.put("of-another-program", {"values": MOOD}))[0] == 409

    run(test())
    read = load_presets(tmp_path)["my-mood"]
    assert dict(read.values) == {"emotions": {"sad": 0.2}}


@pytest.mark.parametrize(("name", "body", "status", "words"), [
    ("friendly", {"values": MOOD}, 409, "built-in"),
    ("My%20Mood", {"values": MOOD}, 400, "lower case"),
    ("..%2Fescape", {"values": MOOD}, 400, "lower case"),
    ("x" * 300, {"values": MOOD}, 400, "at most 40"),
    ("mood", {"values": {"emotions": {"hapy": 0.3}}}, 400, "happy"),
    ("mood", {"values": {"emotions": {"happy": 9}}}, 400, "0..1.5"),
    ("mood", {"values": {}}, 400, "at least one"),
    ("mood", {"emotions": {"happy": 0.3}}, 400, "expected"),
    ("mood", {"values": MOOD, "description": "x" * 201}, 400, "200"),
])  # fmt: skip
def test_what_is_no_preset_is_refused(
    tmp_path: Path, name: str, body: object, status: int, words: str
) -> None:
    async def test() -> None:
        async with Client(tmp_path) as client:
            got, answer = await client.put(name, body)
            assert (got, words in answer["error"]) == (status, True), answer

    run(test())
    assert list(tmp_path.rglob("*.toml")) == []


def test_a_server_without_a_folder_says_so() -> None:
    async def test() -> None:
        async with Client(None) as client:
            assert (await client.info())["presets_can_be_saved"] is False
            assert (await client.put("mood", {"values": MOOD}))[0] == 409

    run(test())


def test_a_file_outside_the_folder_changes_no_answer(tmp_path: Path) -> None:
    folder = tmp_path / "presets"
    folder.mkdir()
    (tmp_path / "secret.toml").write_text("mouth = 0.5\n", encoding="utf-8")

    async def test() -> None:
        async with Client(folder) as client:
            there = await client.put("..%2Fsecret", {"values": MOOD})
            missing = await client.put("..%2Fabsent", {"values": MOOD})
            assert there[0] == missing[0] == 400
            assert there[1]["error"].replace("secret", "absent") == missing[1]["error"]

    run(test())


def test_saved_presets_are_limited_by_the_files_that_are_there(tmp_path: Path) -> None:
    async def test() -> None:
        store = PresetStore(BUILT_IN, tmp_path)
        for number in range(MOST_SAVED):
            await store.save(f"mood-{number}", "", MOOD, False)
        with pytest.raises(RefusedError, match="presets remove"):
            await store.save("one-more", "", MOOD, False)
        await store.save("mood-1", "replaced", MOOD, True)
        (tmp_path / "mood-0.toml").unlink()  # as `rtfilter presets remove` does
        await store.save("one-more", "", MOOD, False)
        with pytest.raises(UsageError):
            await PresetStore({}, tmp_path).save("No Name", "", MOOD, False)

    run(test())


def test_one_of_many_at_once_gets_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_slowly(path: Path, values: Mapping[str, Any]) -> None:
        time.sleep(0.1)
        write_toml(path, values)

    monkeypatch.setattr("rtfilter.presets.write_toml", write_slowly)

    async def test() -> None:
        async with Client(tmp_path) as client:
            presets = [{"values": {"mouth": number / 10}} for number in range(8)]
            answers = await asyncio.gather(*(client.put("mood", preset) for preset in presets))
            assert sorted(status for status, _ in answers) == [201] + 7 * [409]
            values = next(answer["values"] for status, answer in answers if status == 201)
            assert dict(load_presets(tmp_path)["mood"].values) == values

    run(test())


class _Watched(dict[str, Preset]):
    """Presets that note which threads add to them."""

    def __init__(self, presets: Mapping[str, Preset]) -> None:
        super().__init__(presets)
        self.threads: set[threading.Thread] = set()

    def __setitem__(self, name: str, preset: Preset) -> None:
        self.threads.add(threading.current_thread())
        super().__setitem__(name, preset)


def test_presets_change_on_the_thread_that_lists_them(tmp_path: Path) -> None:
    async def test() -> None:
        store = PresetStore(BUILT_IN, tmp_path)
        store.all = watched = _Watched(store.all)
        app = web.Application()
        app.add_routes(store.routes())
        async with TestClient(TestServer(app)) as client:
            assert (await client.put("/api/presets/mood", json={"values": MOOD})).status == 201
        assert watched.threads == {threading.current_thread()}

    run(test())


def test_a_face_box_is_in_shares_of_the_picture() -> None:
    points = np.zeros((478, 3), np.float32)
    points[:, 0], points[:, 1] = np.linspace(160, 320, 478), np.linspace(90, 180, 478)
    assert face_box(Landmarks(points, 1.0), 640, 360) == (0.25, 0.25, 0.5, 0.5)
    assert face_box(None, 640, 360) is None
