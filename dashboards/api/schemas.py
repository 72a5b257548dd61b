"""What the API answers, for its OpenAPI page and its tests; answers themselves are not made of it.

Times are Unix milliseconds.
"""

from __future__ import annotations

from typing import Annotated, Literal

from ninja import Schema
from pydantic import ConfigDict, Field

KindName = Literal["number", "boolean", "text"]
AT = "The hub's time."


class Said(Schema):
    """A part of an answer: what it names is all that there is."""

    model_config = ConfigDict(extra="forbid")


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


class ProblemOut(Said):
    """RFC 9457 problem details."""

    type: Annotated[str, Field(examples=["/api/v1/problems/bad-parameter"])]
    title: str
    status: int
    detail: Annotated[str, Field(description="What is wrong, in a sentence.")]
    field: Annotated[str | None, Field(description="The first parameter that is wrong.")] = None
    errors: list[FieldErrorOut] | None = None
