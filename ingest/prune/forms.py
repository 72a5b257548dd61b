"""The four forms in which something is kept, and where each of them is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db import connection

from devices.models import Kind
from ingest.models import Horizon, Rollup


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """`step_s` as `Horizon` has it; `finer` is that of what it is made of, None for readings."""

    name: str
    step_s: int
    finer: int | None
    time: str
    tables: dict[str, str]
    of_texts: bool = False

    @property
    def table(self) -> str:
        return self.tables[connection.vendor]

    @property
    def whose(self) -> str:
        """SQL: that a row of `devices_series` s has this form."""
        return f"s.kind {'=' if self.of_texts else '<>'} {int(Kind.TEXT)}"

    @property
    def which(self) -> str:
        """SQL: that a row of the table is of this form, after other conditions."""
        return f" AND step_s = {self.step_s}" if self.step_s else ""


NUMBERS: Final = Form(
    "readings",
    Horizon.READINGS,
    None,
    "time",
    {"sqlite": "ingest_sealed", "postgresql": "ingest_reading"},
)
TEXTS: Final = Form(
    "texts",
    Horizon.READINGS,
    None,
    "time",
    dict.fromkeys(NUMBERS.tables, "ingest_textreading"),
    True,
)
_ROLLUPS: Final = dict.fromkeys(NUMBERS.tables, "ingest_rollup")
MINUTES: Final = Form("rollups of a minute", Rollup.MINUTE_S, Horizon.READINGS, "start", _ROLLUPS)
HOURS: Final = Form("rollups of an hour", Rollup.HOUR_S, Rollup.MINUTE_S, "start", _ROLLUPS)
# In this order: rollups go no further than what they are made of has gone.
FORMS: Final = (NUMBERS, TEXTS, MINUTES, HOURS)
