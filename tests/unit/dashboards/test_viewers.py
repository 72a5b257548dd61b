"""Who is told what: audiences share what is made, and a viewer's changes are merged."""

from __future__ import annotations

import orjson

from dashboards.live.present import DevicePresent, DeviceSummary, Present, no_counts
from dashboards.live.selection import EVERYTHING, Selection
from dashboards.live.viewers import Audience, Audiences, Viewer

ROOF = DevicePresent("roof", "Up", values={"temperature": (1.0, 21.5), "humidity": (1.0, 40.0)})
PORCH = DevicePresent("porch", "Down", values={"temperature": (1.0, 11.5)})


def present(*devices: DevicePresent) -> Present:
    """As it is once all changes are taken."""
    known = Present()
    known.prime(devices, 0, 0)
    known.take_changes()
    return known


def test_viewers_of_equal_selections_share_one_audience() -> None:
    audiences = Audiences(present(ROOF))
    viewers = [Viewer() for _ in range(3)]
    for viewer in viewers:
        audiences.enter(viewer, Selection(filter="up"))
    assert len({id(viewer.audience) for viewer in viewers}) == 1
    for viewer in viewers:
        audiences.leave(viewer)
    assert list(audiences) == []


def test_what_is_joined_is_joined_once() -> None:
    audience = Audience(EVERYTHING, present(ROOF, PORCH))
    changed = frozenset({"roof"})
    assert audience.joined(changed) is audience.joined(changed)
    assert audience.whole() is audience.whole()


def test_a_device_that_a_filter_no_longer_finds_is_removed() -> None:
    known = present(ROOF, PORCH)
    audience = Audience(Selection(filter="up"), known)
    known.prime([DevicePresent("roof", "Down"), DevicePresent("porch", "Up")], 0, 0)
    assert audience.take(known.take_changes()) == (frozenset({"porch"}), frozenset({"roof"}))
    assert [each["uid"] for each in orjson.loads(f"[{audience.whole()}]")] == ["porch"]


def test_a_device_that_comes_is_seen_where_it_was_waited_for() -> None:
    known = present(PORCH)
    audience = Audience(Selection(frozenset({"roof"})), known)
    assert audience.whole() == ""
    known.prime([PORCH, ROOF], 0, 0)
    assert audience.take(known.take_changes()) == (frozenset({"roof"}), frozenset())


def test_fragments_are_cut_to_the_metrics_asked_for() -> None:
    known = present(ROOF)
    audience = Audience(Selection(metrics=frozenset({"humidity"})), known)
    assert list(orjson.loads(audience.whole())["values"]) == ["humidity"]
    counts = no_counts()
    known.apply(
        "hub",
        [
            DeviceSummary(
                uid="roof", name="", seen=1, values={"humidity": (2.0, 50.0)}, counts=counts
            )
        ],
        1,
    )
    changed, _ = audience.take(known.take_changes())
    assert orjson.loads(audience.joined(changed))["values"] == {"humidity": [2.0, 50.0]}


def test_a_device_that_changed_and_then_went_is_removed() -> None:
    viewer = Viewer()
    assert not viewer.merge(frozenset({"roof", "porch"}), frozenset())
    assert viewer.merge(frozenset(), frozenset({"roof"}))
    assert (viewer.changed, viewer.removed) == (frozenset({"porch"}), frozenset({"roof"}))
    viewer.merge(frozenset({"roof"}), frozenset())
    assert (viewer.changed, viewer.removed) == (frozenset({"porch", "roof"}), frozenset())
