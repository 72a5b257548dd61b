"""Every form a frame can have, and what it comes to."""

from __future__ import annotations

import pytest

from ingest.reading import BOOLEAN, NUMBER, TEXT
from tests.unit.ingest.frames import NOW_MS, NOW_US, decoded, refused, stored, taken

EARLIER_MS = NOW_MS - 1_000
EARLIER_US = EARLIER_MS * 1_000


def test_samples_have_a_time_each_and_readings_of_every_kind() -> None:
    values = {"temperature": 21.5, "door": True, "state": "ok"}
    later = {"ts": NOW_MS, "values": {"temperature": 22}}
    assert stored({"readings": [{"ts": EARLIER_MS, "values": values}, later]}) == [
        ("temperature", NUMBER, EARLIER_US, 21.5),
        ("temperature", NUMBER, NOW_US, 22),
        ("door", BOOLEAN, EARLIER_US, True),
        ("state", TEXT, EARLIER_US, "ok"),
    ]


def test_columns_are_arrays_beside_their_times() -> None:
    columns = {"ts": [EARLIER_MS, NOW_MS], "temperature": [21.5, 21.6], "door": [True, False]}
    assert stored({"columns": columns}) == [
        ("temperature", NUMBER, EARLIER_US, 21.5),
        ("temperature", NUMBER, NOW_US, 21.6),
        ("door", BOOLEAN, EARLIER_US, True),
        ("door", BOOLEAN, NOW_US, False),
    ]


def test_a_column_of_texts_is_taken_whole() -> None:
    columns = {"ts": [EARLIER_MS, NOW_MS], "state": ["ok", "größer"]}
    assert stored({"columns": columns}) == [
        ("state", TEXT, EARLIER_US, "ok"),
        ("state", TEXT, NOW_US, "größer"),
    ]


def test_whole_and_fractional_numbers_mix_in_a_column() -> None:
    columns = {"ts": [EARLIER_MS, NOW_MS], "t": [21, 21.5]}
    assert stored({"columns": columns}) == [
        ("t", NUMBER, EARLIER_US, 21),
        ("t", NUMBER, NOW_US, 21.5),
    ]


def test_columns_can_be_timed_by_texts() -> None:
    columns = {"ts": ["2026-11-22T05:49:56Z", NOW_MS], "t": [1.5, 2.5]}
    frame = decoded({"columns": columns})
    assert [at_us for _, _, at_us, _ in taken(frame)] == [1_795_326_596_000_000, NOW_US]


def test_columns_without_times_are_one_sample_of_now() -> None:
    assert stored({"columns": {"t": [21.5], "h": [40]}}) == [
        ("t", NUMBER, NOW_US, 21.5),
        ("h", NUMBER, NOW_US, 40),
    ]


def test_a_bare_object_is_one_sample_of_now() -> None:
    assert stored({"temperature": 21.5}) == [("temperature", NUMBER, NOW_US, 21.5)]


def test_a_bare_object_may_carry_its_time() -> None:
    assert stored({"temperature": 21.5, "ts": EARLIER_MS}) == [
        ("temperature", NUMBER, EARLIER_US, 21.5)
    ]


def test_what_is_reserved_is_no_metric_in_a_bare_object() -> None:
    assert stored({"seq": 3, "age_ms": 0, "ts": NOW_MS, "t": 1}) == [("t", NUMBER, NOW_US, 1)]


def test_what_is_reserved_in_a_bare_object_is_a_metric_beside_a_time() -> None:
    assert stored({"ts": NOW_MS, "values": {"type": 1, "seq": 2}}) == [
        ("type", NUMBER, NOW_US, 1),
        ("seq", NUMBER, NOW_US, 2),
    ]


def test_values_beside_a_time_are_one_sample() -> None:
    assert stored({"ts": EARLIER_MS, "values": {"t": 21.5}}) == [("t", NUMBER, EARLIER_US, 21.5)]


def test_an_array_is_of_samples() -> None:
    assert stored([{"ts": EARLIER_MS, "values": {"t": 1}}, {"values": {"t": 2}}]) == [
        ("t", NUMBER, EARLIER_US, 1),
        ("t", NUMBER, NOW_US, 2),
    ]


@pytest.mark.parametrize(
    "empty",
    [
        {},
        [],
        {"seq": 1},
        {"readings": []},
        {"columns": {}},
        {"columns": {"ts": []}},
        {"columns": {"t": []}},
        {"values": {}},
        {"readings": [{"values": {}}]},
    ],
)
def test_an_empty_frame_has_no_readings(empty: object) -> None:
    assert decoded(empty).readings == 0
    assert stored(empty) == []


@pytest.mark.parametrize(
    "nulls",
    [
        {"t": None},
        {"ts": NOW_MS, "values": {"t": None}},
        {"values": None},
        {"ts": NOW_MS, "values": None},
        {"readings": None},
        {"readings": [None]},
        {"readings": [{"values": None}]},
        {"readings": [{"ts": None, "values": {"t": None}}]},
        {"columns": None},
        {"columns": {"ts": [NOW_MS, NOW_MS], "t": [None, None]}},
        {"columns": {"ts": [NOW_MS], "t": None}},
        {"age_ms": None},
        {"senml": None},
        {"type": None},
        [None],
    ],
)
def test_null_is_no_reading_anywhere(nulls: object) -> None:
    assert decoded(nulls).readings == 0
    assert stored(nulls) == []


