"""What was attempted, held against what is stored."""

from __future__ import annotations

import pytest

from ingest.attempts import Sought
from ingest.comparison import Finding, Matched, Unnamed
from ingest.ledger import BOOLEAN, NUMBER, Fate

KEPT, CONFLICT, REFUSED, UNNAMED, UNKNOWN = Fate


def sought(time_us: int, value: float, fate: Fate = KEPT, kind: int = NUMBER) -> Sought:
    return Sought(time_us, kind, value, fate, 7)


def found(
    stored: list[tuple[int, float | str]], *attempts: Sought, span: tuple[int, int] = (0, 100)
) -> list[tuple[str, int]]:
    findings = Matched(NUMBER, span).findings(stored, attempts)
    return [(finding.what, finding.time_us) for finding in findings]


def test_what_was_acked_and_is_stored_is_well() -> None:
    matched = Matched(NUMBER, (0, 100))
    assert not list(matched.findings([(1, 1.0), (2, 2.0)], [sought(1, 1.0), sought(2, 2.0)]))
    assert matched.present == 2


def test_what_was_acked_and_is_not_stored_is_lost() -> None:
    assert found([(2, 2.0)], sought(1, 1.0), sought(2, 2.0), sought(3, 3.0)) == [
        ("lost", 1),
        ("lost", 3),
    ]


def test_what_is_older_than_the_series_is_kept_is_not_looked_for() -> None:
    matched = Matched(NUMBER, (0, 100), kept_from_us=10)
    attempts = [sought(1, 1.0), sought(2, 2.0, REFUSED), sought(3, 3.0), sought(10, 4.0)]
    findings = list(matched.findings([(3, 5.0), (4, 6.0)], attempts))
    assert [(finding.what, finding.time_us) for finding in findings] == [("lost", 10)]
    assert (matched.present, matched.gone) == (0, 2)


def test_a_reading_sent_twice_is_lost_once() -> None:
    assert found([], sought(1, 1.0), sought(1, 1.0)) == [("lost", 1)]


def test_what_is_stored_and_was_never_attempted_is_a_phantom_within_the_ledgers_time() -> None:
    stored: list[tuple[int, float | str]] = [(1, 1.0), (5, 1.0), (50, 1.0), (101, 1.0)]
    assert found(stored, sought(5, 1.0), span=(2, 100)) == [("phantom", 50)]


def test_what_was_never_settled_may_be_stored_or_not() -> None:
    assert found([(1, 1.0)], sought(1, 1.0, UNKNOWN), sought(2, 1.0, UNKNOWN)) == []
    assert found([(1, 9.0)], sought(1, 1.0, UNKNOWN)) == [("wrong", 1)]


@pytest.mark.parametrize(
    "attempt", [sought(1, 2.0), sought(1, 1.0, kind=BOOLEAN)], ids=["value", "kind"]
)
def test_another_value_or_kind_than_acked_is_wrong(attempt: Sought) -> None:
    assert found([(1, 1.0)], attempt) == [("wrong", 1)]


def test_a_conflict_needs_another_value_that_came_first() -> None:
    assert found([(1, 1.0)], sought(1, 1.0), sought(1, 2.0, CONFLICT)) == []
    assert found([(1, 9.0)], sought(1, 2.0, CONFLICT)) == []
    assert found([(1, 2.0)], sought(1, 2.0, CONFLICT)) == [("wrong", 1)]
    assert found([], sought(1, 2.0, CONFLICT)) == [("lost", 1)]


def test_what_was_refused_must_not_be_stored() -> None:
    assert found([], sought(1, 1.0, REFUSED)) == []
    assert found([(1, 1.0)], sought(1, 1.0, REFUSED)) == [("phantom", 1)]


def test_as_many_may_be_missing_as_were_refused_without_a_name() -> None:
    attempts = [sought(n, 1.0, UNNAMED) for n in (1, 2, 3)]
    assert found([(2, 1.0)], *attempts) == [("unnamed", 1), ("unnamed", 3)]
    assert found([(1, 5.0), (2, 1.0), (3, 1.0)], *attempts) == [("unnamed", 1)]
    one = Unnamed({7: 1})
    missing = [Finding("unnamed", n, "", 7) for n in (1, 3)]
    assert [one.is_lost(each) for each in missing] == [False, True]
