"""What the API answers, for its OpenAPI page and its tests; answers themselves are not made of it.

Times are Unix milliseconds.
"""

from __future__ import annotations

from typing import Annotated, Literal

from ninja import Schema
from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from dashboards.pages.status import Status

KindName = Literal["number", "boolean", "text"]
At = Annotated[int, Field(description="The hub's time.", examples=[1795326596347])]


class Said(Schema):
    """A part of an answer: what it names is all that there is."""

    model_config = ConfigDict(extra="forbid")


class PresentOut(Said):
    uid: Annotated[str, Field(examples=["roof"])]
    name: Annotated[str, Field(description="For people; may be empty.", examples=["The roof"])]
    status: Annotated[
        Status,
        Field(
            description="online: seen within three of its intervals; stale: within thirty;"
            " then offline."
        ),
    ]
    seen: Annotated[
        int | None, Field(description="When its newest frame was committed; null: never.")
    ]


class DeviceInListOut(PresentOut):
    enabled: Annotated[bool, Field(description="Whether it is let in.")]
    tags: Annotated[list[str], Field(examples=[["north"]])]
    interval_s: Annotated[float | None, Field(description="How often it means to send.")]
    created: int


class DeviceOut(DeviceInListOut):
    at: At


class PageOut(Said):
    at: At
    total: Annotated[int, Field(description="How many devices fit, on all pages.")]
    next: Annotated[
        str | None,
        Field(
            description="The address of the page that follows; null: this is the last.",
            examples=["/api/v1/devices?limit=100&cursor=WyJyb29mIiwxXQ"],
        ),
    ]


class DevicesOut(PageOut):
    devices: list[DeviceInListOut]


class SeriesOut(Said):
    metric: Annotated[str, Field(examples=["temperature"])]
    kind: KindName
    unit: Annotated[str, Field(description="For people; may be empty.", examples=["°C"])]
    low: Annotated[float | None, Field(description="The band that it should keep to.")]
    high: float | None
    created: int


class SeriesListOut(Said):
    device: Annotated[str, Field(description="The device's uid.", examples=["roof"])]
    series: list[SeriesOut]


class ValueOut(Said):
    time: Annotated[float, Field(description="The reading's own time.")]
    value: Annotated[bool | float | str, Field(examples=[21.5])]
    kind: KindName
    unit: Annotated[str, Field(examples=["°C"])]


class DeviceInLatestOut(PresentOut):
    values: Annotated[dict[str, ValueOut], Field(description="By metric.")]


class DeviceLatestOut(DeviceInLatestOut):
    at: At


class LatestOut(PageOut):
    devices: list[DeviceInLatestOut]


class OutcomesOut(Said):
    stored: int
    duplicate: int
    rejected: int


class StreamOut(OutcomesOut):
    name: str
    committed: Annotated[int, Field(description="The number of the last frame that is settled.")]
    lost: Annotated[int, Field(description="Numbers that the device gave out and could not keep.")]
    used: Annotated[int, Field(description="When a frame of it was last committed.")]


class DeviceInCountsOut(PresentOut):
    since_start: Annotated[
        OutcomesOut | None,
        Field(description="Since the hubs started; null while this hub is still looking."),
    ]
    refused: Annotated[
        dict[str, int],
        Field(
            description="By code, of the refused readings that are kept.",
            examples=[{"kind_mismatch": 2}],
        ),
    ]
    streams: list[StreamOut]


class DeviceCountsOut(DeviceInCountsOut):
    at: At


class CountsOut(PageOut):
    devices: list[DeviceInCountsOut]


class ColumnsOut(Said):
    start: Annotated[list[float], Field(description="Where each bucket begins.")]
    count: Annotated[list[int], Field(description="How many readings it has; 0: a gap.")]
    min: list[float | None]
    max: list[float | None]
    mean: list[float | None]
    first: list[float | None]
    last: list[float | None]


class SeriesHistoryOut(Said):
    device: Annotated[str, Field(description="The device's uid.", examples=["roof"])]
    metric: Annotated[str, Field(examples=["temperature"])]
    kind: KindName
    unit: Annotated[str, Field(examples=["°C"])]
    low: float | None
    high: float | None
    gap_ms: Annotated[
        float, Field(description="Neighbours further apart are not joined by a line.")
    ]
    columns: ColumnsOut


class HistoryOut(Said):
    at: Annotated[
        int,
        Field(description="The hub's time: all that was committed before is in the answer."),
    ]
    start: Annotated[float, Field(alias="from")]
    end: Annotated[float, Field(alias="to")]
    step_ms: Annotated[float, Field(description="The width of a bucket.")]
    zone: str
    source: Annotated[
        Literal["readings", "minutes", "hours"], Field(description="What buckets are made of.")
    ]
    series: list[SeriesHistoryOut]


class FieldErrorOut(Said):
    field: str
    detail: str


_A_PROBLEM: JsonDict = {
    "type": "/api/v1/problems/bad-parameter",
    "title": "Bad parameter",
    "status": 422,
    "detail": "to should be later than from.",
    "field": "to",
    "errors": [{"field": "to", "detail": "to should be later than from."}],
}


class ProblemOut(Said):
    """RFC 9457 problem details."""

    model_config = ConfigDict(json_schema_extra={"examples": [_A_PROBLEM]})

    type: Annotated[str, Field(description="Where it is told what this kind means.")]
    title: str
    status: int
    detail: Annotated[str, Field(description="What is wrong, in a sentence.")]
    field: Annotated[str | None, Field(description="The first parameter that is wrong.")] = None
    errors: list[FieldErrorOut] | None = None


class KindOut(Said):
    type: Annotated[str, Field(examples=["/api/v1/problems/bad-parameter"])]
    title: str
    status: int
    meaning: str
