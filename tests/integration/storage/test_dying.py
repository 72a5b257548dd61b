"""The process may die before any statement: what was acked is stored, all is stored once."""

from __future__ import annotations

from itertools import count

from ingest.models import Stream
from ingest.reading import Run
from ingest.storage import StreamReused
from tests.integration.storage.aggregation import assert_one_mind
from tests.integration.storage.dying import Died, bury, dies_before
from tests.integration.storage.stage import Reliable, Stage, at, run

# A new series, then late and on-time readings of two, a resend, and a conflict.
FRAMES: list[list[Run]] = [
    [run("a", [(0, 1.0), (30, 2.0), (61, 3.0)]), run("b", [(0, -1.0), (1, -2.0)])],
    [run("b", [(5, 1.0), (70, 2.0)]), run("c", [(2, 1.0), (80, 5.0)])],
    [run("a", [(1, 4.0), (130, 1.0), (0, 1.0), (30, 9.0)]), run("state", [(0, "on")])],
]
BEFORE_S = 60, 120
NUMBERS = 3 + 2 + 2 + 2 + 2
STORED = NUMBERS + 1


def live_until_death(stage: Stage, statement: int) -> bool:
    """One life that ends at `statement`, and the next; whether the first outlived the script."""
    hub, roof = stage.hub(), stage.device()
    device: Reliable | None = None
    acked = 0
    dies_before(hub, statement)
    try:
        device = hub.connect(roof)
        for number, runs in enumerate(FRAMES):
            hub.write(device.again(number + 1, *runs))
            acked = number + 1
            if number < len(BEFORE_S):
                while hub.seal(BEFORE_S[number]):
                    pass
        survived = True
    except Died:
        survived = False
    bury(hub)
    found = assert_one_mind()
    for number in range(acked):
        for sent in FRAMES[number]:
            if sent.metric != "state":
                assert set(sent.times_us) <= {at_us for _, at_us in found}
    answer = hub.hello(roof, first=acked + 1, last=len(FRAMES))
    assert not isinstance(answer, StreamReused)
    again = hub.connect(roof, first=acked + 1)
    assert acked <= again.seq <= acked + 1  # at most the one whose answer was lost
    for runs in FRAMES[again.seq :]:
        hub.write(again.send(*runs))
    hub.seal_all(3600)
    return survived


def test_the_process_may_die_before_any_statement(stage: Stage) -> None:
    for statement in count():
        stage.empty()
        survived = live_until_death(stage, statement)
        readings = assert_one_mind()
        assert len(readings) == NUMBERS
        assert readings[min(key for key in readings if key[1] == at(30))] == 2.0
        stream = Stream.objects.get()
        assert (stream.committed, stream.lost) == (len(FRAMES), 0)
        assert (stream.stored, stream.duplicate, stream.rejected) == (STORED, 1, 1)
        stage.close()
        if survived:
            break
    assert statement > 40
