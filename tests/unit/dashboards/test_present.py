"""The present of the fleet: what merging summaries keeps, adds up and forgets."""

from __future__ import annotations

import orjson
import pytest

from dashboards.live.present import Changes, DevicePresent, DeviceSummary, Present, Value

NOON_MS = 1_795_326_596_000
UNCHANGED = Changes(frozenset(), frozenset(), frozenset())


def summary(
    uid: str = "roof",
    *,
    name: str = "",
    seen: int | None = NOON_MS,
    stored: int = 1,
    duplicate: int = 0,
    rejected: int = 0,
    **values: tuple[float, Value],
) -> DeviceSummary:
    counts = {"stored": stored, "duplicate": duplicate, "rejected": rejected}
    return {"uid": uid, "name": name, "seen": seen, "values": values, "counts": counts}  # type: ignore[typeddict-item]


def fragment(present: Present, uid: str = "roof") -> dict[str, object]:
    encoded = present.fragment(uid)
    assert encoded is not None
    decoded: dict[str, object] = orjson.loads(encoded)
    return decoded


@pytest.fixture
def present() -> Present:
    return Present()


def test_a_later_reading_replaces_the_latest(present: Present) -> None:
    present.apply("hub", [summary(temperature=(1000.0, 21.5))], NOON_MS)
    present.apply("hub", [summary(temperature=(2000.0, 22.5))], NOON_MS)
    assert fragment(present)["values"] == {"temperature": [2000.0, 22.5]}


def test_a_late_reading_never_moves_the_latest_back(present: Present) -> None:
    present.apply("hub", [summary(temperature=(2000.0, 22.5))], NOON_MS)
    present.apply("hub", [summary(temperature=(1000.0, 21.5))], NOON_MS)
    assert fragment(present)["values"] == {"temperature": [2000.0, 22.5]}


def test_the_latest_of_two_hubs_wins_whichever_speaks_last(present: Present) -> None:
    present.apply("a", [summary(temperature=(2000.0, 2.0))], NOON_MS)
    present.apply("b", [summary(temperature=(1000.0, 1.0))], NOON_MS)
    assert fragment(present)["values"] == {"temperature": [2000.0, 2.0]}


def test_metrics_of_earlier_summaries_stay(present: Present) -> None:
    present.apply("hub", [summary(temperature=(1000.0, 21.5))], NOON_MS)
    present.apply("hub", [summary(door=(1000.0, True), state=(1000.0, "ok"))], NOON_MS)
    values = {"temperature": [1000.0, 21.5], "door": [1000.0, True], "state": [1000.0, "ok"]}
    assert fragment(present)["values"] == values


def test_a_device_is_never_seen_earlier_than_it_was(present: Present) -> None:
    present.apply("a", [summary(seen=NOON_MS)], NOON_MS)
    present.apply("b", [summary(seen=NOON_MS - 5000)], NOON_MS)
    assert fragment(present)["seen"] == NOON_MS


def test_a_clock_that_was_ahead_leaves_no_device_online(present: Present) -> None:
    ahead_ms = NOON_MS + 25 * 3_600_000
    present.apply("hub", [summary(seen=ahead_ms)], ahead_ms)
    present.apply("hub", [summary(seen=NOON_MS)], NOON_MS)
    assert fragment(present)["seen"] == NOON_MS
    present.prime([DevicePresent("roof", seen_ms=ahead_ms)], present.applied, NOON_MS + 1)
    assert fragment(present)["seen"] == NOON_MS


def test_a_device_was_not_seen_later_than_now(present: Present) -> None:
    present.apply("a hub that is ahead", [summary(seen=NOON_MS + 5000)], NOON_MS)
    assert fragment(present)["seen"] == NOON_MS


def test_counts_of_hubs_add_up(present: Present) -> None:
    present.apply("a", [summary(stored=10, rejected=1)], NOON_MS)
    present.apply("b", [summary(stored=5, duplicate=2)], NOON_MS)
    assert fragment(present)["counts"] == {"stored": 15, "duplicate": 2, "rejected": 1}


def test_a_lost_summary_is_made_good_by_the_next(present: Present) -> None:
    present.apply("hub", [summary(stored=10)], NOON_MS)
    present.apply("hub", [summary(stored=40)], NOON_MS)  # those with 20 and 30 were lost
    assert fragment(present)["counts"] == {"stored": 40, "duplicate": 0, "rejected": 0}


def test_a_summary_that_comes_twice_counts_once(present: Present) -> None:
    present.apply("hub", [summary(stored=10)], NOON_MS)
    present.apply("hub", [summary(stored=10)], NOON_MS)
    assert fragment(present)["counts"] == {"stored": 10, "duplicate": 0, "rejected": 0}


def test_totals_of_more_hubs_than_ten_machines_have_add_up(present: Present) -> None:
    for stored in (1, 2):
        for hub in range(100):
            present.apply(f"hub-{hub}", [summary(stored=stored)], NOON_MS)
    assert fragment(present)["counts"] == {"stored": 200, "duplicate": 0, "rejected": 0}


def test_what_a_hub_counted_goes_with_it(present: Present) -> None:
    present.apply("a", [summary(stored=10, rejected=1)], NOON_MS)
    present.apply("b", [summary(stored=5)], NOON_MS)
    present.take_changes()
    present.lose("a")
    assert fragment(present)["counts"] == {"stored": 5, "duplicate": 0, "rejected": 0}
    assert present.take_changes().changed == {"roof"}
    present.lose("never heard")
    assert present.take_changes() == UNCHANGED


