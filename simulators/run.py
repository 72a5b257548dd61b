"""`run`: simulated devices that send on a schedule (open loop) or as fast as the window allows.

Open loop: frame `g` of the whole fleet is due at `g / (devices × rate)`, device `g mod devices`
sends it; so devices are staggered evenly, and a slow hub or simulator does not slow the schedule
down: it is behind, and says so. Closed loop (`rate` None): a device sends whenever there is room.
"""

from __future__ import annotations

import asyncio
import gc
import time
from dataclasses import dataclass
from random import Random

from simulators import Trouble
from simulators.encoding import Encoder, Form, SampleClock
from simulators.fleet import Fleet
from simulators.session import Session, pump
from simulators.waveforms import Metric, metrics

FAMILIES = 16
"""Devices share their encoded values with those of their family, from different beginnings."""

BURST_FRAMES = 200
"""Frames made before answers are read again when behind: some milliseconds of work."""

LAST_FRAMES_S = 0.1
"""How long after its end the schedule may still be worked off; what is left then is unsent."""

TICK_S = 0.001
"""The shortest sleep: finer than the event loop's own clock is not to be had."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What each simulated device sends."""

    rate: float | None
    """Frames a second and device; None: as fast as the window allows."""
    samples: int
    metrics: int
    form: Form
    duration_s: float | None
    """None: until Ctrl-C."""
    seed: int
    step_us: int | None = None
    with_state: bool = False
    behind_s: float = 0.0
    """How far the devices' clocks are behind."""


class Sender:
    """Makes the frames of one device."""

    def __init__(self, session: Session, encoder: Encoder, turn: int, clock: SampleClock) -> None:
        self.session = session
        self._encoder = encoder
        self._turn = turn
        self._clock = clock

    def make(self, due_s: float, wall_us: int) -> None:
        """Give the device its next frame, due at `due_s` of the loop, which is `wall_us` Unix."""
        encoder = self._encoder
        times = self._clock.take(wall_us, encoder.samples)
        self.session.device.add(encoder.text(self._turn, times), encoder.readings, due_s)
        self._turn += 1


async def produce(fleet: Fleet, plan: Plan) -> None:
    """The producer of `run`, for `Fleet.run`."""
    loop = asyncio.get_running_loop()
    samples = _samples_taken(fleet, plan)
    behind_us = round(plan.behind_s * 1e6)
    wall_us = time.time_ns() // 1000 - behind_us
    senders = _senders(fleet, plan, samples, wall_us)
    # What was made until now stays: the collector need not look at it again and again.
    gc.collect()
    gc.freeze()
    fleet.begin()
    offset_us = time.time_ns() // 1000 - behind_us - round(loop.time() * 1e6)
    if plan.rate is None:
        await _closed_loop(senders, plan, offset_us)
    else:
        await _open_loop(fleet, senders, plan.rate, plan, offset_us)


def _samples_taken(fleet: Fleet, plan: Plan) -> int:
    """The samples a frame, no more than the hub announced that it takes."""
    announced = [d.limits.frame_readings for d in fleet.devices if d.limits.frame_readings]
    most = min(announced, default=plan.samples * plan.metrics) // plan.metrics
    if most < 1:
        raise Trouble(f"The hub takes no frame with {plan.metrics} metrics.")
    if most < plan.samples:
        fleet.progress.say(f"The hub takes {most} samples of {plan.metrics} metrics a frame.")
    return _within_bytes(fleet, plan, min(plan.samples, most))


def _within_bytes(fleet: Fleet, plan: Plan, samples: int) -> int:
    announced = [d.limits.frame_bytes for d in fleet.devices if d.limits.frame_bytes]
    while announced and samples > 1:
        trial = Encoder(_metrics(plan), samples, plan.form, Random(plan.seed))
        times = SampleClock(time.time_ns() // 1000, plan.step_us or 1001).take(0, samples)
        # A tenth for the number, and for values longer than this one's.
        if len(trial.text(0, times)) * 1.1 + 32 <= min(announced):
            break
        samples = samples * 3 // 4
    return samples


def _metrics(plan: Plan) -> list[Metric]:
    return metrics(plan.metrics, with_state=plan.with_state)


def _senders(fleet: Fleet, plan: Plan, samples: int, wall_us: int) -> list[Sender]:
    """A sender for each device; its values depend on the seed and its place in the fleet only."""
    rng = Random(plan.seed)
    families = [
        Encoder(_metrics(plan), samples, plan.form, Random(rng.random()))
        for _ in range(min(FAMILIES, len(fleet.sessions)))
    ]
    interval_us = round(1e6 / plan.rate) if plan.rate else samples * 1000
    senders = []
    for n, session in enumerate(fleet.sessions):
        encoder = families[n % len(families)]
        clock = SampleClock(wall_us - interval_us, plan.step_us)
        senders.append(Sender(session, encoder, rng.randrange(encoder.frames), clock))
    return senders


async def _open_loop(
    fleet: Fleet, senders: list[Sender], rate: float, plan: Plan, offset_us: int
) -> None:
    loop, tally, count = asyncio.get_running_loop(), fleet.tally, len(senders)
    fleet_rate = rate * count
    planned = None if plan.duration_s is None else int(plan.duration_s * fleet_rate)
    began_s, made = loop.time(), 0
    while planned is None or made < planned:
        now_s = loop.time()
        elapsed_s = now_s - began_s
        if plan.duration_s is not None and elapsed_s > plan.duration_s + LAST_FRAMES_S:
            break
        due = int(elapsed_s * fleet_rate) + 1
        until = min(due, made + BURST_FRAMES, due if planned is None else planned)
        tally.behind_s = max(tally.behind_s, elapsed_s - made / fleet_rate)
        fed = []
        for g in range(made, until):
            sender = senders[g % count]
            due_s = began_s + g / fleet_rate
            sender.make(due_s, offset_us + round(due_s * 1e6))
            fed.append(sender.session)
        pump(fed)
        made = until
        wait_s = began_s + made / fleet_rate - loop.time()
        await asyncio.sleep(max(wait_s, TICK_S) if wait_s > 0 else 0)
    if planned is not None:
        tally.frames_unsent = planned - made


async def _closed_loop(senders: list[Sender], plan: Plan, offset_us: int) -> None:
    loop = asyncio.get_running_loop()
    by_session = {id(sender.session): sender for sender in senders}

    def fill(session: Session) -> None:
        sender, device = by_session[id(session)], session.device
        while device.room > 0:
            now_s = loop.time()
            sender.make(now_s, offset_us + int(now_s * 1e6))

    for sender in senders:
        sender.session.on_room = fill
        sender.session.pump()
    await asyncio.sleep(plan.duration_s if plan.duration_s is not None else float("inf"))
