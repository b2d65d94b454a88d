"""Clients that leave in the middle, ask for impossible paths or say things twice: answered, and no error."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import struct
from collections.abc import Awaitable, Callable

import pytest

from tests.fakes.serving import TOKEN, Running, serving

START = "HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n"
BODY = f"{START}Authorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n"
ONCE = {
    "Origin": ["http://127.0.0.1:PORT", "http://evil.example"],
    "Authorization": [f"Bearer {TOKEN}", "Bearer other"],
    "Content-Encoding": ["identity", "gzip"],
}


def run(scenario: Callable[[Running], Awaitable[None]]) -> None:
    async def main() -> None:
        async with serving() as running:
            await scenario(running)

    asyncio.run(asyncio.wait_for(main(), 60))


def port_of(running: Running) -> int:
    return int(running.address.rpartition(":")[2])


async def said(running: Running, head: str) -> tuple[int, str]:
    """Status and body of the answer to the raw request `head`."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(running))
    try:
        writer.write(head.replace("PORT", str(port_of(running))).encode())
        answer = await asyncio.wait_for(reader.read(), 20)
    finally:
        writer.close()
    top, _, body = answer.decode().partition("\r\n\r\n")
    return int(top.split()[1]), body


@pytest.mark.parametrize(
    "name", ["x" * 300, "x/" * 3000, "x" * 255 + ".js", "css/" + "../" * 200, "%2e" * 300]
)
def test_a_path_that_no_file_can_have_is_not_there(name: str, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(running: Running) -> None:
        status, body = await said(
            running, f"GET /static/{name} HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nConnection: close\r\n\r\n"
        )
        assert status == 404
        assert list(json.loads(body)) == ["error"]

    run(scenario)
    assert worse_than_info(caplog) == []


@pytest.mark.parametrize("name", ONCE)
def test_what_is_decided_by_may_be_said_once(name: str) -> None:
    """Of two `Origin` fields only the first was looked at."""
    fields = {key: values[:1] for key, values in ONCE.items()} | {name: ONCE[name]}
    fields["Host"] = ["127.0.0.1:PORT"]
    lines = "".join(f"{key}: {value}\r\n" for key, values in fields.items() for value in values)

    async def scenario(running: Running) -> None:
        status, body = await said(running, f"GET /api/info HTTP/1.1\r\n{lines}Connection: close\r\n\r\n")
        assert status == 400
        assert f"expected one {name} header, got 2" in body

    run(scenario)


LEAVING = {
    "in the head": f"GET / {START}",
    "in the body": f"POST /api/sessions {BODY}Content-Length: 500\r\n\r\n{{",
    "in a chunk": f'POST /api/sessions {BODY}Transfer-Encoding: chunked\r\n\r\n5\r\n{{"a"',
    "before the answers": f"GET /openapi.json {START}\r\n" * 50,
    "before the files": f"GET / {START}\r\n" * 50,
    "after an endless field": f"GET / {START}X: {'y' * 20_000}\r\n\r\n",
}


@pytest.mark.parametrize("where", LEAVING)
def test_a_client_that_leaves_is_no_error(where: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def scenario(running: Running) -> None:
        for wait_s in (0.0, 0.02, 0.05):
            client = socket.create_connection(("127.0.0.1", port_of(running)))
            # Closed with a reset, not a goodbye.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sendall(LEAVING[where].replace("PORT", str(port_of(running))).encode())
            await asyncio.sleep(wait_s)
            client.close()
            await asyncio.sleep(0.1)
        async with running.http.get("/healthz") as response:
            assert response.status == 200

    run(scenario)
    assert worse_than_info(caplog) == []


def worse_than_info(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        f"{record.getMessage()} {record.exc_info}"
        for record in caplog.records
        if record.levelno > logging.INFO and record.name.startswith("rtfilter")
    ]
