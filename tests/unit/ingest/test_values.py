"""Values, metrics and kinds: what is taken at its limits, and by which name the rest is refused."""

from __future__ import annotations

import json
import math

import pytest

from ingest.reading import BOOLEAN, NUMBER, TEXT, _matches
from tests.unit.ingest.frames import NOW_MS, NOW_US, decoded, named, refused, sample, stored, taken

FORMS = ["samples", "columns"]


def frame_of(literal: str, form: str, metric: str = '"t"') -> str:
    """One reading, its value written as in JSON."""
    if form == "columns":
        return f'{{"columns":{{"ts":[{NOW_MS}],{metric}:[{literal}]}}}}'
    return f'{{"ts":{NOW_MS},"values":{{{metric}:{literal}}}}}'


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("literal", ["0", "-0.0", "1e300", "-1e300", str(2**53), str(-(2**53))])
def test_numbers_are_taken_up_to_their_limits(literal: str, form: str) -> None:
    assert stored(frame_of(literal, form)) == [("t", NUMBER, NOW_US, float(literal))]


REFUSED = [
    ("NaN", "not_finite"),
    ("Infinity", "not_finite"),
    ("-Infinity", "not_finite"),
    ("1e999", "not_finite"),
    ("-1e999", "not_finite"),
    ("1.1e300", "out_of_range"),
    ("1.7976931348623157e308", "out_of_range"),
    (str(2**53 + 1), "out_of_range"),
    (str(-(2**53) - 1), "out_of_range"),
    ("1" * 30, "out_of_range"),
    ("-" + "9" * 400, "out_of_range"),
    ("1" * 5_000, "out_of_range"),
    ("{}", "bad_value"),
    ("[1]", "bad_value"),
    ("[" * 200 + "]" * 200, "bad_value"),
    ('"' + "x" * 1_025 + '"', "text_too_long"),
    (r'"a\u0000b"', "bad_text"),
    (r'"\ud800"', "bad_text"),
    (r'"\udc00\ud800"', "bad_text"),
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("literal", "code"), REFUSED, ids=lambda case: str(case)[:20])
def test_a_value_that_cannot_be_kept_is_refused_by_name(literal: str, code: str, form: str) -> None:
    assert refused(frame_of(literal, form)) == [(code, 0, "t", 1)]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("literal", "code"), REFUSED, ids=lambda case: str(case)[:20])
def test_a_refused_value_leaves_its_neighbours_alone(literal: str, code: str, form: str) -> None:
    if form == "columns":
        text = f'{{"columns":{{"ts":[{NOW_MS},{NOW_MS + 1}],"t":[1.5,{literal}],"h":[2,3]}}}}'
    else:
        text = (
            f'{{"readings":[{{"ts":{NOW_MS},"values":{{"t":1.5,"h":2}}}},'
            f'{{"ts":{NOW_MS + 1},"values":{{"t":{literal},"h":3}}}}]}}'
        )
    frame = decoded(text)
    assert taken(frame) == [
        ("t", NUMBER, NOW_US, 1.5),
        ("h", NUMBER, NOW_US, 2),
        ("h", NUMBER, NOW_US + 1_000, 3),
    ]
    assert named(frame.refusals) == [(code, 1, "t", 1)]


@pytest.mark.parametrize("form", FORMS)
def test_texts_are_taken_up_to_their_limit(form: str) -> None:
    assert stored(frame_of('"' + "ü" * 1_024 + '"', form)) == [("t", TEXT, NOW_US, "ü" * 1_024)]


@pytest.mark.parametrize("form", FORMS)
def test_a_pair_of_surrogates_is_one_character(form: str) -> None:
    assert stored(frame_of(r'"\ud83d\ude00"', form)) == [("t", TEXT, NOW_US, "😀")]


def test_a_boolean_is_no_number() -> None:
    assert [kind for _, kind, *_ in stored({"a": True, "b": 1, "c": 1.0})] == [
        BOOLEAN,
        NUMBER,
        NUMBER,
    ]


def test_the_largest_values_can_be_summed() -> None:
    columns = {"ts": [NOW_MS, NOW_MS], "t": [1e300, 1e300]}
    assert math.isfinite(sum(value for *_, value in stored({"columns": columns})))


