"""What a request's body says, or a 400 that says why not."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from aiohttp import web

from rtfilter.serve.refusals import RefusedError


async def read_json(request: web.Request) -> dict[str, Any]:
    """The body as a JSON object. Raises RefusedError 400 for anything else, NaN and Infinity included."""
    text = await read_text(request)
    try:
        value = json.loads(text, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise RefusedError(400, f"the body is no JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise RefusedError(400, "the body is no JSON for this server: too deeply nested") from None
    except ValueError as error:
        raise RefusedError(400, f"the body is no JSON: {str(error)[:80]}") from None
    if not isinstance(value, dict):
        raise RefusedError(400, f"the body is a JSON {type(value).__name__}: expected an object")
    return value


async def read_text(request: web.Request) -> str:
    """The body as UTF-8 text. Raises RefusedError 400 when it is none."""
    try:
        return (await request.read()).decode("utf-8")
    except UnicodeDecodeError as error:
        raise RefusedError(400, f"the body is no UTF-8 text: byte {error.start}") from None


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
