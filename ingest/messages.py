"""What the hub says to devices, typed once: the messages of `weir.v1` from the hub's side.

`schema` publishes these types as JSON Schema; whatever is not in them is never sent. The innermost
module but `reading`; it knows no connection and decides nothing.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, NotRequired, TypeAlias

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from ingest.reading import Code

SEQ_MAX: Final = 2**53  # what any JSON parser of a device holds exactly
STREAM_PATTERN: Final = "^[A-Za-z0-9_-]{1,64}$"

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Seq = Annotated[int, Field(ge=1, le=SEQ_MAX)]
RetryAfterMs = Annotated[
    int, Field(ge=1, description="come, or send, again after so many milliseconds")
]

exactly = with_config(ConfigDict(extra="forbid", strict=True))

ErrorCode = Literal[
    "bad_message",
    "bug",
    "busy",
    "device_disabled",
    "frame_too_large",
    "method",
    "no_common_subprotocol",
    "rate_limited",
    "replaced",
    "stream_reused",
    "token_expired",
    "token_invalid",
    "token_missing",
    "token_not_yet",
    "token_revoked",
    "token_timeout",
    "too_many_connections",
    "too_many_failures",
    "unavailable",
    "window_exceeded",
]


@exactly
class AnnouncedLimits(TypedDict):
    """What a device is held to. A rate of 0 is no limit."""

    frame_bytes: Positive
    frame_readings: Positive
    in_flight: Annotated[int, Field(ge=0, description="unacked frames; 0 until a flow says more")]
    frames_per_s: Count
    readings_per_s: Count
    bytes_per_s: Count
    metrics: Positive
    metric_characters: Positive
    text_characters: Positive
    future_s: Count
    ping_s: Positive


@exactly
class Resume(TypedDict):
    """How far the hub has come in a stream, since the stream's beginning."""

    stream: Annotated[str, Field(pattern=STREAM_PATTERN)]
    committed: Annotated[int, Field(ge=0, description="every frame up to it is settled")]
    lost: Annotated[int, Field(ge=0, description="numbers that were skipped, never to come")]
    stored: Count
    duplicate: Count
    rejected: Count


@exactly
class Welcome(TypedDict):
    """The answer to a hello."""

    type: Literal["welcome"]
    session: Annotated[str, Field(description="this connection, in the hub's words")]
    time: Annotated[int, Field(ge=0, description="the hub's clock, Unix milliseconds")]
    durable: NotRequired[
        Annotated[
            Literal[False],
            Field(description="an operator has let the database ack before it syncs"),
        ]
    ]
    resume: NotRequired[Annotated[Resume, Field(description="after a hello with a stream")]]
    limits: AnnouncedLimits


@exactly
class Entry(TypedDict):
    """Readings that were refused, and why: a run of neighbouring samples is one entry."""

    seq: Seq
    sample: NotRequired[
        Annotated[int, Field(ge=0, description="absent: the frame as a whole was refused")]
    ]
    through: NotRequired[Annotated[int, Field(ge=1, description="the run's last sample")]]
    metric: NotRequired[
        Annotated[str, Field(max_length=128, description="absent: every reading of the samples")]
    ]
    code: Code
    message: str
    count: NotRequired[Annotated[int, Field(ge=2, description="readings; absent: one")]]


@exactly
class Ack(TypedDict):
    """Every frame up to `seq` is settled; the counts are of readings since the last ack."""

    type: Literal["ack"]
    seq: Count
    stored: Count
    duplicate: Count
    rejected: Count
    errors: NotRequired[Annotated[list[Entry], Field(min_length=1, max_length=32)]]
    errors_truncated: NotRequired[Literal[True]]


@exactly
class OutOfOrder(TypedDict):
    """Send again from the frame that is expected."""

    type: Literal["nack"]
    seq: Seq
    code: Literal["out_of_order"]
    expected: Seq


@exactly
class NotNow(TypedDict):
    """The frame stays expected: send again from it, later."""

    type: Literal["nack"]
    seq: Seq
    code: Literal["busy", "rate_limited"]
    retry_after_ms: RetryAfterMs


@exactly
class Flow(TypedDict):
    """From now on at most `in_flight` frames may be unacked; 0 pauses."""

    type: Literal["flow"]
    in_flight: Count


@exactly
class Error(TypedDict):
    """The last word before a close."""

    type: Literal["error"]
    code: ErrorCode
    message: str
    seq: NotRequired[
        Annotated[int, Field(ge=1, le=SEQ_MAX, description="the frame that could not be read")]
    ]
    retry_after_ms: NotRequired[RetryAfterMs]


@exactly
class Bye(TypedDict):
    """The hub ends; the last acks went before."""

    type: Literal["bye"]
    code: Literal["restart"]
    retry_after_ms: RetryAfterMs


Said: TypeAlias = Welcome | Ack | OutOfOrder | NotNow | Flow | Error | Bye