def test_a_huge_integer_beside_a_fraction_in_a_column_is_refused_alone() -> None:
    text = f'{{"columns":{{"ts":[{NOW_MS},{NOW_MS + 1}],"t":[{"7" * 400},1.5]}}}}'
    frame = decoded(text)
    assert taken(frame) == [("t", NUMBER, NOW_US + 1_000, 1.5)]
    assert named(frame.refusals) == [("out_of_range", 0, "t", 1)]


def test_nan_in_the_midst_of_a_column_is_found() -> None:
    text = f'{{"columns":{{"ts":{[NOW_MS] * 3},"t":[1.5,NaN,2.5]}}}}'
    assert named(decoded(text).refusals) == [("not_finite", 1, "t", 1)]


@pytest.mark.parametrize("metric", ["t", "T9", "a" * 128, "a_b.c:d/e-f"])
@pytest.mark.parametrize("form", FORMS)
def test_metrics_are_named_by_letters_digits_and_some_signs(metric: str, form: str) -> None:
    assert stored(frame_of("1", form, f'"{metric}"')) == [(metric, NUMBER, NOW_US, 1)]


@pytest.mark.parametrize(
    ("metric", "shown"),
    [
        ("", ""),
        ("room temperature", "room temperature"),
        ("9t", "9t"),
        ("_t", "_t"),
        ("größe", "größe"),
        ("t\\n", "t\n"),
        ("t\\u0000", "t\\0"),
        ("t\\ud800", "t\\ud800"),
        ("a" * 129, "a" * 128),
    ],
)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("literal", ["1", "1.5", '"x"', "[]", "NaN"])
def test_a_metric_of_another_form_is_refused_under_a_name_that_can_be_kept(
    metric: str, shown: str, form: str, literal: str
) -> None:
    assert refused(frame_of(literal, form, f'"{metric}"')) == [("bad_metric", 0, shown, 1)]


@pytest.mark.parametrize("form", FORMS)
def test_a_hub_may_ask_for_shorter_names_and_texts_and_says_how_short(form: str) -> None:
    text = frame_of('"héllo"', form, '"' + "m" * 7 + '"')
    bounds = {"metric_characters": 7, "text_characters": 5}
    assert taken(decoded(text, **bounds)) == [("m" * 7, TEXT, NOW_US, "héllo")]
    [refusal] = decoded(text, metric_characters=6).refusals
    assert (refusal.code, refusal.metric) == ("bad_metric", "m" * 7)
    assert refusal.message.endswith("at most 6 in all")
    [refusal] = decoded(text, text_characters=4).refusals
    assert (refusal.code, refusal.value) == ("text_too_long", "héllo")
    assert refusal.message == "a text has at most 4 characters"


@pytest.mark.parametrize("form", FORMS)
def test_a_column_or_sample_of_short_and_long_texts_keeps_the_short_ones(form: str) -> None:
    if form == "columns":
        text = f'{{"columns":{{"ts":[{NOW_MS},{NOW_MS + 1}],"t":["four","five!"]}}}}'
    else:
        text = json.dumps([sample("four"), sample("five!", NOW_MS + 1)])
    frame = decoded(text, text_characters=4)
    assert taken(frame) == [("t", TEXT, NOW_US, "four")]
    assert named(frame.refusals) == [("text_too_long", 1, "t", 1)]


def test_only_names_that_are_short_are_remembered() -> None:
    before = _matches.cache_info().currsize
    for i in range(20):
        refused(sample(1, metric="a" * (200_000 + i)))
    assert _matches.cache_info().currsize == before


def test_a_metric_may_change_its_kind_within_a_frame_and_the_writer_decides() -> None:
    columns = {"ts": [NOW_MS] * 4, "t": [1, "x", 2.5, True]}
    assert stored({"columns": columns}) == [
        ("t", NUMBER, NOW_US, 1),
        ("t", NUMBER, NOW_US, 2.5),
        ("t", TEXT, NOW_US, "x"),
        ("t", BOOLEAN, NOW_US, True),
    ]
    assert stored([sample(1), sample("x"), sample(2.5), sample(True)]) == stored(
        {"columns": columns}
    )


@pytest.mark.parametrize("kind", [NUMBER, BOOLEAN, TEXT])
def test_a_bad_metric_never_passes_for_another_one(kind: int) -> None:
    samples = [sample(1), sample(True), sample("x"), sample("y", metric=f"t {kind}")]
    assert named(decoded(samples).refusals) == [("bad_metric", 3, f"t {kind}", 1)]
