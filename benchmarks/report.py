"""The table and the JSON. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from benchmarks.figures import Figures, Row, Run

NAMES: Final = {
    "usual": "usual consumer",
    "hub": "hub",
    "uvicorn": "hub by uvicorn",
    "bare": "bare writer",
}
TITLES: Final = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
HEAD: Final = (
    "frames of",
    "what",
    "readings/s",
    "frames/s",
    "×usual",
    "×bare",
    "ack p50 p99 ms",
    "at 50 %: p50 p99",
    "CPU s/M",
    "peak MB",
    "B/reading",
    "others",
)
LIMITED: Final = 0.95
"""A client that used this share of its core was the limit, not the server."""


def table(rows: Sequence[Row]) -> str:
    """One block an engine; `!` marks a wanted ratio that was not reached, `c` a busy client."""
    blocks = []
    for engine in dict.fromkeys(row.engine for row in rows):
        lines: list[tuple[str, ...]] = [HEAD]
        for row in rows:
            if row.engine == engine:
                for kind, figures in row.medians.items():
                    lines.append(_line(row, kind, figures))
        blocks.append(f"Daphne and {TITLES[engine]}\n\n{_aligned(lines)}")
    return "\n\n".join([*blocks, *_notes(rows)])


def _line(row: Row, kind: str, figures: Figures) -> tuple[str, ...]:
    busy = " c" if (figures.client_busy or 0) >= LIMITED else ""
    return (
        row.shape.title,
        NAMES[kind],
        _whole(figures.readings_per_s) + busy,
        _whole(figures.frames_per_s),
        _ratio(row, "usual") if kind == "hub" else "",
        _ratio(row, "bare") if kind == "hub" else "",
        _pair(figures.ack_p50_ms, figures.ack_p99_ms),
        _pair(figures.open_p50_ms, figures.open_p99_ms),
        _short(figures.cpu_s_per_million),
        _whole(figures.peak_mb),
        _whole(figures.written_per_reading),
        "" if figures.foreign is None else f"{figures.foreign:.0%}",
    )


def _ratio(row: Row, to: Any) -> str:
    ratio, wanted = row.ratio(to), row.shape.wanted.get(to)
    if ratio is None:
        return ""
    return f"{ratio:.3g}{' !' if wanted is not None and ratio < wanted else ''}"


def _notes(rows: Sequence[Row]) -> list[str]:
    missed = [
        f"! {TITLES[row.engine]}, {row.shape.title}: {sentence}"
        for row in rows
        for sentence in row.missed
    ]
    return ["\n".join(missed)] if missed else []


def _aligned(lines: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _whole(figure: float | None) -> str:
    return "" if figure is None else f"{figure:,.0f}"


def _short(figure: float | None) -> str:
    return "" if figure is None else f"{figure:,.3g}" if figure < 100 else f"{figure:,.0f}"


def _pair(p50: float | None, p99: float | None) -> str:
    return "" if p50 is None or p99 is None else f"{p50:,.0f} {p99:,.0f}"


def as_json(
    rows: Sequence[Row], runs: Sequence[Run], machine: dict[str, object], plan: dict[str, object]
) -> dict[str, object]:
    """Everything: the medians, and each measurement they are of."""
    return {
        "machine": machine,
        "plan": plan,
        "rows": [
            {
                "engine": row.engine,
                "shape": row.shape.name,
                "title": row.shape.title,
                "times_usual": row.ratio("usual"),
                "times_bare": row.ratio("bare"),
                "wanted": row.shape.wanted,
                "missed": row.missed,
                **{kind: asdict(figures) for kind, figures in row.medians.items()},
            }
            for row in rows
        ],
        "runs": [asdict(run) for run in runs],
    }
