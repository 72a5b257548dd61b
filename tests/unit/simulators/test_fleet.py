"""Whole runs against a small hub in memory: what arrives, what the ledger and the result say."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from simulators import Trouble, replay
from simulators.device import Device
from simulators.fleet import Fleet, Options, Report
from simulators.recordings import Sample
from simulators.run import Plan, produce
from simulators.tokens import Credential
from tests.unit.simulators.hub import (
    Hub,
    Stream,
    close_with,
    cut,
    on,
    pause,
    refuse,
    running,
    samples_of,
)


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    async with running(Hub(tokens={"token-a": "a", "token-b": "b"})) as hub:
        yield hub


async def run(hub: Hub, tmp_path: Path, *devices: Device, **plan: Any) -> Report:
    """Run devices (by default one, `a`) for twenty frames each."""
    options = Options(url=hub.url, ledger=tmp_path / "ledger", wait_s=0, drain_s=10, quiet=True)
    crew = [(d, Credential(d.uid, f"token-{d.uid}")) for d in devices or [Device("a")]]
    defaults: dict[str, Any] = {
        "rate": 100,
        "samples": 2,
        "metrics": 3,
        "form": "samples",
        "duration_s": 0.2,
        "seed": 7,
    }
    wanted = Plan(**(defaults | plan))
    return await Fleet(options, crew).run(lambda fleet: produce(fleet, wanted))


def ledger(tmp_path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in (tmp_path / "ledger").read_bytes().splitlines()]


def reconciled(hub: Hub, tmp_path: Path) -> dict[str, int]:
    """Compare ledger and hub by the rules in `simulators.ledger`, but for rejections."""
    bodies: dict[tuple[str, str, int], str] = {}
    settled: dict[str, int] = {}
    gone: set[tuple[str, int]] = set()
    counts = {"stored": 0, "duplicate": 0, "rejected": 0}
    for line in ledger(tmp_path):
        ((kind, fields),) = line.items()
        stream = fields["stream"]
        match kind:
            case "frame":
                bodies[fields["device"], stream, fields["seq"]] = fields["body"]
            case "settled" | "resumed":
                settled[stream] = fields["through" if kind == "settled" else "committed"]
                for name in counts:
                    counts[name] += (fields if kind == "settled" else fields["news"])[name]
            case "dropped":
                span = range(fields["first"], fields["last"] + 1)
                gone |= {(stream, n) for n in span if n > settled.get(stream, 0)}
    attempted, acked = set(), set()
    for (uid, stream, seq), body in bodies.items():
        frame = orjson.loads(body)
        for ts, values in samples_of(frame):
            for metric in values:
                reading = (uid, metric, ts)
                attempted.add(reading)
                if seq <= settled.get(stream, 0) and (stream, seq) not in gone:
                    acked.add(reading)
    return {
        "lost": len(acked - hub.readings.keys()),
        "phantom": len(hub.readings.keys() - attempted),
        "miscounted": len(hub.readings) - counts["stored"],
    }


CLEAN = {"lost": 0, "phantom": 0, "miscounted": 0}


async def test_everything_sent_is_acked_and_stored(hub: Hub, tmp_path: Path) -> None:
    report = await run(hub, tmp_path, Device("a"), Device("b"))
    assert report.complete
    assert report.result["frames_sent"] == report.result["frames_acked"] == 40
    assert report.result["sent"] == report.result["stored"] == 240 == len(hub.readings)
    assert reconciled(hub, tmp_path) == CLEAN


async def test_the_ledger_holds_what_the_hub_received_word_for_word(
    hub: Hub, tmp_path: Path
) -> None:
    await run(hub, tmp_path)
    bodies = [line["frame"]["body"] for line in ledger(tmp_path) if "frame" in line]
    assert [orjson.loads(body) for body in bodies] == hub.frames


async def test_a_clock_that_is_behind_stamps_the_past(hub: Hub, tmp_path: Path) -> None:
    latest_ms = time.time() * 1000 - 3_600_000
    await run(hub, tmp_path, behind_s=3600)
    stamps = [sample["ts"] for frame in hub.frames for sample in frame["readings"]]
    assert latest_ms - 1000 < min(stamps) < max(stamps) < time.time() * 1000 - 3_600_000


async def test_the_same_seed_gives_the_same_values(hub: Hub, tmp_path: Path) -> None:
    for device in ("a", "b"):
        await run(hub, tmp_path, Device(device))
    values = [
        [value for (uid, _, _), value in hub.readings.items() if uid == device]
        for device in ("a", "b")
    ]
    assert values[0] == values[1]


@pytest.mark.parametrize("when", [5, -5], ids=["before the commit", "after the commit"])
async def test_a_cut_connection_loses_and_doubles_nothing(
    hub: Hub, tmp_path: Path, when: int
) -> None:
    hub.faults.append(on(when, cut))
    report = await run(hub, tmp_path)
    assert report.complete
    assert report.result["reconnects"] == 1
    assert report.result["frames_acked"] == 20
    assert report.result["stored"] == 120 == len(hub.readings)
    assert report.result["duplicate"] == 0
    assert reconciled(hub, tmp_path) == CLEAN


async def test_a_frame_sent_again_has_one_line_in_the_ledger(hub: Hub, tmp_path: Path) -> None:
    hub.faults.append(on(5, cut))
    report = await run(hub, tmp_path)
    resent = report.result["frames_resent"]
    assert isinstance(resent, int)
    assert resent >= 1
    numbers = [line["frame"]["seq"] for line in ledger(tmp_path) if "frame" in line]
    assert numbers == list(range(1, 21))


@pytest.mark.parametrize("code", ["busy", "rate_limited"])
async def test_a_nack_is_obeyed_and_nothing_lost(hub: Hub, tmp_path: Path, code: str) -> None:
    hub.faults.append(on(5, refuse(code=code, retry_after_ms=50)))
    report = await run(hub, tmp_path)
    assert report.result["errors"] == {code: 1}
    assert report.result["frames_acked"] == 20
    assert reconciled(hub, tmp_path) == CLEAN


@pytest.mark.parametrize("rate", [100.0, None], ids=["on a schedule", "as fast as it goes"])
async def test_a_pause_ends_and_nothing_is_lost(
    hub: Hub, tmp_path: Path, rate: float | None
) -> None:
    hub.faults.append(on(5, pause))
    report = await run(hub, tmp_path, rate=rate)
    assert report.complete
    assert report.result["errors"] == {}
    assert reconciled(hub, tmp_path) == CLEAN


async def test_a_bye_is_no_error_and_the_device_comes_back(hub: Hub, tmp_path: Path) -> None:
    hub.faults.append(on(5, close_with(4503, type="bye", code="restart", retry_after_ms=20)))
    report = await run(hub, tmp_path)
    assert report.complete
    assert report.result["errors"] == {}
    assert report.result["reconnects"] == 1
    assert reconciled(hub, tmp_path) == CLEAN


async def test_a_frame_set_aside_lets_the_others_through(hub: Hub, tmp_path: Path) -> None:
    hub.faults.append(on(5, close_with(4400, code="bad_message", message="…", seq=5)))
    report = await run(hub, tmp_path)
    assert report.result["frames_acked"] == 20
    assert report.result["stored"] == 114
    aside = next(line["set_aside"] for line in ledger(tmp_path) if "set_aside" in line)
    assert aside["seq"] == 5
    assert reconciled(hub, tmp_path) == CLEAN


async def test_a_used_stream_name_is_changed(hub: Hub, tmp_path: Path) -> None:
    names = iter(["used", "fresh"])
    hub.streams["a", "used"] = Stream(committed=9)
    report = await run(hub, tmp_path, Device("a", name=lambda: next(names)))
    assert report.result["errors"] == {"stream_reused": 1}
    assert report.result["stored"] == 120
    assert hub.streams["a", "fresh"].committed == 20


async def test_as_fast_as_the_window_allows_keeps_within_it(hub: Hub, tmp_path: Path) -> None:
    report = await run(hub, tmp_path, rate=None)
    frames = report.result["frames_acked"]
    assert isinstance(frames, int)
    assert frames > 20
    assert "out_of_order" not in str(report.result["errors"])
    assert reconciled(hub, tmp_path) == CLEAN


async def test_frames_are_cut_to_the_hubs_limits(hub: Hub, tmp_path: Path) -> None:
    hub.frame_readings, hub.frame_bytes = 60, 600
    await run(hub, tmp_path, samples=50)
    assert max(len(orjson.dumps(frame)) for frame in hub.frames) <= 600
    assert all(len(frame["readings"]) * 3 <= 60 for frame in hub.frames)


async def test_sending_twice_over_a_plain_connection_gives_duplicates(
    hub: Hub, tmp_path: Path
) -> None:
    report = await run(hub, tmp_path, Device("a", reliable=False, twice=True), Device("b"))
    assert report.result["stored"] == 240
    assert report.result["duplicate"] == 120


async def test_a_plain_connection_that_is_cut_sends_again_what_was_not_acked(
    hub: Hub, tmp_path: Path
) -> None:
    hub.faults.append(on(5, cut))
    report = await run(hub, tmp_path, Device("a", reliable=False))
    assert report.result["unacked"] == 0
    assert len(hub.readings) == 120
    # An ack that the cut took with it: what it told of is a duplicate when it comes again.
    found = reconciled(hub, tmp_path)
    again = found["miscounted"]
    assert found == CLEAN | {"miscounted": again}
    assert (report.result["stored"], report.result["duplicate"]) == (120 - again, again)


async def test_a_wrong_token_is_one_clear_sentence(hub: Hub, tmp_path: Path) -> None:
    hub.tokens = {"another": "a"}
    with pytest.raises(Trouble, match="Device a: it was refused"):
        await run(hub, tmp_path)


async def test_a_device_disabled_in_mid_run_ends_it(hub: Hub, tmp_path: Path) -> None:
    hub.faults.append(on(5, close_with(4403, code="device_disabled", message="it is disabled")))
    report = await run(hub, tmp_path, duration_s=60)
    assert not report.complete
    assert report.result["stopped"] == 1


async def test_nobody_there_is_one_clear_sentence(hub: Hub, tmp_path: Path) -> None:
    hub.url = "ws://127.0.0.1:1/ws/ingest/"
    with pytest.raises(Trouble, match=r"No hub at ws://127\.0\.0\.1:1/ws/ingest/: nothing listens"):
        await run(hub, tmp_path)


async def play(hub: Hub, tmp_path: Path, samples: list[Sample], **how: Any) -> Report:
    """Replay samples of the nodes `a` and `b` through devices of the same names."""
    defaults: dict[str, Any] = {
        "speed": None,
        "shift_to_now": False,
        "form": "samples",
        "samples": 10,
    }
    playback = replay.Playback(**(defaults | how))
    options = Options(url=hub.url, ledger=tmp_path / "ledger", wait_s=0, drain_s=10, quiet=True)
    crew = [(Device(uid), Credential(uid, f"token-{uid}")) for uid in "ab"]

    async def work(fleet: Fleet) -> None:
        sessions = dict(zip("ab", fleet.sessions, strict=True))
        await replay.produce(fleet, samples, sessions, playback)

    return await Fleet(options, crew).run(work)


def recorded(count: int) -> list[Sample]:
    """Two nodes in turn, a sample every ten seconds, values with many digits."""
    return [
        Sample("ab"[i % 2], 1458031648545123 + i * 10_000_000, {"t": f"{i}.12345678901234567"})
        for i in range(count)
    ]


@pytest.mark.parametrize("form", ["samples", "columns"])
@pytest.mark.parametrize("speed", [None, 5000.0], ids=["as fast as it goes", "at a speed"])
async def test_a_recording_arrives_whole_with_its_own_times(
    hub: Hub, tmp_path: Path, form: str, speed: float | None
) -> None:
    report = await play(hub, tmp_path, recorded(101), form=form, speed=speed)
    assert report.result["stored"] == 101
    assert hub.readings == {
        (s.node, "t", s.time_us / 1000): float(s.values["t"] or "") for s in recorded(101)
    }


async def test_a_second_replay_stores_nothing(hub: Hub, tmp_path: Path) -> None:
    await play(hub, tmp_path, recorded(101))
    report = await play(hub, tmp_path, recorded(101), form="columns")
    assert (report.result["stored"], report.result["duplicate"]) == (0, 101)
    assert reconciled(hub, tmp_path) == CLEAN


async def test_a_clock_that_went_back_is_replayed_in_order_and_its_conflicts_told(
    hub: Hub, tmp_path: Path
) -> None:
    samples = recorded(20)
    again = [sample._replace(values={"t": "-1"}) for sample in samples[8:12]]
    report = await play(hub, tmp_path, samples[:12] + again + samples[12:], speed=5000.0)
    assert report.result["errors"] == {"conflict": 4}
    assert report.result["stored"] == 20
    assert -1 not in hub.readings.values()


async def test_a_replay_survives_a_cut_connection(hub: Hub, tmp_path: Path) -> None:
    hub.faults += [on(2, cut), on(-3, cut)]
    report = await play(hub, tmp_path, recorded(101))
    assert report.complete
    assert len(hub.readings) == 101
    assert report.result["duplicate"] == 0
