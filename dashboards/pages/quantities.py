"""How counts, bytes and spans of time are written on the system page. Pure."""

from __future__ import annotations

from typing import Final

BYTES: Final = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
SPANS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"))


def count_text(value: float) -> str:
    return f"{round(value):,}"


def bytes_text(size_bytes: float) -> str:
    """In the largest unit that fits, with a decimal below a hundred of it."""
    for size, unit in BYTES:
        if size_bytes >= size:
            many = size_bytes / size
            return f"{many:.0f} {unit}" if many >= 99.95 else f"{many:.1f} {unit}"
    return f"{round(size_bytes)} B"


def span_text(span_s: float) -> str:
    """In the two largest units that fit: `3 d 4 h`, `12 min 5 s`, `8 s`."""
    left = max(0, int(span_s))
    for index, (size, unit) in enumerate(SPANS):
        if left >= size:
            smaller, name = SPANS[index + 1] if index + 1 < len(SPANS) else (1, "s")
            return f"{left // size} {unit} {left % size // smaller} {name}"
    return f"{left} s"


def quantity_text(value: float, unit: str) -> str:
    """Of a figure in `unit`: `count`, `bytes` or `s`."""
    return {"bytes": bytes_text, "s": span_text}.get(unit, count_text)(value)
