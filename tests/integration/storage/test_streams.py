"""Streams: opened by a hello, moved by batches, fenced once they are taken over."""

from __future__ import annotations

import threading

from devices.models import Device
from ingest.hello import Hello, Opened
from ingest.models import Stream
from ingest.storage import Claim, StreamLocked, StreamRequest, StreamReused
from tests.integration.storage.stage import (
    NOW_US,
    Hub,
    Plain,
    Reliable,
    Stage,
    counts,
    run,
    stored,
)


def opened(hub: Hub, device: Device, stream: str = "s", **held: int) -> Opened:
    answer = hub.hello(device, stream, **held)
    assert isinstance(answer, Opened), answer
    return answer


def names(device: Device) -> set[str]:
    return set(Stream.objects.filter(device=device).values_list("name", flat=True))


def test_a_new_stream_begins_at_nothing(stage: Stage) -> None:
    answer = opened(stage.hub(), stage.device())
    assert (answer.name, answer.committed, answer.lost) == ("s", 0, 0)
    assert (answer.stored, answer.duplicate, answer.rejected) == (0, 0, 0)


def test_a_stream_resumes_with_its_counts_and_another_epoch(stage: Stage) -> None:
    hub, roof = stage.hub(), stage.device()
    device = hub.connect(roof)
    hub.write(device.send(run("t", [(0, 1.0), (1, 1.0)])))
    hub.write(device.send(run("t", [(1, 1.0), (1, 2.0), (2, 1.0)])), device.send())
    answer = opened(hub, roof, first=4, last=3)
    assert (answer.committed, answer.lost) == (3, 0)
    assert (answer.stored, answer.duplicate, answer.rejected) == (3, 1, 1)
    assert device.opened is not None
    assert answer.epoch != device.opened.epoch


def test_what_a_device_no_longer_holds_counts_as_lost(stage: Stage) -> None:
    hub, roof = stage.hub(), stage.device()
    hub.write(hub.connect(roof).send(run("t", [(0, 1.0)])))
    answer = opened(hub, roof, first=5, last=9)
    assert (answer.committed, answer.lost) == (4, 3)
    again = opened(hub, roof, first=2, last=9)
    assert (again.committed, again.lost) == (4, 3)


def test_a_device_that_sent_less_than_is_committed_took_a_used_name(stage: Stage) -> None:
    hub, roof = stage.hub(), stage.device()
    device = hub.connect(roof)
    hub.write(device.send(), device.send())
    assert hub.hello(roof, first=2, last=1) == StreamReused(2)
    outcome = hub.write(device.send(run("t", [(0, 1.0)])))  # and who has it keeps it
    assert not outcome.settlements[0].fenced


def test_the_ninth_stream_makes_the_least_recently_used_be_forgotten(stage: Stage) -> None:
    hub, roof, cellar = stage.hub(), stage.device(), stage.device("cellar")
    opened(hub, cellar, "s1")
    for number in range(8):
        hub.hello(roof, f"s{number}", now_us=NOW_US + number)
    device = Reliable(roof, opened=opened(hub, roof, "s1", now_us=NOW_US + 10))
    hub.write(device.send(), now_us=NOW_US + 20)
    hub.hello(roof, "s0", now_us=NOW_US + 15)
    assert opened(hub, roof, "s8", now_us=NOW_US + 30).forgotten == 1
    assert opened(hub, roof, "s8", now_us=NOW_US + 31).forgotten == 0
    assert names(roof) == {"s0", "s1", "s3", "s4", "s5", "s6", "s7", "s8"}
    assert names(cellar) == {"s1"}


def test_a_new_stream_stays_even_where_the_clock_was_set_back(stage: Stage) -> None:
    hub, roof = stage.hub(), stage.device()
    for number in range(8):
        hub.hello(roof, f"s{number}", now_us=NOW_US + number)
    opened(hub, roof, "new", now_us=NOW_US - 3_600_000_000)
    assert names(roof) == {"new", *(f"s{number}" for number in range(1, 8))}


def test_a_device_that_is_gone_gets_no_stream(stage: Stage) -> None:
    hub, roof, cellar = stage.hub(), stage.device(), stage.device("cellar")
    hub.hello(roof)
    gone = roof.pk
    roof.delete()
    hello = Hello(None, "s", 1, 0)
    answers = hub.transactions.open_streams(
        [StreamRequest(1, gone, hello), StreamRequest(2, cellar.pk, hello)], 8, NOW_US
    )
    assert isinstance(answers[0], StreamLocked)
    assert isinstance(answers[1], Opened)
    assert not Stream.objects.filter(device_id=gone).exists()


def test_a_stream_named_twice_in_one_call_belongs_to_the_later_one(stage: Stage) -> None:
    hub, roof = stage.hub(), stage.device()
    request = StreamRequest("key", roof.pk, Hello(None, "s", 1, 0))
    first, second = hub.transactions.open_streams([request, request], 8, NOW_US)
    assert isinstance(first, Opened)
    assert isinstance(second, Opened)
    assert first.id == second.id
    assert Stream.objects.get().epoch == second.epoch


