"""Which devices a list is of: filters, an order, and a page of it by a cursor.

A cursor says where the last page ended, not how many were before: devices that come and go between
two pages make none of the others come twice or not at all.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import orjson
from django.db import connection
from django.db.models import DateTimeField, F, Q, QuerySet, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from ninja import Schema
from pydantic import Field

from dashboards.access import Reader
from dashboards.api.now import Now
from dashboards.api.problems import bad_parameter
from dashboards.pages.status import Status
from devices.models import Device
from devices.tagged import has_any_tag, has_tag_with
from ingest.fields import EPOCH

LIMIT_DEFAULT, LIMIT_MOST = 100, 1_000

Sort = Literal["uid", "-uid", "name", "-name", "created", "-created", "seen", "-seen"]
_KEYS: Final = {
    "uid": F("uid"),
    "name": F("name"),
    "created": F("created_at"),
    "seen": Coalesce("last_seen_at", Value(EPOCH, DateTimeField())),
}


class Selection(Schema):
    q: Annotated[
        str,
        Field(
            description="A part of the uid, of the name or of a tag, in any case.",
            max_length=200,
        ),
    ] = ""
    tag: Annotated[
        list[str],
        Field(description="One of its tags, in full; given again: any of them.", max_length=100),
    ] = []
    status: Annotated[
        list[Status],
        Field(description="Its status; given again: any of them."),
    ] = []
    enabled: Annotated[bool | None, Field(description="Whether it is let in.")] = None
    sort: Annotated[
        Sort,
        Field(description="`-` before it: backwards. `seen` is by the minute; never comes first."),
    ] = "uid"
    limit: Annotated[
        int, Field(ge=1, le=LIMIT_MOST, description=f"At most so many, up to {LIMIT_MOST:,}.")
    ] = LIMIT_DEFAULT
    cursor: Annotated[
        str, Field(description="Of the page before, in its `next`.", max_length=1_000)
    ] = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Some of `total` devices; `next` is the address of those that follow, if there are any."""

    devices: list[Device]
    total: int
    next: str | None


def page_of(request: HttpRequest, reader: Reader, asked: Selection, now: Now) -> Page:
    """The page that `asked` is of, in two statements. Raises Problem for a cursor that is none."""
    chosen = _filtered(reader.devices(), asked, now)
    sign = "-" if asked.sort.startswith("-") else ""
    ordered = chosen.annotate(key=_KEYS[asked.sort.lstrip("-")]).order_by(f"{sign}key", f"{sign}id")
    if asked.cursor:
        ordered = ordered.filter(_after(_opened(asked), "lt" if sign else "gt"))
    found: list[Any] = list(ordered[: asked.limit + 1])
    shown = found[: asked.limit]
    more = _closed(shown[-1]) if len(found) > len(shown) else None
    return Page(shown, chosen.count(), _address(request, more) if more else None)


def _filtered(devices: QuerySet[Device], asked: Selection, now: Now) -> QuerySet[Device]:
    if asked.q:
        contains = Q(uid__icontains=asked.q) | Q(name__icontains=asked.q)
        devices = devices.filter(contains | has_tag_with("tags", asked.q))
    if asked.tag:
        devices = devices.filter(has_any_tag("tags", asked.tag))
    if asked.enabled is not None:
        devices = devices.filter(enabled=asked.enabled)
    if asked.status:
        devices = devices.filter(uid__in=_one_of(now.uids_that_are(set(asked.status))))
    return devices


def _one_of(uids: Sequence[str]) -> RawSQL:
    """As one parameter: a fleet may be larger than the number of them that SQLite takes."""
    if connection.vendor == "postgresql":
        return RawSQL("SELECT unnest(%s::text[])", [list(uids)])
    return RawSQL("SELECT value FROM json_each(%s)", [orjson.dumps(list(uids)).decode()])


def _after(last: tuple[Any, int], than: str) -> Q:
    key, device_id = last
    return Q(**{f"key__{than}": key}) | Q(key=key, **{f"id__{than}": device_id})


def _closed(last: Any) -> str:
    """The cursor behind a device."""
    return base64.urlsafe_b64encode(orjson.dumps([last.key, last.id])).rstrip(b"=").decode()


def _opened(asked: Selection) -> tuple[Any, int]:
    """Raises Problem."""
    try:
        padded = asked.cursor + "=" * (-len(asked.cursor) % 4)
        key, device_id = orjson.loads(base64.urlsafe_b64decode(padded))
        if asked.sort.lstrip("-") in {"created", "seen"}:
            key = datetime.fromisoformat(key)
        if type(device_id) is int and isinstance(key, str | datetime):
            return key, device_id
    except (ValueError, TypeError, binascii.Error):
        pass
    raise bad_parameter("cursor", "should be that of a page's next, with the same sort")


def _address(request: HttpRequest, cursor: str) -> str:
    asked = request.GET.copy()
    asked["cursor"] = cursor
    return f"{request.path}?{asked.urlencode()}"