def test_a_hub_that_was_thought_gone_counts_once(present: Present) -> None:
    present.apply("a", [summary(stored=10)], NOON_MS)
    present.lose("a")
    present.apply("a", [summary(stored=12)], NOON_MS)
    assert fragment(present)["counts"] == {"stored": 12, "duplicate": 0, "rejected": 0}


def test_what_is_said_again_is_no_news(present: Present) -> None:
    present.apply("a", [summary(stored=10, temperature=(1000.0, 21.5))], NOON_MS)
    present.take_changes()
    present.apply("a", [summary(stored=10)], NOON_MS)
    assert present.take_changes() == UNCHANGED


def test_a_device_is_encoded_once_until_it_changes(present: Present) -> None:
    present.apply("hub", [summary(temperature=(1000.0, 21.5))], NOON_MS)
    encoded = present.fragment("roof")
    assert present.fragment("roof") is encoded
    present.apply("hub", [summary(temperature=(2000.0, 21.5))], NOON_MS)
    assert present.fragment("roof") != encoded


def test_changes_are_taken_once(present: Present) -> None:
    present.apply("hub", [summary("roof"), summary("porch")], NOON_MS)
    both = frozenset({"roof", "porch"})
    assert present.take_changes() == Changes(both, frozenset(), renamed=both)
    assert present.take_changes() == UNCHANGED


def test_the_database_tells_name_and_interval_but_not_an_older_value(present: Present) -> None:
    present.apply("hub", [summary(temperature=(2000.0, 22.5))], NOON_MS)
    old = DevicePresent("roof", "Roof", 10.0, NOON_MS - 9000, {"temperature": (1000.0, 21.5)})
    present.prime([old], 1, NOON_MS)
    told = fragment(present)
    assert (told["name"], told["interval_s"], told["seen"]) == ("Roof", 10.0, NOON_MS)
    assert told["values"] == {"temperature": [2000.0, 22.5]}


def test_priming_with_what_is_known_changes_nothing(present: Present) -> None:
    known = DevicePresent("roof", "Roof", 10.0, NOON_MS)
    present.prime([known], 0, NOON_MS)
    present.take_changes()
    present.prime([known], 0, NOON_MS + 5000)
    assert present.take_changes() == UNCHANGED


def test_a_deleted_device_is_removed(present: Present) -> None:
    present.prime([DevicePresent("roof"), DevicePresent("porch")], 0, NOON_MS)
    present.take_changes()
    present.prime([DevicePresent("porch")], 0, NOON_MS + 5000)
    assert present.take_changes() == Changes(frozenset(), frozenset({"roof"}), frozenset())
    assert present.fragment("roof") is None


def test_a_device_heard_of_after_the_database_was_read_is_not_removed(present: Present) -> None:
    read_after = present.applied
    present.apply("hub", [summary("new")], NOON_MS)
    present.prime([], read_after, NOON_MS)
    assert present.uids() == ["new"]
    present.prime([], present.applied, NOON_MS)
    assert present.uids() == []


def test_a_copy_does_not_follow_what_comes_later(present: Present) -> None:
    present.apply("hub", [summary(temperature=(1000.0, 21.5))], NOON_MS)
    copy = present.devices()[0]
    present.apply("hub", [summary(temperature=(2000.0, 22.5), stored=9)], NOON_MS)
    assert copy.values == {"temperature": (1000.0, 21.5)}
    assert copy.counts["stored"] == 1


def test_only_a_new_name_or_metric_may_change_what_a_filter_finds(present: Present) -> None:
    def renamed() -> frozenset[str]:
        return present.take_changes().renamed

    present.apply("hub", [summary(temperature=(1000.0, 21.5))], NOON_MS)
    assert renamed() == {"roof"}
    assert present.searched("roof") == "roof\n\ntemperature"
    present.apply("hub", [summary(temperature=(2000.0, 22.5))], NOON_MS)
    assert renamed() == frozenset()
    present.apply("hub", [summary(Door=(2000.0, True))], NOON_MS)
    assert renamed() == {"roof"}
    present.prime([DevicePresent("roof", "Über dem Dach")], present.applied, NOON_MS)
    assert renamed() == {"roof"}
    assert present.searched("roof") == "roof\nüber dem dach\ntemperature\ndoor"


def test_a_fragment_names_the_units_there_are(present: Present) -> None:
    present.apply("hub", [summary(temperature=(1000.0, 21.5), door=(1000.0, True))], NOON_MS)
    assert "units" not in fragment(present)
    present.prime([DevicePresent("roof", units={"temperature": "°C"})], 1, NOON_MS)
    assert fragment(present)["units"] == {"temperature": "°C"}
    present.take_changes()
    present.prime([DevicePresent("roof", units={"temperature": "K"})], 1, NOON_MS)
    assert present.take_changes().changed == {"roof"}


def test_a_fragment_may_be_cut_to_some_metrics(present: Present) -> None:
    known = DevicePresent("roof", units={"temperature": "°C", "humidity": "%"})
    present.prime([known], 0, NOON_MS)
    present.apply("hub", [summary(temperature=(1000.0, 21.5), humidity=(1000.0, 40.0))], NOON_MS)
    cut = orjson.loads(present.cut_fragment("roof", frozenset({"humidity"})) or "")
    assert (cut["values"], cut["units"]) == ({"humidity": [1000.0, 40.0]}, {"humidity": "%"})
