"""Random histories of frames, resends, conflicts, late readings, sealings, crashes and take-overs.

The machine keeps a model of what must be stored, and of what each device was told. After every
step: what was taken is where it must be (invariant 1), nothing was acked that is not committed and
no ack went back (2), and a query equals an aggregation of what was stored, once each (3).

`WEIR_TEST_PROFILE=thorough` looks at many more histories.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from devices.models import Series
from ingest.buffer import Submission
from ingest.fields import to_us
from ingest.hello import Opened
from ingest.models import Stream, TextReading
from ingest.reading import TEXT, Run
from ingest.storage import OutcomeUnknown, Settlement, Trouble
from tests.integration.storage.aggregation import assert_one_mind
from tests.integration.storage.failing import FailingEngine, failing
from tests.integration.storage.stage import NOW_US, Hub, Plain, Reliable, Stage, Value, run

settings.register_profile("quick", max_examples=50, stateful_step_count=25)
settings.register_profile("thorough", max_examples=3_000, stateful_step_count=50)
PROFILE = settings.get_profile(os.environ.get("WEIR_TEST_PROFILE", "quick"))

# A unit takes several steps, so that readings come in between.
SLICE, UNIT = 4, 30
DEVICES = ["roof", "cellar"]
# Few times and values, so that they meet; minutes and the end of an hour lie between them.
TIMES = st.sampled_from([0.0, 0.5, 59.999999, 60.0, 61.0, 119.0, 180.0, 300.0, -1.0, -3600.0])
NUMBERS = st.lists(st.tuples(TIMES, st.sampled_from([0.0, 1.0, -2.5, 0.1])), min_size=1, max_size=6)
TEXTS = st.lists(st.tuples(TIMES, st.sampled_from(["on", "off"])), min_size=1, max_size=3)
METRICS = st.sampled_from(["a", "b", "c", "d"])
CONTENTS = st.lists(st.tuples(METRICS, st.one_of(NUMBERS, NUMBERS, NUMBERS, TEXTS)), max_size=3)
UIDS, HUBS = st.sampled_from(DEVICES), st.integers(0, 1)
FATES = st.sampled_from(
    [
        "commits",
        "commits",
        "meets trouble",
        "dies before COMMIT",
        "dies before its acks",
        "loses the answer of a COMMIT that happened",
        "loses the answer of a COMMIT that did not",
    ]
)

Content = list[tuple[str, list[tuple[float, Value]]]]
Key = tuple[str, str, int]  # uid, metric, time in µs


def runs_of(content: Content) -> list[Run]:
    return [run(metric, readings) for metric, readings in content]


@dataclass(eq=False)
class ModelHub:
    """A hub process: what it has taken and not settled, and its figures since it began."""

    hub: Hub
    failures: FailingEngine
    pending: list[Submission] = field(default_factory=list)
    tally: Counter[str] = field(default_factory=Counter)

    def take(self, submission: Submission) -> None:
        self.pending.append(submission)
        self.tally["taken"] += submission.frame.readings


@dataclass
class ModelStream:
    """A device's stream: what it must have come to, and what the device knows of it."""

    frames: list[Content] = field(default_factory=list)  # frame n is at n - 1
    committed: int = 0
    acked: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    connection: Reliable | None = None
    hub: ModelHub | None = None


@dataclass
class Expected:
    """What a batch must come to: for each connection, and in the database if it commits."""

    truth: dict[Key, Value]
    kinds: dict[tuple[str, str], int]
    fenced: set[int] = field(default_factory=set)
    counts: dict[int, Counter[str]] = field(default_factory=dict)
    refused: dict[int, set[tuple[int, str, int, str]]] = field(default_factory=dict)
    moved: dict[str, tuple[int, Counter[str]]] = field(default_factory=dict)

    def write(self, submission: Submission, uid: str) -> None:
        counts = self.counts[id(submission.connection)]
        refused = self.refused[id(submission.connection)]
        for sent in submission.frame.runs:
            kind = self.kinds.setdefault((uid, sent.metric), sent.kind)
            values: Sequence[Value] = sent.values
            for sample, (at_us, value) in enumerate(zip(sent.times_us, values, strict=True)):
                if kind != sent.kind:
                    counts["rejected"] += 1
                    refused.add((submission.seq, "kind_mismatch", sample, sent.metric))
                    continue
                key = uid, sent.metric, at_us
                if key not in self.truth:
                    self.truth[key] = value
                    counts["stored"] += 1
                elif self.truth[key] == value:
                    counts["duplicate"] += 1
                else:
                    counts["rejected"] += 1
                    refused.add((submission.seq, "conflict", sample, sent.metric))


