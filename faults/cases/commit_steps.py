"""Each step of a commit fails in turn: the hub dies there, or its database says that it cannot."""

from __future__ import annotations

from typing import NamedTuple

from faults import BOTH, Row
from faults.acks import Acks
from faults.broken import breaks
from faults.intact import intact
from faults.place import Place
from tests.hubs import Hub, wait_until

TITLE = "Each step of a commit fails"
ENGINES = BOTH

STORAGE = "ingest.storage"
BEFORE, AFTER = "before", "after"
HINGES = ("between rows and rollups", "before COMMIT", "after COMMIT, before the ack")
OLD = "7200s"  # these devices' clocks are so far behind that all they send is late


class Step(NamedTuple):
    """A moment in the life of a batch, a hello or a slice: next to a call of the engine's."""

    name: str
    moment: str
    call: str
    fails: bool = True
    """Whether a database can fail there; after COMMIT there is nothing left to say no to."""
    seals: bool = False


def steps(engine: str) -> list[Step]:
    module = "sqlite" if engine == "sqlite" else "postgres"
    engine_class = "SqliteEngine" if engine == "sqlite" else "PostgresEngine"
    call = f"{STORAGE}.{module}:{engine_class}"
    late = f"{STORAGE}.{module}:{'fold_late' if engine == 'sqlite' else 'add_up'}"
    sealing = f"{STORAGE}.{module}_sealing:"
    return [
        Step("before the batch begins", BEFORE, f"{call}.begin"),
        Step("before the rows", BEFORE, f"{call}.insert"),
        Step("before the streams move", BEFORE, f"{call}.move_streams"),
        Step("before COMMIT", BEFORE, f"{call}.commit"),
        Step("after COMMIT, before the ack", AFTER, f"{call}.commit", fails=False),
        Step("in a hello", AFTER, f"{call}.open_stream"),
        Step("in sealing, between rows and rollups", BEFORE, f"{sealing}add_up", seals=True),
        Step("in sealing, before the watermark", AFTER, f"{sealing}add_up", seals=True),
        Step("after a slice", AFTER, f"{sealing}Sealing.step", fails=False, seals=True),
        Step("between rows and rollups", BEFORE, late),
        Step("after the rollups", AFTER, late),
    ]


def run(place: Place) -> list[Row]:
    devices, times = place.scale((3, 1), (20, 5))
    store = place.store()
    # Nothing is sealed until its steps come: then there is much to seal, by small slices. Only what
    # comes behind the sealed is late, so late readings have their steps after that.
    hub = place.hub(store, WEIR_SEAL_GRACE_S=86_400, WEIR_SEAL_SLICE_READINGS=2)
    always = ("--rate", "10", "--samples", "5", "--state", "--duration", "forever", "--wait", "60s")
    fleets = [
        place.fleet(hub, place.tokens(store, devices, prefix), "run", *always, "--behind", behind)
        for prefix, behind in (("now-", "0s"), ("late-", OLD))
    ]
    acks = [Acks(fleet) for fleet in fleets]
    for each in acks:
        each.wait_s(devices)
    broken: list[str] = []
    for _ in range(times):
        for step in _chosen(place):
            if step.seals:
                hub.environment["WEIR_SEAL_GRACE_S"] = "0"
            for how in _ways(place, step):
                _break(place, hub, step, how)
                broken.append(step.name)
    breaks(hub, "")
    hub.kill()
    for each in acks:
        each.mark()
    hub.start()
    for each in acks:
        each.wait_s(devices)
    for fleet in fleets:
        result = fleet.stop()
        assert (result["dropped"], result["stopped"]) == (0, 0), result
    assert hub.terminate() == 0
    return [
        place.row(
            store,
            done=f"{len(broken)} times, at {len(set(broken))} steps, by SIGKILL and by an"
            f" error of the database, under {2 * devices} devices, half of them late",
            seen=f"every device went on; {intact(store)}",
            figures={"broken_times": len(broken)},
        )
    ]


def _chosen(place: Place) -> list[Step]:
    """All; in the short form the three that a batch hinges on, and one of sealing."""
    every = steps(place.engine)
    if not place.short:
        return every
    hinges = [step for step in every if step.name in HINGES]
    sealing = place.rng.choice([step for step in every if step.seals])
    picked = [*hinges, sealing]
    return [step for step in every if step in picked]


def _ways(place: Place, step: Step) -> list[str]:
    """Both in the long form; in the short one the quicker for sealing, else one by chance."""
    if not step.fails:
        return ["die"]
    if not place.short:
        return ["die", "fail"]
    return ["die"] if step.seals else [place.rng.choice(["die", "fail"])]


def _break(place: Place, hub: Hub, step: Step, how: str) -> None:
    """Start the hub so that it breaks at this step, and wait until it has."""
    hub.kill()
    number = 1 if step.seals else place.rng.randint(1, 5)
    breaks(hub, f"{how} {number} {step.moment} {step.call}")
    before = len(hub.log)
    if how == "die":
        hub.launch()
        wait_until(lambda: not hub.runs, f"it dies {step.name}", 150)
        return
    hub.start()
    wait_until(lambda: "broken for a test" in hub.log[before:], f"it fails {step.name}", 150)
    wait_until(lambda: hub.ask("/readyz").status == 200, "the hub goes on by itself")
