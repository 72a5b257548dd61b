"""An answer of the API: JSON by orjson, not validated again row by row, with its ETag.

A thousand points of history are written in about a millisecond so; as pydantic's models they took
ten.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import orjson
from django.http import HttpResponse


def answer(content: Mapping[str, Any], at_ms: int | None = None) -> HttpResponse:
    """`content`, preceded by `at`, the hub's time, where that is given.

    The ETag is of the content alone: an answer that differs in `at` only is the same one, weakly.
    """
    body = orjson.dumps(content)
    if at_ms is None:
        return HttpResponse(
            body, content_type="application/json", headers={"ETag": f'"{digest(body)}"'}
        )
    body_with_time = b'{"at":%d,%b' % (at_ms, body[1:])
    return HttpResponse(
        body_with_time, content_type="application/json", headers={"ETag": f'W/"{digest(body)}"'}
    )


def digest(body: bytes) -> str:
    return blake2b(body, digest_size=16).hexdigest()
