"""Takes out of a frame the readings that the database refuses, each by name, and keeps the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import compress

from ingest.buffer import Submission
from ingest.reading import Code, Frame, Refusal, Run, shown


def without_poison(
    submission: Submission, takes: Callable[[tuple[Run, int]], bool]
) -> Submission | None:
    """The frame with its poison refused; None where the database takes each reading by itself.

    `takes` tells whether the database takes the reading at a position of a run.
    """
    frame = submission.frame
    runs: list[Run] = []
    refusals = list(frame.refusals)
    for run in frame.runs:
        good = [takes((run, position)) for position in range(len(run.values))]
        refusals += [
            Refusal(Code.UNSTORABLE, sample, run.metric, value=shown(value))
            for sample, value, is_good in zip(run.samples, run.values, good, strict=True)
            if not is_good
        ]
        if any(good):
            runs.append(_only(run, good))
    if len(refusals) == len(frame.refusals):
        return None
    return replace(submission, frame=Frame(runs, refusals, frame.readings))


def _only(run: Run, chosen: list[bool]) -> Run:
    values = list(compress(run.values, chosen))
    return Run(
        run.metric,
        run.kind,
        list(compress(run.times_us, chosen)),
        values,  # type: ignore[arg-type]
        list(compress(run.samples, chosen)),
    )
