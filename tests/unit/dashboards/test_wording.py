"""How values and ages read; the browser's tests hold its modules to the same words."""

from __future__ import annotations

import pytest

from dashboards.live.present import Value
from dashboards.pages.wording import ago_text, out_text, value_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (21.5, "21.50"),
        (21, "21"),
        (21.0, "21"),
        (-0.03, "-0.0300"),
        (1.23456, "1.235"),
        (1013.25, "1013.2"),
        (0, "0"),
        (1e-5, "1.000e-5"),
        (1.5e12, "1500000000000"),
        (1.5e300, "1.500e+300"),
        (2.5e9 + 0.5, "2.500e+9"),
        (True, "true"),
        (False, "false"),
        ("ok <b>", "ok <b>"),
    ],
)
def test_a_value_reads_as_people_write_it(value: Value, text: str) -> None:
    assert value_text(value) == text


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (-5000, "now"),
        (1999, "now"),
        (2000, "2 s ago"),
        (59_999, "59 s ago"),
        (60_000, "1 min ago"),
        (3_600_000, "1 h ago"),
        (200_000_000, "2 d ago"),
    ],
)
def test_an_age_reads_in_its_largest_unit(ms: float, text: str) -> None:
    assert ago_text(ms) == text


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (21.5, 10, 30, ""),
        (10, 10, 30, ""),
        (9.5, 10, 30, "below 10 °C"),
        (30.25, None, 30, "above 30 °C"),
        (-500, None, None, ""),
        (True, 10, 30, ""),
        ("warm", 10, 30, ""),
    ],
)
def test_what_is_out_of_its_band_is_said(
    value: Value, low: float | None, high: float | None, text: str
) -> None:
    assert out_text(value, low, high, "°C") == text
