"""What the hub says to devices, typed as `docs/protocol.md` tells it; nothing else may come."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import ConfigDict, Field, TypeAdapter, with_config
from typing_extensions import TypedDict

Count = Annotated[int, Field(ge=0, strict=True)]
Seq = Annotated[int, Field(ge=1, le=2**53, strict=True)]
exactly = with_config(ConfigDict(extra="forbid", strict=True))


@exactly
class Limits(TypedDict):
    frame_bytes: Seq
    frame_readings: Seq
    in_flight: Seq
    future_s: Count
    ping_s: Seq


@exactly
class Resume(TypedDict):
    stream: str
    committed: Count
    lost: Count
    stored: Count
    duplicate: Count
    rejected: Count


@exactly
class Welcome(TypedDict):
    type: Literal["welcome"]
    session: str
    time: Count
    resume: NotRequired[Resume]
    limits: Limits


@exactly
class Entry(TypedDict):
    seq: Seq
    sample: NotRequired[Count]
    through: NotRequired[Seq]
    metric: NotRequired[str]
    code: str
    message: str
    count: NotRequired[Annotated[int, Field(ge=2)]]


@exactly
class Ack(TypedDict):
    type: Literal["ack"]
    seq: Count
    stored: Count
    duplicate: Count
    rejected: Count
    errors: NotRequired[Annotated[list[Entry], Field(min_length=1, max_length=32)]]
    errors_truncated: NotRequired[Literal[True]]


@exactly
class OutOfOrder(TypedDict):
    type: Literal["nack"]
    seq: Seq
    code: Literal["out_of_order"]
    expected: Seq


@exactly
class Busy(TypedDict):
    type: Literal["nack"]
    seq: Seq
    code: Literal["busy"]
    retry_after_ms: Seq


@exactly
class Error(TypedDict):
    type: Literal["error"]
    code: str
    message: str
    seq: NotRequired[Seq]
    retry_after_ms: NotRequired[Seq]


Said = Welcome | Ack | OutOfOrder | Busy | Error
HUB_MESSAGE: TypeAdapter[Said] = TypeAdapter(Said)
