"""What the edges say to a request that cannot be served."""

from __future__ import annotations

import json
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse

MAX_BODY_BYTES = 64_000


class EdgeFault(Exception):
    """A request that cannot be served. `code` is stable, `message` is for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message

    def as_json(self) -> dict[str, Any]:
        return {"code": self.code, "message": self.message}

    def response(self) -> JSONResponse:
        return JSONResponse({"error": self.as_json()}, self.status)


async def json_body(request: Request) -> dict[str, Any]:
    """The request's JSON object. Raises EdgeFault where it is too large or none."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            raise EdgeFault(413, "too_large", f"A request may have at most {MAX_BODY_BYTES // 1000} kB.")
    return json_object(body, "The body")


def json_object(data: str | bytes, what: str) -> dict[str, Any]:
    """A JSON object. Raises EdgeFault where it is none, or nested without end."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise EdgeFault(400, "bad_json", f"{what} is not JSON.") from None
    if not isinstance(found, dict):
        raise EdgeFault(400, "bad_json", f"{what} must be a JSON object.")
    return found
