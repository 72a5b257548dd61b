"""Lines of an export: what a spreadsheet and a program read back from them."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest

from dashboards.export.formats import MARK, PIECE_ROWS, Csv, Ndjson, field
from dashboards.export.instants import written
from dashboards.export.runs import ExportedSeries, Run
from devices.models import Kind

NOON_US = 1_795_867_200_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

NUMBERS = [21.5, -3.0, 0.1 + 0.2, 1e300, -5e-324, 0.0, 2.0**53, 1 / 3, 123456789.123456789]
TEXTS = [
    *("ok", "", " ", "a,b", 'say "no"', '"', "one\r\ntwo", "\n", "\r", "l'eau", "'quoted'", "''"),
    *("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠x", "-"),
    *(
        "مرحبا",
        "\u202eabc",
        "日本語",
        "👩‍👩‍👧",
        "é",
        "e\u0301",
        "#end,rows=1",
        "true",
        "21.5",
        "\u2028",
    ),
]


def run(kind: Kind, values: list[object], unit: str = "") -> Run:
    series = ExportedSeries(1, "roof", "inner/metric", kind, unit)
    return Run(series, [(NOON_US + n, value) for n, value in enumerate(values)])


def cells(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def unmarked(cell: str) -> str:
    return cell.removeprefix(MARK)


def test_a_line_of_csv_ends_with_cr_and_lf_and_has_the_columns_of_the_head() -> None:
    text = Csv().head + Csv().lines(run(Kind.NUMBER, [21.5], "°C"))
    assert text == (
        "device,metric,time,value,kind,unit\r\n"
        "roof,inner/metric,2026-11-28T12:00:00.000000Z,21.5,number,°C\r\n"
    )


def test_a_line_of_ndjson_names_what_it_has() -> None:
    assert Ndjson().lines(run(Kind.NUMBER, [21.5], "°C")) == (
        '{"device":"roof","metric":"inner/metric","time":"2026-11-28T12:00:00.000000Z",'
        '"value":21.5,"unit":"°C"}\n'
    )
    assert "unit" not in Ndjson().lines(run(Kind.NUMBER, [21.5]))


def test_numbers_read_back_as_the_same_doubles() -> None:
    in_csv = cells(Csv().lines(run(Kind.NUMBER, list(NUMBERS))))
    assert [float(cell[3]) for cell in in_csv] == NUMBERS
    in_json = Ndjson().lines(run(Kind.NUMBER, list(NUMBERS))).splitlines()
    assert [json.loads(line)["value"] for line in in_json] == NUMBERS


def test_a_negative_number_is_a_value_and_no_formula() -> None:
    assert ",-3.0," in Csv().lines(run(Kind.NUMBER, [-3.0]))


def test_booleans_are_booleans() -> None:
    assert [cell[3] for cell in cells(Csv().lines(run(Kind.BOOLEAN, [1.0, 0.0])))] == [
        "true",
        "false",
    ]
    lines = Ndjson().lines(run(Kind.BOOLEAN, [1.0, 0])).splitlines()
    assert [json.loads(line)["value"] for line in lines] == [True, False]


def test_texts_read_back_as_they_are() -> None:
    in_csv = cells(Csv().lines(run(Kind.TEXT, list(TEXTS))))
    assert [unmarked(cell[3]) for cell in in_csv] == TEXTS
    assert {len(cell) for cell in in_csv} == {6}
    in_json = Ndjson().lines(run(Kind.TEXT, list(TEXTS))).split("\n")
    assert [json.loads(line)["value"] for line in in_json[:-1]] == TEXTS


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_no_text_begins_as_a_formula_does(start: str) -> None:
    (cell,) = cells(Csv().lines(run(Kind.TEXT, [start + "cmd|' /C calc'!A0"])))
    assert cell[3] == MARK + start + "cmd|' /C calc'!A0"


def test_a_unit_is_no_formula_either() -> None:
    (cell,) = cells(Csv().lines(run(Kind.NUMBER, [1.0], '=1,"')))
    assert cell == [
        "roof",
        "inner/metric",
        "2026-11-28T12:00:00.000000Z",
        "1.0",
        "number",
        "'=1,\"",
    ]


def test_a_field_is_quoted_only_where_it_must_be() -> None:
    assert [field(text) for text in ("a b", "a,b", 'a"b', "a\nb", "a\rb")] == [
        "a b",
        '"a,b"',
        '"a""b"',
        '"a\nb"',
        '"a\rb"',
    ]


def test_a_run_longer_than_a_piece_keeps_its_order() -> None:
    values: list[object] = [float(n) for n in range(2 * PIECE_ROWS + 1)]
    in_csv = cells(Csv().lines(run(Kind.NUMBER, values)))
    assert [float(cell[3]) for cell in in_csv] == values
    assert [cell[2] for cell in in_csv] == sorted(cell[2] for cell in in_csv)


def test_the_end_is_a_line_of_its_own_form() -> None:
    assert Csv().end(2, "ab") == "#end,rows=2,,sha256=ab,,\r\n"
    assert len(cells(Csv().end(2, "ab"))[0]) == len(cells(Csv().head)[0])
    assert json.loads(Ndjson().end(2, "ab")) == {"end": True, "rows": 2, "sha256": "ab"}


@pytest.mark.parametrize(
    "at_us",
    [
        *(0, -1, 1, 999, 1_000, 59_999_999, 60_000_000, NOON_US, NOON_US + 123_456),
        *(-62_135_596_800_000_000, 253_402_300_799_999_999, -1_000_000),
    ],
)
def test_a_time_is_written_as_iso_8601_with_microseconds(at_us: int) -> None:
    (text,) = written([at_us])
    moment = EPOCH + timedelta(microseconds=at_us)
    assert text == moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
    assert datetime.fromisoformat(text) == moment
