"""The client: a fleet of simulated devices, which says when it begins, is settled, and what came.

    python -m benchmarks.client '{"url": …, "tokens": …, "shape": …, …}'     see `Order`

A line of JSON each on standard output: {"now": "begun"}, {"now": "settled"}, {"result": …}. The
driver reads what the server used when the first two appear.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.shapes import by_name
from simulators import run
from simulators.device import Device
from simulators.fleet import Fleet, Options
from simulators.tokens import read_tokens


@dataclass(frozen=True, slots=True)
class Order:
    """What the driver wants sent."""

    url: str
    tokens: str
    shape: str
    duration_s: float
    behind_s: float
    """How far the devices' clocks are behind: it decides when the hub's minute closes."""
    begin_at_s: float = 0.0
    """Not before this Unix time is the first frame sent; by then everybody is connected."""
    rate: float | None = None
    """Frames a second and device; None: as fast as the window allows."""
    more_urls: tuple[str, ...] = ()
    """Of further hubs: the devices are spread over all of them."""
    usual: bool = False
    """Send to the usual consumer: plainly, and from as many devices as it can answer in time."""


def _say(**what: object) -> None:
    print(json.dumps(what), flush=True)


class _Marked(Fleet):
    """A fleet that says where it is, and how busy the client was in between."""

    busy = 0.0
    """The share of its core that the client used: near 1, the client was the limit."""
    _began = (0.0, 0.0)

    def spread(self, urls: Sequence[str]) -> None:
        for n, session in enumerate(self.sessions):
            session.bench = replace(session.bench, url=urls[n % len(urls)])

    def begin(self) -> None:
        super().begin()
        self._began = (time.process_time(), time.perf_counter())
        _say(now="begun")

    async def _drain(self) -> None:
        await super()._drain()
        cpu_s, wall_s = self._began
        self.busy = (time.process_time() - cpu_s) / (time.perf_counter() - wall_s)
        _say(now="settled")


def main(order: Order) -> None:
    shape = by_name(order.shape)
    count = shape.usual_devices if order.usual else shape.devices
    doubled = 0 if order.usual else round(shape.twice * count)
    crew = [
        (
            Device(
                who.uid,
                reliable=not order.usual and n >= doubled,
                twice=n < doubled,
                window_cap=1 if order.usual else shape.in_flight,
            ),
            who,
        )
        for n, who in enumerate(read_tokens(Path(order.tokens))[:count])
    ]
    plan = run.Plan(
        rate=order.rate,
        samples=shape.samples,
        metrics=shape.metrics,
        form=shape.form,
        duration_s=order.duration_s,
        seed=7,
        behind_s=order.behind_s,
    )
    options = Options(order.url, ledger=None, wait_s=30, drain_s=120, quiet=True)

    async def produce(fleet: Fleet) -> None:
        await asyncio.sleep(max(0.0, order.begin_at_s - time.time()))
        await run.produce(fleet, plan)

    async def send() -> None:
        fleet = _Marked(options, crew)
        fleet.spread([order.url, *order.more_urls])
        report = await fleet.run(produce)
        _say(result=report.result, client_busy=round(fleet.busy, 3), complete=report.complete)

    asyncio.run(send())


if __name__ == "__main__":
    main(Order(**json.loads(sys.argv[1])))
