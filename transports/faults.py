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
    try:
        data = json.loads(body)
    except ValueError:
        raise EdgeFault(400, "bad_json", "The body is not JSON.") from None
    if not isinstance(data, dict):
        raise EdgeFault(400, "bad_json", "The body must be a JSON object.")
    return data