def test_null_leaves_its_neighbours_alone() -> None:
    columns = {"ts": [EARLIER_MS, NOW_MS], "t": [None, 2.5], "h": [1.5, None], "x": None}
    assert stored({"columns": columns}) == [
        ("t", NUMBER, NOW_US, 2.5),
        ("h", NUMBER, EARLIER_US, 1.5),
    ]


def test_a_form_that_is_null_gives_way_to_the_one_that_is_there() -> None:
    assert stored({"readings": None, "columns": {"ts": [NOW_MS], "t": [1.5]}}) == [
        ("t", NUMBER, NOW_US, 1.5)
    ]


def test_a_null_time_is_no_time() -> None:
    assert stored({"ts": None, "values": {"t": 1.5}}) == [("t", NUMBER, NOW_US, 1.5)]
    assert stored({"columns": {"ts": None, "t": [1.5]}}) == [("t", NUMBER, NOW_US, 1.5)]
    assert stored({"columns": {"ts": [None], "t": [1.5]}}) == [("t", NUMBER, NOW_US, 1.5)]


def test_readings_are_stronger_than_a_type_beside_them() -> None:
    assert stored({"type": "hello", "values": {"t": 1}}) == [("t", NUMBER, NOW_US, 1)]


def test_readings_come_before_columns_and_columns_before_values() -> None:
    readings, columns = [{"values": {"r": 1}}], {"c": [1]}
    everything = {"readings": readings, "columns": columns, "values": {"v": 1}}
    assert [metric for metric, *_ in stored(everything)] == ["r"]
    assert [metric for metric, *_ in stored({"columns": columns, "values": {"v": 1}})] == ["c"]


def test_of_a_metric_named_twice_in_one_object_the_last_counts() -> None:
    assert stored('{"t":1,"t":2}') == [("t", NUMBER, NOW_US, 2)]


def test_a_message_of_an_unknown_type_is_refused() -> None:
    assert refused({"type": "goodbye"}) == [("bad_frame", None, None, 1)]


@pytest.mark.parametrize(
    "senml",
    [
        {"senml": [{"n": "t", "v": 1}]},
        [{"n": "t", "v": 1}],
        [{"bn": "urn:dev:ow:10e2073a01080063:", "n": "t", "v": 1}],
    ],
)
def test_senml_is_not_taken_yet(senml: object) -> None:
    assert refused(senml) == [("unsupported", None, None, 1)]


@pytest.mark.parametrize("wrong", [5, "x", True, {"values": {"t": 1}}])
def test_readings_that_are_no_array_refuse_the_frame(wrong: object) -> None:
    assert refused({"readings": wrong}) == [("bad_frame", None, None, 1)]


@pytest.mark.parametrize("wrong", [5, "x", [1, 2], {"t": 5}, {"ts": NOW_MS, "t": [1]}])
def test_columns_that_are_no_arrays_refuse_the_frame(wrong: object) -> None:
    assert refused({"columns": wrong}) == [("bad_frame", None, None, 1)]


def test_columns_of_unequal_length_are_refused_with_all_their_readings() -> None:
    columns = {"ts": [NOW_MS, NOW_MS], "t": [1, 2, None], "h": [3]}
    assert refused({"columns": columns}) == [("bad_frame", None, None, 3)]


@pytest.mark.parametrize("wrong", [5, "x", True, [1], {"t": 5}, {"values": [1]}, {"values": "x"}])
def test_a_sample_of_the_wrong_shape_is_refused_and_its_neighbours_are_taken(wrong: object) -> None:
    frame = decoded({"readings": [{"values": {"t": 1}}, wrong]})
    assert taken(frame) == [("t", NUMBER, NOW_US, 1)]
    assert [(r.code, r.sample, r.count) for r in frame.refusals] == [("bad_sample", 1, 1)]


def test_a_frame_with_too_many_readings_is_refused_whole() -> None:
    samples = [{"ts": EARLIER_MS + i, "values": {"t": 1, "h": 2}} for i in range(3)]
    assert refused({"readings": samples}, readings=5) == [("bad_frame", None, None, 6)]
    columns = {"ts": [EARLIER_MS, NOW_MS], "t": [1, 2], "h": [3, 4], "w": [5, None]}
    assert refused({"columns": columns}, readings=4) == [("bad_frame", None, None, 5)]


def test_null_is_not_counted_among_too_many() -> None:
    columns = {"ts": [EARLIER_MS, NOW_MS], "t": [1, None], "h": [None, 4]}
    assert decoded({"columns": columns}, readings=2).readings == 2


def test_refusals_tell_what_was_sent_shortened() -> None:
    refusal = decoded({"t": ["x" * 500]}).refusals[0]
    assert refusal.value.startswith("['xxx")
    assert len(refusal.value) == 200