class History(RuleBasedStateMachine):
    """One history; `stage` is the database it happens on."""

    stage: Stage

    def __init__(self) -> None:
        super().__init__()
        self.stage.close()
        self.stage.empty()
        self.devices = {uid: self.stage.device(uid) for uid in DEVICES}
        self.streams = {uid: ModelStream() for uid in DEVICES}
        self.truth: dict[Key, Value] = {}
        self.kinds: dict[tuple[str, str], int] = {}
        self.plain: dict[tuple[int, str], Plain] = {}
        self.stale: list[tuple[Reliable, ModelHub]] = []
        self.sent: list[tuple[str, Content]] = []
        self.hubs: list[ModelHub] = []
        # SQLite has one hub at a time; there only another connection to it takes over.
        for _ in range(1 if self.stage.vendor == "sqlite" else 2):
            failures, engine = failing(self.stage.open_engine(SLICE, UNIT))
            self.hubs.append(ModelHub(Hub(engine), failures))

    def its_hub(self, number: int) -> ModelHub:
        return self.hubs[number % len(self.hubs)]

    @rule(number=HUBS, uid=UIDS, content=CONTENTS)
    def send_plainly(self, number: int, uid: str, content: Content) -> None:
        hub = self.its_hub(number)
        device = self.plain.setdefault((id(hub), uid), Plain(self.devices[uid]))
        hub.take(device.send(*runs_of(content)))
        self.sent.append((uid, content))

    @rule(number=HUBS, which=st.integers(0, 50))
    def send_again_plainly(self, number: int, which: int) -> None:
        if self.sent:
            self.send_plainly(number, *self.sent[which % len(self.sent)])

    @rule(number=HUBS, uid=UIDS, readings=NUMBERS)
    def send_all_metrics(self, number: int, uid: str, readings: list[tuple[float, Value]]) -> None:
        self.send_plainly(number, uid, [(metric, readings) for metric in "abcd"])

    @rule(number=HUBS, uid=UIDS)
    def connect(self, number: int, uid: str) -> None:
        """A hello: of a new device, after a crash, or while another connection is alive."""
        hub, stream, device = self.its_hub(number), self.streams[uid], self.devices[uid]
        if stream.connection is not None and stream.hub is not None:
            self.stale.append((stream.connection, stream.hub))
        opened = hub.hub.hello(device, "s", first=stream.acked + 1, last=len(stream.frames))
        assert isinstance(opened, Opened)
        assert (opened.committed, opened.lost) == (stream.committed, 0)
        stream.acked = opened.committed
        stream.connection, stream.hub = Reliable(device, 0, opened.committed, opened), hub
        for content in stream.frames[opened.committed :]:
            hub.take(stream.connection.send(*runs_of(content)))

    @rule(uid=UIDS, content=CONTENTS)
    def send_reliably(self, uid: str, content: Content) -> None:
        stream = self.streams[uid]
        stream.frames.append(content)
        self.sent.append((uid, content))
        if stream.connection is not None and stream.hub is not None:
            stream.hub.take(stream.connection.send(*runs_of(content)))

    @rule(which=st.integers(0, 5), content=CONTENTS)
    def send_on_a_connection_taken_over(self, which: int, content: Content) -> None:
        if self.stale:
            connection, hub = self.stale[which % len(self.stale)]
            hub.take(connection.send(*runs_of(content)))

    @rule(number=HUBS, before_s=st.sampled_from([0, 60, 120, 181, 3600]), steps=st.integers(1, 9))
    def seal(self, number: int, before_s: int, steps: int) -> None:
        for _ in range(steps):
            self.its_hub(number).hub.seal(before_s)
            self.queries_equal_aggregations()

    @rule(number=HUBS, fate=FATES)
    def flush(self, number: int, fate: str) -> None:
        hub = self.its_hub(number)
        batch, expected = hub.pending, self.expect(hub.pending)
        match fate:
            case "commits":
                self.tell(hub, hub.hub.write(*batch).settlements, expected)
                self.happened(expected)
            case "meets trouble":
                hub.failures.fail_next(Trouble("no space left"), at="commit")
                self.write_in_vain(hub)
            case "dies before COMMIT":
                hub.hub.transactions._write(batch, NOW_US)
                self.crash(hub)
            case "dies before its acks":
                hub.hub.write(*batch)
                self.happened(expected)
                self.crash(hub)
            case _:
                committed = fate.endswith("that happened")
                hub.failures.lose_the_answer_of_commit(committed)
                self.write_in_vain(hub)
                outcome = hub.hub.transactions.resolve()
                assert (outcome is not None) == (committed and bool(expected.moved))
                if outcome is not None:
                    self.tell(hub, outcome.settlements, expected)
                if committed:
                    self.happened(expected)

    def write_in_vain(self, hub: ModelHub) -> None:
        try:
            hub.hub.write(*hub.pending)
        except (Trouble, OutcomeUnknown):
            return
        raise AssertionError("it was told to fail")

    def crash(self, hub: ModelHub) -> None:
        """The process is gone, with all that it remembered, and another one starts."""
        hub.hub.crash()
        hub.pending = []
        hub.tally.clear()
        self.stale = [(connection, its) for connection, its in self.stale if its is not hub]
        self.plain = {key: device for key, device in self.plain.items() if key[0] != id(hub)}
        for stream in self.streams.values():
            if stream.hub is hub:
                stream.connection = stream.hub = None

    def expect(self, batch: list[Submission]) -> Expected:
        expected = Expected(dict(self.truth), dict(self.kinds))
        first: dict[int, int] = {}
        for submission in batch:
            connection, uid = submission.connection, submission.connection.device.uid
            key, stream = id(connection), self.streams[uid]
            expected.counts.setdefault(key, Counter())
            expected.refused.setdefault(key, set())
            first.setdefault(key, submission.seq)
            if submission.stream_id is not None:
                if connection is not stream.connection or first[key] != stream.committed + 1:
                    expected.fenced.add(key)
                    continue
                expected.moved[uid] = submission.seq, expected.counts[key]
            expected.write(submission, uid)
        return expected

    def happened(self, expected: Expected) -> None:
        """The batch is committed."""
        self.truth, self.kinds = expected.truth, expected.kinds
        for uid, (committed, counts) in expected.moved.items():
            self.streams[uid].committed = committed
            self.streams[uid].counts.update(counts)

    def tell(self, hub: ModelHub, settlements: Iterable[Settlement], expected: Expected) -> None:
        """Acks go out."""
        hub.pending = []
        for settlement in settlements:
            connection = settlement.connection
            assert settlement.fenced == (id(connection) in expected.fenced)
            if settlement.fenced:
                hub.tally["fenced"] += settlement.readings
                continue
            counts = expected.counts[id(connection)]
            for outcome in ("stored", "duplicate", "rejected"):
                assert getattr(settlement, outcome) == counts[outcome], outcome
            hub.tally.update(counts)
            named = {(seq, str(r.code), r.sample, r.metric) for seq, r in settlement.refusals}
            assert named == expected.refused[id(connection)]
            if isinstance(connection, Reliable):
                stream = self.streams[connection.device.uid]
                assert stream.connection is connection
                assert settlement.through > stream.acked, "an ack went back"
                stream.acked = settlement.through

    @invariant()
    def what_was_taken_is_where_it_must_be(self) -> None:
        for hub in self.hubs:
            tally = hub.tally
            pending = sum(submission.frame.readings for submission in hub.pending)
            settled = sum(tally[o] for o in ("stored", "duplicate", "rejected", "fenced"))
            assert tally["taken"] == settled + pending

    @invariant()
    def no_ack_is_ahead_of_its_commit(self) -> None:
        for row in Stream.objects.select_related("device"):
            stream = self.streams[row.device.uid]
            assert stream.acked <= row.committed == stream.committed
            assert (row.stored, row.duplicate, row.rejected, row.lost) == (
                stream.counts["stored"],
                stream.counts["duplicate"],
                stream.counts["rejected"],
                0,
            )

    @invariant()
    def queries_equal_aggregations(self) -> None:
        rows = Series.objects.values_list("device__uid", "metric", "id", "kind")
        series = {(uid, metric): (series_id, kind) for uid, metric, series_id, kind in rows}
        assert {key: kind for key, (_, kind) in series.items()} == self.kinds
        numbers: dict[tuple[int, int], float] = {}
        texts: dict[tuple[int, int], Value] = {}
        for (uid, metric, at_us), value in self.truth.items():
            series_id, kind = series[uid, metric]
            if kind == TEXT:
                texts[series_id, at_us] = value
            else:
                numbers[series_id, at_us] = float(value)
        assert_one_mind(numbers)
        stored = TextReading.objects.values_list("series_id", "time", "value")
        assert {(series_id, to_us(time)): value for series_id, time, value in stored} == texts


def test_every_history_keeps_the_invariants(stage: Stage) -> None:
    class Its(History):
        pass

    Its.stage = stage
    # A history on PostgreSQL takes five times as long.
    examples = PROFILE.max_examples // (1 if stage.vendor == "sqlite" else 5)
    run_state_machine_as_test(
        Its,
        settings=settings(
            PROFILE,
            max_examples=examples,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
