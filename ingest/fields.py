"""How a moment is kept: microseconds since 1970 in SQLite, timestamptz in PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_us(moment: datetime) -> int:
    """Microseconds since 1970 of an aware `moment`, exactly."""
    return (moment - EPOCH) // _MICROSECOND


def from_us(at_us: int) -> datetime:
    """The UTC moment `at_us` microseconds after 1970. OverflowError outside years 1 to 9999."""
    return EPOCH + timedelta(microseconds=at_us)


if TYPE_CHECKING:
    _Field = models.Field[datetime, datetime]
else:
    _Field = models.Field


class InstantField(_Field):
    """An aware UTC datetime whose microseconds survive, and whose order is the database's own."""

    description = "A moment, in microseconds"

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "timestamptz" if connection.vendor == "postgresql" else "bigint"

    def from_db_value(
        self, value: int | datetime | None, expression: object, connection: BaseDatabaseWrapper
    ) -> datetime | None:
        if isinstance(value, int):
            return from_us(value)
        return value.astimezone(UTC) if value is not None else None

    def to_python(self, value: Any) -> datetime | None:
        if value is None or isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError as error:
            raise ValidationError("Enter an ISO 8601 time with an offset.") from error
        if moment.tzinfo is None:
            raise ValidationError("Enter an ISO 8601 time with an offset.")
        return moment

    def get_prep_value(self, value: Any) -> datetime | None:
        moment = self.to_python(super().get_prep_value(value))
        if moment is not None and moment.tzinfo is None:
            raise ValueError("a moment needs its time zone: use an aware datetime")
        return moment

    def get_db_prep_value(
        self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False
    ) -> int | datetime | None:
        moment = value if prepared else self.get_prep_value(value)
        if moment is None or connection.vendor == "postgresql":
            return moment
        return to_us(moment)
