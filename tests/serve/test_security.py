"""What a request must have to be heard, and what every answer carries: a real server, real clients."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest
from aiohttp import ClientSession, WSServerHandshakeError, web

from rtfilter.errors import UsageError
from rtfilter.serve.app.logs import AccessLogger, RedactSecrets
from rtfilter.serve.gate.options import ServeOptions
from rtfilter.serve.gate.refusals import RefusedError
from rtfilter.serve.gate.security import (
    FAILURES_PER_MINUTE,
    TokenGate,
    body_limit,
    protect,
)

TOKEN = "a-token-that-is-long-enough"
AUTH = {"Authorization": f"Bearer {TOKEN}"}
JSON = {**AUTH, "Content-Type": "application/json"}
SDP = {**AUTH, "Content-Type": "application/sdp"}
OPTIONS = ServeOptions(
    token=TOKEN,
    allowed_hosts=("cam.example:8443", "any-port.example"),
    allowed_origins=("https://app.example",),
)


@dataclass
class Running:
    client: ClientSession
    port: int

    async def status(self, method: str, path: str, **more: object) -> int:
        return (await self.answer(method, path, **more))[0]

    async def answer(self, method: str, path: str, **more: object) -> tuple[int, dict[str, str], str]:
        url = f"http://127.0.0.1:{self.port}{path}"
        async with self.client.request(method, url, **more) as response:  # type: ignore[arg-type]
            return response.status, dict(response.headers), await response.text()


@asynccontextmanager
async def running(options: ServeOptions = OPTIONS) -> AsyncIterator[Running]:
    async def echo(request: web.Request) -> web.Response:
        return web.json_response({"bytes": len(await request.read())})

    async def parsed(request: web.Request) -> web.Response:
        return web.json_response(await request.json())

    async def broken(_: web.Request) -> web.Response:
        raise KeyError(f"secret detail {TOKEN}")

    async def mistaken(_: web.Request) -> web.Response:
        raise UsageError("two\nlines")

    async def socket(request: web.Request) -> web.WebSocketResponse:
        response = web.WebSocketResponse(protocols=("rtfilter",))
        await response.prepare(request)
        await response.send_str("hello")
        await response.close()
        return response

    app = web.Application(client_max_size=body_limit(options.limits))
    protect(app, options)
    for path in ("/", "/healthz", "/openapi.json", "/static/x.js", "/api/info", "/metrics"):
        app.router.add_get(path, echo)
    app.router.add_post("/api/echo", echo)
    app.router.add_patch("/api/echo", echo)
    app.router.add_post("/api/parsed", parsed)
    app.router.add_get("/api/broken", broken)
    app.router.add_get("/api/mistaken", mistaken)
    app.router.add_get("/api/events", socket)
    app.router.add_post("/whip/{name}", echo)
    app.router.add_patch("/whip/{name}/{secret}", echo)
    runner = web.AppRunner(
        app, access_log=logging.getLogger("rtfilter.serve.access"), access_log_class=AccessLogger
    )
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with ClientSession() as client:
            yield Running(client, runner.addresses[0][1])
    finally:
        await runner.cleanup()


def run(scenario: Callable[[Running], Awaitable[None]], options: ServeOptions = OPTIONS) -> None:
    async def whole() -> None:
        async with running(options) as server:
            await scenario(server)

    asyncio.run(whole())


def is_one_line(text: str) -> bool:
    answer = json.loads(text)
    return list(answer) == ["error"] and "\n" not in answer["error"] and len(answer["error"]) < 250


@pytest.mark.parametrize("path", ["/", "/healthz", "/openapi.json", "/static/x.js"])
def test_the_open_paths_need_no_token(path: str) -> None:
    async def scenario(server: Running) -> None:
        assert await server.status("GET", path) == 200

    run(scenario)


@pytest.mark.parametrize("path", ["/api/info", "/metrics", "/whip/main", "/nothing", "/staticx", "/api/../x"])
def test_the_others_do(path: str) -> None:
    async def scenario(server: Running) -> None:
        status, headers, text = await server.answer("GET", path)
        assert status == 401
        assert headers["WWW-Authenticate"].startswith("Bearer")
        assert is_one_line(text)
        assert TOKEN not in text

    run(scenario)


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer x", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer é"]
)
def test_another_token_is_none(given: str) -> None:
    async def scenario(server: Running) -> None:
        assert await server.status("GET", "/api/info", headers={"Authorization": given}) == 401
        assert await server.status("GET", f"/api/info?token={TOKEN}") == 401
        assert await server.status("GET", "/api/info", headers=AUTH) == 200

    run(scenario)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("127.0.0.1:1", 200),
        ("localhost:8080", 200),
        ("LOCALHOST.", 200),
        ("[::1]:8080", 200),
        ("cam.example:8443", 200),
        ("any-port.example:99", 200),
        ("cam.example:8444", 421),
        ("cam.example", 421),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("192.0.2.77", 421),
        ("127.1", 421),
        ("evil@localhost", 400),
        ("localhost/evil", 400),
        ("localhost:x", 400),
        ("[::1", 400),
    ],
)
def test_only_the_served_names_are_answered(host: str, status: int) -> None:
    async def scenario(server: Running) -> None:
        for path in ("/", "/api/info"):
            got, _, text = await server.answer("GET", path, headers={**AUTH, "Host": host})
            assert got == status
            assert status == 200 or is_one_line(text)

    run(scenario)


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1:PORT", 200),
        ("https://app.example", 200),
        ("https://app.example:443", 200),
        ("http://app.example", 403),
        ("https://app.example.evil.example", 403),
        ("https://127.0.0.1:PORT", 403),
        ("http://127.0.0.1:1", 403),
        ("http://localhost:PORT", 403),
        ("http://evil.example", 403),
        ("null", 403),
        ("file://", 403),
        ("", 403),
    ],
)
def test_only_the_servers_own_pages_and_the_permitted_may(origin: str, status: int) -> None:
    async def scenario(server: Running) -> None:
        headers = {**AUTH, "Origin": origin.replace("PORT", str(server.port))}
        got, answered, text = await server.answer("GET", "/api/info", headers=headers)
        assert got == status
        assert status == 200 or is_one_line(text)
        assert ("Access-Control-Allow-Origin" in answered) == (origin.startswith("https") and status == 200)

    run(scenario, OPTIONS)


def test_a_preflight_is_answered_to_the_permitted_only() -> None:
    async def scenario(server: Running) -> None:
        preflight = {
            "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "authorization",
        }
        good = {**preflight, "Origin": "https://app.example"}
        status, headers, _ = await server.answer("OPTIONS", "/api/info", headers=good)
        assert status == 204
        assert headers["Access-Control-Allow-Origin"] == "https://app.example"
        assert "PATCH" in headers["Access-Control-Allow-Methods"]
        assert "Authorization" in headers["Access-Control-Allow-Headers"]
        evil = {**preflight, "Origin": "https://evil.example"}
        status, headers, _ = await server.answer("OPTIONS", "/api/info", headers=evil)
        assert status == 403
        assert "Access-Control-Allow-Origin" not in headers
        status, headers, _ = await server.answer("OPTIONS", "/whip/main")
        assert (status, headers["Accept-Post"]) == (204, "application/sdp")

    run(scenario)


@pytest.mark.parametrize(
    ("path", "kind", "status"),
    [
        ("/api/echo", "application/json", 200),
        ("/api/echo", "application/json; charset=utf-8", 200),
        ("/api/echo", "application/json; charset=rot13", 415),
        ("/api/echo", "text/plain", 415),
        ("/api/echo", "application/x-www-form-urlencoded", 415),
        ("/api/echo", "application/sdp", 415),
        ("/whip/main", "application/sdp", 200),
        ("/whip/main", "application/json", 415),
        ("/whip/main", "multipart/form-data", 415),
    ],
)
def test_only_the_content_types_of_a_path_are_read(path: str, kind: str, status: int) -> None:
    async def scenario(server: Running) -> None:
        headers = {**AUTH, "Content-Type": kind}
        got, _, text = await server.answer("POST", path, data=b"{}", headers=headers)
        assert got == status
        assert status == 200 or is_one_line(text)
        packed = {**headers, "Content-Encoding": "gzip"}
        assert await server.status("POST", path, data=b"{}", headers=packed) == 415

    run(scenario)


def test_a_fragment_and_a_merge_patch_are_read() -> None:
    async def scenario(server: Running) -> None:
        fragment = {**AUTH, "Content-Type": "application/trickle-ice-sdpfrag"}
        assert await server.status("PATCH", "/whip/main/secret", data=b"a=x", headers=fragment) == 200
        merge = {**AUTH, "Content-Type": "application/merge-patch+json"}
        assert await server.status("PATCH", "/api/echo", data=b"{}", headers=merge) == 200

    run(scenario)


@pytest.mark.parametrize(("path", "headers"), [("/api/echo", JSON), ("/whip/main", SDP)])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_refused_however_it_comes(
    path: str, headers: dict[str, str], chunked: bool
) -> None:
    limits = OPTIONS.limits
    most = limits.json_bytes if path.startswith("/api") else limits.sdp_bytes

    async def pieces(size: int) -> AsyncIterator[bytes]:
        for start in range(0, size, 4096):
            yield b" " * min(4096, size - start)

    async def scenario(server: Running) -> None:
        for size, status in ((most, 200), (most + 1, 413), (most * 20, 413)):
            body = pieces(size) if chunked else b" " * size
            got, _, text = await server.answer("POST", path, data=body, headers=headers)
            assert got == status
            assert status == 200 or is_one_line(text)

    run(scenario)


@pytest.mark.parametrize("body", [b"{", b"", b"{}{}", b"\xff\xfe"])
def test_json_that_cannot_be_read_is_a_400(body: bytes) -> None:
    async def scenario(server: Running) -> None:
        status, _, text = await server.answer("POST", "/api/parsed", data=body, headers=JSON)
        assert status == 400
        assert is_one_line(text)

    run(scenario)


def test_errors_are_one_line_and_a_bug_has_a_reference(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(server: Running) -> None:
        status, _, text = await server.answer("GET", "/api/mistaken", headers=AUTH)
        assert (status, json.loads(text)) == (400, {"error": "two lines"})
        status, _, text = await server.answer("GET", "/api/nothing", headers=AUTH)
        assert status == 404
        assert is_one_line(text)
        status, headers, text = await server.answer("POST", "/api/info", data=b"{}", headers=JSON)
        assert status == 405
        assert "GET" in headers["Allow"]
        assert is_one_line(text)
        status, _, text = await server.answer("GET", "/api/broken", headers=AUTH)
        assert status == 500
        assert is_one_line(text)
        assert "secret detail" not in text
        reference = json.loads(text)["error"].rpartition(" ")[2]
        assert reference in caplog.text
        assert "KeyError" in caplog.text

    run(scenario)


@pytest.mark.parametrize("path", ["/", "/static/x.js", "/api/info", "/api/nothing", "/api/broken"])
def test_every_answer_carries_the_headers(path: str) -> None:
    async def scenario(server: Running) -> None:
        _, headers, _ = await server.answer("GET", path, headers=AUTH)
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == ("no-store" if path.startswith("/api") else "no-cache")

    run(scenario)


def test_a_websocket_carries_the_token_among_its_subprotocols() -> None:
    async def scenario(server: Running) -> None:
        url = f"http://127.0.0.1:{server.port}/api/events"
        async with server.client.ws_connect(url, protocols=("rtfilter", f"token.{TOKEN}")) as socket:
            assert (await socket.receive()).data == "hello"
            assert socket.protocol == "rtfilter"
        for protocols, origin in (
            ((), None),
            (("rtfilter", "token.wrong"), None),
            ((), "http://evil.example"),
        ):
            with pytest.raises(WSServerHandshakeError) as refused:
                await server.client.ws_connect(url, protocols=protocols, origin=origin)
            assert refused.value.status == (403 if origin else 401)

    run(scenario)


def test_two_hosts_and_none_are_refused() -> None:
    async def raw(port: int, lines: str) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(lines.encode())
        answer = await asyncio.wait_for(reader.read(64), 10)
        writer.close()
        return answer

    async def scenario(server: Running) -> None:
        assert b" 400 " in await raw(server.port, "GET / HTTP/1.0\r\n\r\n")
        two = "GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
        assert b" 400 " in await raw(server.port, two)
        assert await server.status("GET", "/healthz") == 200

    run(scenario)


def test_who_guesses_tokens_elsewhere_is_not_looked_at_for_a_minute() -> None:
    now = [0]
    gate = TokenGate(TOKEN, lambda: now[0])
    for _ in range(FAILURES_PER_MINUTE):
        assert refusal(gate, "wrong", "198.51.100.7") == 401
        now[0] += 1_000_000
    assert refusal(gate, "wrong", "198.51.100.7") == 429
    assert refusal(gate, TOKEN, "198.51.100.7") == 429
    assert refusal(gate, TOKEN, "198.51.100.8") == 0
    now[0] += 61 * 10**9
    assert refusal(gate, TOKEN, "198.51.100.7") == 0


def test_an_old_tab_on_this_machine_does_not_lock_its_user_out() -> None:
    gate = TokenGate(TOKEN, lambda: 0)
    for _ in range(FAILURES_PER_MINUTE):
        refusal(gate, "old", "127.0.0.1")
    assert refusal(gate, "old", "127.0.0.1") == 429
    assert refusal(gate, TOKEN, "127.0.0.1") == 0


def test_requests_without_a_token_do_not_count_as_guesses() -> None:
    gate = TokenGate(TOKEN, lambda: 0)
    assert {refusal(gate, None, "198.51.100.7") for _ in range(100)} == {401}
    assert refusal(gate, TOKEN, "198.51.100.7") == 0


def refusal(gate: TokenGate, given: str | None, address: str) -> int:
    try:
        gate.check(given, address)
    except RefusedError as error:
        return error.status
    return 0


@pytest.mark.parametrize("entry", ["", "a/b", "http://x", "a:b"])
def test_an_allowed_host_that_is_none_is_a_usage_error(entry: str) -> None:
    with pytest.raises(UsageError, match="is no host"):
        protect(web.Application(), replace(OPTIONS, allowed_hosts=(entry,)))


@pytest.mark.parametrize("entry", ["", "app.example", "*", "null", "ftp://app.example"])
def test_an_allowed_origin_that_is_none_is_a_usage_error(entry: str) -> None:
    with pytest.raises(UsageError, match="is no origin"):
        protect(web.Application(), replace(OPTIONS, allowed_origins=(entry,)))


def test_the_log_holds_no_secret() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactSecrets(TOKEN))
    logger = logging.getLogger("rtfilter.serve")
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.DEBUG)

    async def scenario(server: Running) -> None:
        await server.status("GET", f"/api/info?token={TOKEN}&x=query-secret", headers=AUTH)
        await server.status("PATCH", "/whip/main/path-secret", data=b"a=x", headers=SDP)
        await server.status("GET", "/no/such/path-secret", headers=AUTH)
        await server.status("GET", "/api/broken", headers=AUTH)
        logger.debug(
            "offer %s", "a=ice-pwd:pwd-secret\r\na=ice-ufrag:ufrag-secret\r\na=fingerprint:sha-256 AA:BB:CC"
        )
        logger.info("link http://127.0.0.1:8080/#token=link-secret and Authorization: Bearer other-secret")

    try:
        run(scenario)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    logged = stream.getvalue()
    assert "GET /api/info 200" in logged
    assert "/whip/{name}/{secret}" in logged
    assert "KeyError" in logged
    for secret in (TOKEN, "-secret", "AA:BB:CC"):
        assert secret not in logged


@pytest.mark.parametrize("token", ["a b" * 8, "tök" * 8, "a,b" * 8, "a/b" * 8, "a" * 300, "a\n" * 10])
def test_a_token_that_no_websocket_could_carry_is_a_usage_error(token: str) -> None:
    with pytest.raises(UsageError, match="token: expected 16 to 256 letters"):
        ServeOptions(token=token)