def test_a_connection_taken_over_leaves_the_batch_and_its_neighbours_commit(stage: Stage) -> None:
    hub, roof, cellar = stage.hub(), stage.device(), stage.device("cellar")
    old, neighbour, plain = hub.connect(roof), hub.connect(cellar), Plain(roof)
    hub.connect(roof)
    outcome = hub.write(
        old.send(run("t", [(0, 1.0)])),
        neighbour.send(run("t", [(0, 2.0)])),
        plain.send(run("t", [(1, 3.0)])),
        old.send(run("t", [(2, 1.0)])),
    )
    fenced, committed, unfenced = outcome.settlements
    assert (fenced.fenced, counts(fenced), fenced.readings) == (True, (0, 0, 0), 2)
    assert (committed.fenced, counts(committed)) == (False, (1, 0, 0))
    assert (unfenced.fenced, counts(unfenced)) == (False, (1, 0, 0))
    assert [submission.connection for submission in outcome.written] == [neighbour, plain]
    assert stored(roof, "t") == [(1, 3.0)]
    assert set(Stream.objects.values_list("device__uid", "committed")) == {
        ("roof", 0),
        ("cellar", 1),
    }


def test_frames_that_do_not_go_on_from_what_is_committed_are_fenced(stage: Stage) -> None:
    hub, roof = stage.hub(), stage.device()
    device = hub.connect(roof)
    hub.write(device.again(1, run("t", [(0, 1.0)])))
    for wrong_first in (1, 3):
        outcome = hub.write(device.again(wrong_first, run("t", [(5, 1.0)])))
        assert outcome.settlements[0].fenced
    assert stored(roof, "t") == [(0, 1.0)]
    assert Stream.objects.get().committed == 1
    assert not hub.write(device.again(2, run("t", [(5, 1.0)]))).settlements[0].fenced


def test_a_stream_forgotten_in_the_meantime_fences_its_connection(stage: Stage) -> None:
    hub, roof = stage.hub(), stage.device()
    device = hub.connect(roof, "s")
    hub.hello(roof, "other", kept=1, now_us=NOW_US + 1)
    assert hub.write(device.send(run("t", [(0, 1.0)]))).settlements[0].fenced
    assert stored(roof, "t") == []
    assert hub.connect(roof, "s").opened != device.opened


def test_a_stream_whose_row_a_batch_holds_is_answered_at_once_with_locked(
    postgres_stage: Stage,
) -> None:
    hub, other = postgres_stage.hub(), postgres_stage.hub()
    roof, cellar = postgres_stage.device(), postgres_stage.device("cellar")
    device = hub.connect(roof)
    assert device.opened is not None
    hub.engine.begin([device.opened.id])
    hello = Hello(None, "s", 1, 0)
    answers = other.transactions.open_streams(
        [StreamRequest(1, roof.pk, hello), StreamRequest(2, cellar.pk, hello)], 8, NOW_US
    )
    assert isinstance(answers[0], StreamLocked)
    assert isinstance(answers[1], Opened)
    hub.engine.rollback()
    assert isinstance(other.hello(roof), Opened)


def test_streams_that_batches_hold_are_kept_and_the_bound_holds_for_the_others(
    postgres_stage: Stage,
) -> None:
    hub, other, roof = postgres_stage.hub(), postgres_stage.hub(), postgres_stage.device()
    busy = [opened(hub, roof, f"s{n}", now_us=NOW_US + n) for n in range(3, 8)]
    for n in range(3):
        opened(hub, roof, f"s{n}", now_us=NOW_US + n)
    hub.engine.begin([stream.id for stream in busy])
    opened(other, roof, "new", now_us=NOW_US + 9)
    hub.engine.rollback()
    assert names(roof) == {"new", *(f"s{n}" for n in range(1, 8))}


def test_whether_a_batch_happened_is_asked_after_its_transaction_has_ended(
    postgres_stage: Stage,
) -> None:
    hub, other, roof = postgres_stage.hub(), postgres_stage.hub(), postgres_stage.device()
    device = hub.connect(roof)
    assert device.opened is not None
    claim = Claim(device.opened.id, device.opened.epoch, 1, 1)
    hub.engine.begin([claim.stream_id])
    hub.engine.watermark()
    draft = hub.transactions._write([device.send(run("t", [(0, 1.0)]))], NOW_US)
    assert draft.claims == [claim]
    answers: list[bool] = []
    asking = threading.Thread(target=lambda: answers.append(other.engine.happened([claim])))
    asking.start()
    asking.join(0.2)
    assert answers == []  # it waits: the COMMIT may still be under way
    hub.engine.commit()
    asking.join(5)
    assert answers == [True]


def test_the_newest_commit_is_known_from_whatever_was_stored(stage: Stage) -> None:
    hub = stage.hub()
    assert hub.engine.newest_commit_us() == 0
    roof = stage.device()
    assert hub.engine.newest_commit_us() == 0
    hub.write(Plain(roof).send(run("t", [(0, 1.0)])), now_us=NOW_US + 1)
    assert hub.engine.newest_commit_us() == NOW_US + 1
    hub.hello(roof, now_us=NOW_US + 2)
    assert hub.engine.newest_commit_us() == NOW_US + 2
    sent = Plain(roof, stage.token_id(roof)).send(run("t", [(1, 1.0)]))
    hub.write(sent, now_us=NOW_US + 3)
    assert hub.engine.newest_commit_us() == NOW_US + 3
