"""Recorded files: every digit and every time as recorded."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import orjson
import pytest

from simulators import Trouble, recordings
from simulators.recordings import Layout, Sample, local_time, read
from simulators.replay import Playback, assign, frame_text, shift_us
from simulators.tokens import Credential

ROOM = """\
1, 1458031648545, 1, 1, 20.48, 42.332, 185.71, 492.2, 0, 0, 0, 1
2, 1458031648645, 1, 4, 20.73, 39.983, 214.29, 657.8, 2, 4, 1, 0
"""
OFFICE = """\
"date","Temperature","Humidity","Light","CO2","HumidityRatio","Occupancy"
"1","2015-02-04 17:51:00",23.18,27.272,426,721.25,0.00479298817650529,1
"""
MACHINE = """\
timestamp,value
2013-12-02 21:15:00,73.96732207
2013-12-02 21:20:00,74.93588199999998
"""


def us(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp()) * 1_000_000


def samples(text: str, layout: Layout) -> list[Sample]:
    return list(read(text.splitlines(), layout, "it"))


def test_room_climate_has_a_node_a_line_and_booleans() -> None:
    first, second = samples(ROOM, recordings.room_climate())
    assert (first.node, first.time_us) == ("1", 1458031648545000)
    assert first.values == {
        "temperature": "20.48",
        "humidity": "42.332",
        "light_1": "185.71",
        "light_2": "492.2",
        "occupants": "0",
        "activity": "0",
        "door": "false",
        "window": "true",
    }
    assert second.node == "4"


def test_occupancy_has_a_column_its_header_does_not_name() -> None:
    (sample,) = samples(OFFICE, recordings.occupancy(UTC))
    assert sample.time_us == us(2015, 2, 4, 17, 51)
    assert sample.values["temperature"] == "23.18"
    assert sample.values["humidity_ratio"] == "0.00479298817650529"
    assert sample.values["occupancy"] == "true"


def test_machine_temperature_keeps_every_digit() -> None:
    first, second = samples(MACHINE, recordings.machine_temperature(UTC))
    assert first.time_us == us(2013, 12, 2, 21, 15)
    assert second.values == {"temperature": "74.93588199999998"}


def test_local_times_are_of_the_zone() -> None:
    (sample,) = samples(OFFICE, recordings.occupancy(ZoneInfo("Europe/Brussels")))
    assert sample.time_us == us(2015, 2, 4, 16, 51)


@pytest.mark.parametrize(
    ("pattern", "text", "expected_us"),
    [
        ("s", "1458031648", 1458031648000000),
        ("s", "1458031648.545123", 1458031648545123),
        ("ms", "1458031648545", 1458031648545000),
        ("ms", "1458031648545.25", 1458031648545250),
        ("iso", "2016-03-15T08:47:28.545123Z", 1458031648545123),
        ("iso", "2016-03-15T09:47:28.545123+01:00", 1458031648545123),
        ("%d.%m.%Y %H:%M", "15.03.2016 08:47", us(2016, 3, 15, 8, 47)),
    ],
)
def test_times_are_read_to_the_microsecond(pattern: str, text: str, expected_us: int) -> None:
    assert local_time(pattern, UTC)(text) == expected_us


def csv_layout() -> Layout:
    return Layout({"a": "a", "b": "b"}, local_time("s", UTC), "when")


@pytest.mark.parametrize(
    ("cell", "sent"),
    [("1", "1"), ("-0.50", "-0.50"), (".5", "0.5"), ("1e5", "1e5"), ("+7", "7.0"), ("007", "7.0")],
)
def test_numbers_that_are_not_json_are_rewritten_and_the_others_left(cell: str, sent: str) -> None:
    (sample,) = samples(f"when,a,b\n1,{cell},2\n", csv_layout())
    assert sample.values["a"] == sent


@pytest.mark.parametrize("cell", ["", "n/a", "NaN", "inf"])
def test_a_cell_without_a_number_is_no_reading(cell: str) -> None:
    (sample,) = samples(f"when,a,b\n1,{cell},2\n", csv_layout())
    assert sample.values == {"a": None, "b": "2"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("when,a,b\n1,1,2\nnonsense,1,2\n", "it, line 3: invalid literal"),
        ("when,a,b\n1,1\n", "it, line 2: 2 columns instead of 3"),
        ("when,a\n1,1\n", "it has no column 'b'; it has when, a"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(text: str, said: str) -> None:
    with pytest.raises(Trouble, match=said):
        samples(text, csv_layout())


def spaced(*seconds: int) -> list[Sample]:
    return [Sample("", s * 1_000_000, {"a": "1", "b": None if s else "2"}) for s in seconds]


@pytest.mark.parametrize(
    ("speed", "first_s", "last_s"),
    [(None, 900, 1000), (1.0, 1000, 1100), (2.0, 950, 1050), (0.5, 1000, 1100)],
)
def test_times_shifted_to_now_are_never_in_the_future_when_sent(
    speed: float | None, first_s: int, last_s: int
) -> None:
    recorded = spaced(500, 600)
    playback = Playback(speed=speed, shift_to_now=True, form="samples", samples=100)
    later_us = shift_us(recorded, playback, 1_000_000_000)
    times = [(sample.time_us + later_us) // 1_000_000 for sample in recorded]
    assert times == [first_s, last_s]


def test_times_are_kept_unless_asked() -> None:
    playback = Playback(speed=None, shift_to_now=False, form="samples", samples=100)
    assert shift_us(spaced(5), playback, 1_000_000_000) == 0


def test_a_frame_of_samples_leaves_out_what_is_no_reading() -> None:
    text, readings = frame_text(spaced(0, 1), "samples", 0)
    assert text == b'"readings":[{"ts":0,"values":{"a":1,"b":2}},{"ts":1000,"values":{"a":1}}]}'
    assert readings == 3


def test_a_frame_of_columns_has_null_where_there_is_no_reading() -> None:
    text, readings = frame_text(spaced(0, 1), "columns", 250)
    assert text == b'"columns":{"ts":[0.250,1000.250],"a":[1,1],"b":[2,null]}}'
    assert orjson.loads(b"{" + text)
    assert readings == 3


CREDENTIALS = [Credential("room-1", "x"), Credential("room-2", "y"), Credential("other", "z")]


def test_nodes_are_given_devices_by_order_or_by_prefix_or_by_name() -> None:
    assert assign(["1", "2"], CREDENTIALS[::-1], None, None)["2"].uid == "room-2"
    assert assign(["2", "1"], CREDENTIALS, None, "room-")["2"].uid == "room-2"
    assert assign([""], CREDENTIALS, "other", None)[""].uid == "other"


def test_a_node_without_a_device_is_named() -> None:
    with pytest.raises(Trouble, match="no device room-3"):
        assign(["1", "3"], CREDENTIALS, None, "room-")
    with pytest.raises(Trouble, match="4 nodes, the tokens file 3 devices"):
        assign(list("1234"), CREDENTIALS, None, None)
