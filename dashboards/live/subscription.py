"""What a dashboard asks for: its messages read and checked, and each bound named. Pure.

A message that cannot be is refused as a whole, by the name of its field.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, TypeVar
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from dashboards.live.charts import Chart
from dashboards.live.selection import EVERYTHING, Selection

MESSAGE_MAX_CHARACTERS: Final = 131_072
"""More than all of the below at its most, as a browser writes it."""
DEVICES_MAX: Final = 500
"""More than a page shows at once; who wants more looks at all, or filters."""
METRICS_MAX: Final = 100
FILTER_MAX_CHARACTERS: Final = 200
"""The longest name of a device."""
CHARTS_MAX: Final = 200
"""Each costs a read a tick while its series changes; a screen shows fewer."""
STEP_MAX_MS: Final = 366 * 86_400_000
INTERVAL_MAX_MS: Final = 60_000
"""Proxies close a socket on which nothing was said for a minute."""

BOUNDS: Final = ("message", "devices", "metrics", "filter", "charts")
_TOO_MUCH: Final = ("too_long", "string_too_long")


class Unfit(ValueError):
    """A message that cannot be: which `field` is wrong, and which of BOUNDS was met, if one was."""

    def __init__(self, field: str, message: str, bound: str | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.bound = bound


@dataclass(frozen=True, slots=True)
class Subscription:
    """A `subscribe`, checked."""

    selection: Selection = EVERYTHING
    interval_ms: int = 0
    """0: as fast as the hub goes."""
    charts: tuple[Chart, ...] = ()


@lru_cache(1_000)
def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise ValueError("should be an IANA time zone, such as Europe/Berlin") from None
    return name


_Uid = Annotated[str, StringConstraints(min_length=1, max_length=64)]
_Metric = Annotated[str, StringConstraints(min_length=1, max_length=128)]
_Series = Annotated[str, StringConstraints(pattern=r"^[^/]{1,64}/.{1,128}$")]
_Zone = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_zone)]


class _Message(BaseModel):
    model_config = ConfigDict(strict=True)


class _Chart(_Message):
    series: _Series
    step_ms: Annotated[int, Field(ge=1, le=STEP_MAX_MS)]
    zone: _Zone = "UTC"


_Charts = Annotated[list[_Chart], Field(max_length=CHARTS_MAX)]


class _ChartMessage(_Message):
    type: Literal["chart"]
    charts: _Charts


class _SubscribeMessage(_Message):
    type: Literal["subscribe"]
    devices: Annotated[list[_Uid], Field(max_length=DEVICES_MAX)] | None = None
    filter: Annotated[str, StringConstraints(max_length=FILTER_MAX_CHARACTERS)] = ""
    metrics: Annotated[list[_Metric], Field(max_length=METRICS_MAX)] | None = None
    interval_ms: Annotated[int, Field(ge=1, le=INTERVAL_MAX_MS)] | None = None
    charts: _Charts = []


def subscription_of(message: dict[str, Any]) -> Subscription:
    """What a `subscribe` asks for; Unfit where it cannot be."""
    asked = _checked(_SubscribeMessage, message)
    selection = Selection(
        None if asked.devices is None else frozenset(asked.devices),
        asked.filter.lower(),
        None if asked.metrics is None else frozenset(asked.metrics),
    )
    return Subscription(selection, asked.interval_ms or 0, _charts(asked.charts))


def charts_of(message: dict[str, Any]) -> tuple[Chart, ...]:
    """What a `chart` asks for; Unfit where it cannot be."""
    return _charts(_checked(_ChartMessage, message).charts)


def _charts(asked: list[_Chart]) -> tuple[Chart, ...]:
    """Each once, in the order asked for."""
    return tuple(dict.fromkeys(Chart(one.series, one.step_ms, one.zone) for one in asked))


_T = TypeVar("_T", bound=_Message)


def _checked(kind: type[_T], message: dict[str, Any]) -> _T:
    try:
        return kind.model_validate(message)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = first["loc"]
        field = ".".join(str(part) for part in place)
        met = len(place) == 1 and first["type"] in _TOO_MUCH and place[0] in BOUNDS
        raise Unfit(field, f"{field}: {first['msg']}", str(place[0]) if met else None) from None
