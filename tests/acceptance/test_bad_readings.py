"""Readings and frames that no device should send: refused by name, with no harm to anybody else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from tests.acceptance.conftest import ENGINES
from tests.acceptance.devices import device, frame, sample
from tests.hubs import Hub, Store

DEEP = 200

pytestmark = pytest.mark.usefixtures("neighbour")


@pytest.fixture(scope="module", params=ENGINES)
def hub(
    request: pytest.FixtureRequest,
    new_store: Callable[[str], Store],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Hub]:
    with Hub(new_store(request.param), tmp_path_factory.mktemp("hub")) as hub:
        yield hub


def value(text: str) -> str:
    return f'{{"ts":1750000000000,"values":{{"x":{text}}}}}'


def at(text: str) -> str:
    return f'{{"ts":{text},"values":{{"x":1}}}}'


NOT_FINITE = "value must be a finite number"
OUT_OF_RANGE = "value must be at most 1e300 in magnitude, an integer at most 2^53"
BAD_VALUE = "value must be a number, a boolean or a text"
BAD_TEXT = "a text must not hold NUL or a lone surrogate"
BAD_METRIC = (
    "a metric starts with a letter and goes on with letters, digits and _ . : / -, at most 128"
    " in all"
)
BAD_SAMPLE = 'a sample must be an object with its readings in "values"'
TS_INVALID = "ts must be Unix time in milliseconds or an ISO 8601 text with an offset"
TS_FUTURE = "ts lies in the future: check the clock of the device"
TS_UNIT = "ts looks like seconds: send Unix time in milliseconds"
TOO_OLD = "ts lies before what the hub keeps"

REFUSED = {
    "a NaN literal": (value("NaN"), "not_finite", NOT_FINITE),
    "Infinity": (value("Infinity"), "not_finite", NOT_FINITE),
    "-Infinity": (value("-Infinity"), "not_finite", NOT_FINITE),
    "1e999": (value("1e999"), "not_finite", NOT_FINITE),
    "a number above 1e300": (value("1.5e308"), "out_of_range", OUT_OF_RANGE),
    "an integer beyond 2^53": (value("9007199254740993"), "out_of_range", OUT_OF_RANGE),
    "an integer below -2^53": (value("-9007199254740993"), "out_of_range", OUT_OF_RANGE),
    "an integer of 400 digits": (value("9" * 400), "out_of_range", OUT_OF_RANGE),
    "an integer of 10,000 digits": (value("9" * 10_000), "out_of_range", OUT_OF_RANGE),
    "a text with NUL": (value(r'"a\u0000b"'), "bad_text", BAD_TEXT),
    "a text with a lone surrogate": (value(r'"\ud800"'), "bad_text", BAD_TEXT),
    "a text that is too long": (
        value(json.dumps("x" * 1_025)),
        "text_too_long",
        "a text has at most 1024 characters",
    ),
    "an array as a value": (value("[1]"), "bad_value", BAD_VALUE),
    "an object as a value": (value('{"y":1}'), "bad_value", BAD_VALUE),
    "a value nested 200 deep": (value("[" * DEEP + "]" * DEEP), "bad_value", BAD_VALUE),
    "a metric with a space": ('{"a b":1}', "bad_metric", BAD_METRIC),
    "a metric without a name": ('{"":1}', "bad_metric", BAD_METRIC),
    "a metric with NUL": (r'{"a\u0000":1}', "bad_metric", BAD_METRIC),
    "a metric with a lone surrogate": (r'{"a\udfff":1}', "bad_metric", BAD_METRIC),
    "a metric whose name is too long": (json.dumps({"a" * 129: 1}), "bad_metric", BAD_METRIC),
    "a metric that ends its line": (r'{"a\n":1}', "bad_metric", BAD_METRIC),
    "year 0 in milliseconds": (at("-62167219200000"), "too_old", TOO_OLD),
    "year 0 in ISO 8601": (at('"0000-01-01T00:00:00Z"'), "ts_invalid", TS_INVALID),
    "a moment before year 1": (at('"0001-01-01T00:00:00+01:00"'), "too_old", TOO_OLD),
    "year 10000 in milliseconds": (at("253402300800000"), "ts_future", TS_FUTURE),
    "year 10000 in ISO 8601": (at('"10000-01-01T00:00:00Z"'), "ts_invalid", TS_INVALID),
    "a moment after year 9999": (at('"9999-12-31T23:59:59-01:00"'), "ts_future", TS_FUTURE),
    "a time beyond any": (at("1e300"), "ts_future", TS_FUTURE),
    "a time before any": (at("-1e300"), "too_old", TOO_OLD),
    "a time that is NaN": (at("NaN"), "ts_invalid", TS_INVALID),
    "a time that is infinite": (at("1e999"), "ts_invalid", TS_INVALID),
    "a time in seconds": (at("1750000000"), "ts_unit", TS_UNIT),
    "a time without an offset": (at('"2025-06-15T12:00:00"'), "ts_invalid", TS_INVALID),
    "a time that is no time": (at("true"), "ts_invalid", TS_INVALID),
    "a sample that is none": ('{"readings":[7]}', "bad_sample", BAD_SAMPLE),
    "samples nested 200 deep": ("[" * DEEP + "]" * DEEP, "bad_sample", BAD_SAMPLE),
    "values that are none": ('{"values":[1]}', "bad_sample", BAD_SAMPLE),
    "readings that are none": (
        '{"readings":{}}',
        "bad_frame",
        "readings must be an array of samples",
    ),
    "columns that are none": (
        '{"columns":[1]}',
        "bad_frame",
        "columns must be an object of arrays",
    ),
    "columns of two lengths": (
        '{"columns":{"ts":[1750000000000],"x":[]}}',
        "bad_frame",
        "the columns must all be of one length",
    ),
    "an unknown type": (
        '{"type":"reboot"}',
        "bad_frame",
        "the hub knows no message of this type",
    ),
    "a negative age": (
        '{"age_ms":-1,"values":{"x":1}}',
        "bad_frame",
        "age_ms must be a number of milliseconds, not negative",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_a_bad_reading_is_refused_by_name_and_the_connection_lives(
    hub: Hub, token: str, what: str
) -> None:
    text, code, message = REFUSED[what]
    async with device(hub.url, token) as abuser:
        ack = await abuser.ask(text)
        (error,) = ack.pop("errors")
        assert ack == {"type": "ack", "seq": 1, "stored": 0, "duplicate": 0, "rejected": 1}
        assert (error["seq"], error["code"], error["message"]) == (1, code, message)
        assert (await abuser.ask({"fine": 1.5}))["stored"] == 1


async def test_bad_frames_of_a_stream_are_settled_and_never_asked_for_again(
    hub: Hub, token: str
) -> None:
    frames = {what: it for what, it in REFUSED.items() if it[0].startswith("{")}
    async with device(hub.url, token) as abuser:
        await abuser.hello()
        for seq, (text, code, _) in enumerate(frames.values(), start=1):
            ack = await abuser.ask(f'{{"seq":{seq},{text[1:]}')
            assert (ack["seq"], ack["rejected"], ack["errors"][0]["code"]) == (seq, 1, code)
        again = await abuser.ask(frame(1))
        assert (again["seq"], again["stored"]) == (len(frames), 0)


async def test_a_bad_reading_does_not_fail_its_neighbours(hub: Hub, token: str) -> None:
    async with device(hub.url, token) as abuser:
        ack = await abuser.ask(
            '{"readings":[{"values":{"good":1.5,"bad":NaN,"b d":1}},'
            '{"ts":1,"values":{"p":1,"q":2}}]}'
        )
        assert (ack["stored"], ack["duplicate"], ack["rejected"]) == (1, 0, 4)
        assert {error["code"]: error.get("count", 1) for error in ack["errors"]} == {
            "not_finite": 1,
            "bad_metric": 1,
            "ts_unit": 2,
        }


async def test_values_whose_sum_overflows_are_out_of_range_each(hub: Hub, token: str) -> None:
    columns = '{"columns":{"ts":[1750000000000,1750000001000],"x":[1.7e308,1.7e308]}}'
    async with device(hub.url, token) as abuser:
        ack = await abuser.ask(columns)
        assert (ack["rejected"], ack["errors"][0]["count"]) == (2, 2)
        assert ack["errors"][0]["code"] == "out_of_range"


async def test_the_largest_values_are_stored(hub: Hub, token: str) -> None:
    async with device(hub.url, token) as abuser:
        ack = await abuser.ask(
            '{"readings":[{"values":{"most":1e300,"least":-1e300,"whole":9007199254740992}}]}'
        )
        assert ack["stored"] == 3


@pytest.mark.parametrize("text", ["{}", "[]", '{"readings":[]}', '{"columns":{}}', '{"x":null}'])
async def test_an_empty_frame_is_acked_with_zero_counts(hub: Hub, token: str, text: str) -> None:
    async with device(hub.url, token) as abuser:
        nothing = {"type": "ack", "seq": 1, "stored": 0, "duplicate": 0, "rejected": 0}
        assert await abuser.ask(text) == nothing


async def test_a_hundred_samples_of_nonsense_keep_their_count(hub: Hub, token: str) -> None:
    async with device(hub.url, token) as abuser:
        bad = [sample(n, **{f"bad metric {n}": 1}) for n in range(100)]
        ack = await abuser.ask({"readings": bad})
        assert ack["rejected"] == 100
        assert len(ack["errors"]) == 32
        assert ack["errors_truncated"] is True
