"""What the fleet's address asks for, and what of the fleet that is."""

from __future__ import annotations

import pytest

from dashboards.live.present import Counts, DevicePresent, Value
from dashboards.pages.status import Status
from dashboards.pages.view import METRICS_MAX, View, common, listed, slots


def device(
    uid: str, name: str = "", seen_ms: int | None = 1, rejected: int = 0, **values: Value
) -> DevicePresent:
    return DevicePresent(
        uid,
        name,
        seen_ms=seen_ms,
        values={metric: (0.0, value) for metric, value in values.items()},
        counts=Counts(stored=0, duplicate=0, rejected=rejected),
    )


def online(_: DevicePresent) -> Status:
    return Status.ONLINE


def uids(devices: list[DevicePresent], **query: str) -> list[str]:
    return [each.uid for each in View.asked(query).ordered(devices, online)]


def test_an_empty_address_shows_all_by_name() -> None:
    assert View.asked({}) == View()
    assert View().shows(device("roof"), Status.OFFLINE)


def test_an_address_is_read_as_the_page_writes_it() -> None:
    query = {"q": "a", "status": "stale", "sort": "-metric:co2", "metrics": "co2,door"}
    assert View.asked(query) == View("a", "stale", "metric:co2", True, ("co2", "door"))


def test_a_metric_has_one_column_and_there_are_not_more_than_can_be_read() -> None:
    assert View.asked({"metrics": "door,,door"}).metrics == ("door",)
    many = ",".join(f"m{number}" for number in range(20))
    assert len(View.asked({"metrics": many}).metrics) == METRICS_MAX


@pytest.mark.parametrize("text", ["ROO", "north wall", "temper", ""])
def test_a_text_is_looked_for_in_uid_name_and_metrics(text: str) -> None:
    roof = device("roof", "North wall", temperature=1)
    assert View(text=text).shows(roof, Status.ONLINE)
    assert not View(text="cellar").shows(roof, Status.ONLINE)


def test_names_are_in_the_order_of_people() -> None:
    devices = [device("sensor 10"), device("z", "Sensor 9"), device("attic")]
    assert uids(devices) == ["attic", "z", "sensor 10"]
    assert uids(devices, sort="-name") == ["sensor 10", "z", "attic"]


def test_who_was_never_seen_is_last_either_way() -> None:
    devices = [device("never", seen_ms=None), device("long-ago", seen_ms=1), device("now")]
    devices[2].seen_ms = 9
    assert uids(devices, sort="seen") == ["now", "long-ago", "never"]
    assert uids(devices, sort="-seen") == ["long-ago", "now", "never"]


def test_numbers_come_before_texts_and_who_has_none_is_last_either_way() -> None:
    devices = [
        device("none"),
        device("text", state="ok"),
        device("true", state=True),
        device("-3", state=-3),
        device("21", state=21.5),
    ]
    assert uids(devices, sort="metric:state") == ["-3", "true", "21", "text", "none"]
    assert uids(devices, sort="-metric:state") == ["text", "21", "true", "-3", "none"]


def test_equals_are_in_the_order_of_names_whichever_way_it_goes() -> None:
    devices = [device(uid, rejected=4) for uid in "cab"]
    assert uids(devices, sort="-rejected") == uids(devices, sort="rejected") == ["a", "b", "c"]


def test_an_order_that_is_not_known_yet_is_that_of_names() -> None:
    assert uids([device("b"), device("a")], sort="-rate") == ["a", "b"]
    assert uids([device("b"), device("a")], sort="-nonsense") == ["a", "b"]


def test_the_metrics_of_the_most_devices_have_the_columns() -> None:
    devices = [device(str(number), co2=1, door=1) for number in range(3)]
    devices += [device("x", battery=1, humidity=1, door=1), device("y", humidity=1)]
    assert View().columns(devices) == ["co2", "door", "humidity"]
    assert View(metrics=("battery",)).columns(devices) == ["battery"]
    assert common([], 3) == []


def test_what_was_chosen_can_be_chosen_away_though_no_device_has_it() -> None:
    assert listed([device("a", door=1)], View(metrics=("gone",))) == ["door", "gone"]


def test_a_device_without_the_columns_metrics_shows_others_of_its_own_there() -> None:
    mine = ["door", "battery", "humidity"]
    columns = ["co2", "humidity", "temperature"]
    assert slots(columns, mine, chosen=False) == ["battery", "humidity", "door"]
    assert slots(columns, mine, chosen=True) == [None, "humidity", None]
