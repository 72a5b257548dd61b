"""The command line: `python -m simulators run|replay`. Mistakes become one sentence and exit 1."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import orjson

from simulators import Trouble, recordings, replay, run
from simulators.arguments import parser
from simulators.device import Device
from simulators.fleet import Fleet, Options, Report, launch
from simulators.tokens import read_tokens


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser(run=_run, replay=_replay).parse_args(arguments)
    try:
        report: Report = options.command(options)
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        return 1
    if options.json:
        print(orjson.dumps(report.result).decode(), flush=True)
    else:
        print(_summary(report.result), flush=True)
    return 0 if report.complete else 1


def _run(options: argparse.Namespace) -> Report:
    credentials = read_tokens(options.tokens)
    count = options.devices or len(credentials)
    if count > len(credentials):
        raise Trouble(
            f"The tokens file {options.tokens} has {len(credentials)} devices, "
            f"--devices asks for {count}."
        )
    twice = round(options.twice * count)
    crew = [
        (
            Device(
                who.uid,
                reliable=not options.plain and n >= twice,
                twice=n < twice,
                window_cap=options.window,
                spool_frames=options.spool,
            ),
            who,
        )
        for n, who in enumerate(credentials[:count])
    ]
    plan = run.Plan(
        rate=options.rate,
        samples=options.samples,
        metrics=options.metrics,
        form=options.form,
        duration_s=options.duration,
        seed=options.seed,
        step_us=None if options.step is None else round(options.step * 1e6),
        with_state=options.state,
        behind_s=options.behind,
    )
    return launch(_options(options), crew, lambda fleet: run.produce(fleet, plan))


def _replay(options: argparse.Namespace) -> Report:
    samples = _recorded(options)
    nodes = sorted({sample.node for sample in samples})
    assigned = replay.assign(
        nodes, read_tokens(options.tokens), options.device, options.device_prefix
    )
    # A recording is not dropped because it is longer than a device's memory.
    spool = max(options.spool, len(samples))
    crew = [
        (
            Device(
                who.uid,
                reliable=not options.plain,
                window_cap=options.window,
                spool_frames=spool,
            ),
            who,
        )
        for who in (assigned[node] for node in nodes)
    ]
    playback = replay.Playback(
        speed=options.speed,
        shift_to_now=options.shift_to_now,
        form=options.form,
        samples=options.samples,
    )

    async def produce(fleet: Fleet) -> None:
        sessions = dict(zip(nodes, fleet.sessions, strict=True))
        await replay.produce(fleet, samples, sessions, playback)

    return launch(_options(options), crew, produce)


def _recorded(options: argparse.Namespace) -> list[recordings.Sample]:
    samples: list[recordings.Sample] = []
    layout = _layout(options)
    for path in options.files:
        try:
            with path.open(encoding="utf-8", newline="") as lines:
                samples += recordings.read(lines, layout, str(path))
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise Trouble(f"{path} cannot be read ({reason}).") from None
    if not samples:
        raise Trouble(f"Nothing is recorded in {', '.join(map(str, options.files))}.")
    return samples


def _layout(options: argparse.Namespace) -> recordings.Layout:
    match options.format:
        case "room-climate":
            return recordings.room_climate()
        case "occupancy":
            return recordings.occupancy(options.zone)
        case "machine-temperature":
            return recordings.machine_temperature(options.zone)
    if not options.time_column or not options.value_columns:
        raise Trouble("--format csv needs --time-column and --value-columns.")
    return recordings.Layout(
        metrics={name: name for name in options.value_columns},
        time=recordings.local_time(options.time_format, options.zone),
        time_column=options.time_column,
    )


def _options(options: argparse.Namespace) -> Options:
    return Options(
        url=options.url,
        ledger=options.ledger,
        wait_s=options.wait,
        drain_s=options.drain,
        quiet=options.quiet,
    )


def _summary(result: dict[str, Any]) -> str:
    return (
        "{sent:,} readings sent, {acked:,} acknowledged: {stored:,} stored, "
        "{duplicate:,} duplicate, {rejected:,} rejected; {dropped:,} dropped, {unacked:,} open.\n"
        "{readings_per_s:,.0f} readings/s, {frames_per_s:,.0f} frames/s; "
        "ack p50 {ack_p50_ms} ms, p95 {ack_p95_ms} ms, p99 {ack_p99_ms} ms; "
        "at most {behind_s} s behind; {reconnects} reconnects; errors: {errors}"
    ).format(**result)
