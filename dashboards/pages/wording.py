"""How values and times are written on a first paint. Pure.

`static/dashboards/wording.js` writes the same afterwards; whoever changes one changes the other.
"""

from __future__ import annotations

from dashboards.live.present import Value

EXACT_INTEGER = 2**53


def value_text(value: Value) -> str:
    """A value as people read it: about five digits of a fraction, whole numbers in full."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    size = abs(value)
    if value == int(value) and size < EXACT_INTEGER:
        return str(int(value))
    if size >= 1e9 or size < 1e-3:
        return f"{value:.3e}".replace("e+0", "e+").replace("e-0", "e-")
    decimals = 1 if size >= 1000 else 2 if size >= 10 else 3 if size >= 1 else 4
    return f"{value:.{decimals}f}"


def out_text(value: Value, low: float | None, high: float | None, unit: str) -> str:
    """How a number lies outside of the band that it should keep to; empty where it does not."""
    if isinstance(value, bool | str):
        return ""
    tail = f" {unit}" if unit else ""
    if low is not None and value < low:
        return f"below {value_text(low)}{tail}"
    return f"above {value_text(high)}{tail}" if high is not None and value > high else ""


def ago_text(ms: float) -> str:
    """How long ago, in the largest unit that fits: `now`, `42 s ago`, `3 min ago`."""
    seconds = ms / 1000
    if seconds < 2:
        return "now"
    for size_s, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        if seconds >= size_s:
            return f"{int(seconds // size_s)} {unit} ago"
    return "now"


def counted(number: int, noun: str) -> str:
    """`1 reading`, `1,204 readings`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
