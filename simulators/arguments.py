"""What may stand on the command line: options, their defaults, and how their values are read."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from simulators.device import SPOOL_FRAMES

FORMATS = ("room-climate", "occupancy", "machine-temperature", "csv")

UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def duration_s(text: str) -> float:
    """`250ms`, `30s`, `5m`, `2h`, `1d`, or a number of seconds."""
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    try:
        seconds = float(digits) * UNITS_S[text[len(digits) :] or "s"]
    except (ValueError, KeyError):
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no duration; write 30s, 5m or 2h")
    return seconds


def _duration_or_forever(text: str) -> float | None:
    return None if text == "forever" else duration_s(text)


def _number_or_max(text: str) -> float | None:
    if text == "max":
        return None
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number above 0 nor max")
    return number


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def _fraction(text: str) -> float:
    try:
        fraction = float(text)
    except ValueError:
        fraction = -1.0
    if not 0 <= fraction <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no fraction from 0 to 1")
    return fraction


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise argparse.ArgumentTypeError(f"no time zone {text!r}") from None


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


Command = Callable[[argparse.Namespace], object]


def parser(*, run: Command, replay: Command) -> argparse.ArgumentParser:
    """The parser; `command` of what it parses is the one of the two that was asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m simulators",
        description="Virtual devices that speak the hub's device protocol, weir.v1.",
    )
    commands = parser.add_subparsers(required=True, metavar="run|replay")
    for name, command, fill, text in (
        ("run", run, _run_arguments, "simulated devices"),
        ("replay", replay, _replay_arguments, "recorded files, sent again"),
    ):
        chosen = commands.add_parser(name, help=text, description=text.capitalize() + ".")
        chosen.set_defaults(command=command)
        fill(chosen)
        _common_arguments(chosen)
    return parser


def _run_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--devices", type=_count, help="how many of the tokens file (default: all)")
    add("--rate", type=_number_or_max, default=1.0, help="frames a second and device, or max")
    add("--samples", type=_count, default=1, help="samples a frame")
    add("--metrics", type=_count, default=3, help="metrics a sample")
    add("--form", choices=("samples", "columns"), default="samples")
    add("--duration", type=_duration_or_forever, default=30.0, help="30s, 5m, 2h or forever")
    add("--seed", type=int, default=7, help="the same seed gives the same values")
    add("--state", action="store_true", help="make the last metric a status text")
    add("--behind", type=duration_s, default=0.0, help="how far the devices' clocks are behind")
    add("--step", type=duration_s, help="a fixed distance between samples (default: what fits)")
    add(
        "--twice",
        type=_fraction,
        default=0.0,
        metavar="F",
        help="this fraction of devices sends each frame twice, on plain connections",
    )


def _replay_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("files", nargs="+", type=Path, metavar="FILE")
    add("--format", choices=FORMATS, required=True)
    add("--speed", type=_number_or_max, default=None, help="60 is a minute a second (default: max)")
    add("--samples", type=_count, default=100, help="at most so many samples a frame")
    add("--form", choices=("samples", "columns"), default="samples")
    times = parser.add_mutually_exclusive_group()
    times.add_argument("--keep-times", action="store_true", help="times as recorded (the default)")
    times.add_argument("--shift-to-now", action="store_true", help="as if it was recorded now")
    add("--zone", type=_zone, default="UTC", help="zone of times without an offset (default: UTC)")
    add("--device", help="uid of the device that sends (default: the tokens file's first)")
    add("--device-prefix", help="a node's device is this and the node (default: by order)")
    add("--time-column", help="csv: the column with the time")
    add("--time-format", default="iso", help="csv: iso, ms, s or as strptime (default: iso)")
    add("--value-columns", type=_names, help="csv: columns sent as metrics, by comma")


def _common_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--url", default="ws://127.0.0.1:8000/ws/ingest/")
    add("--tokens", type=Path, required=True, help='lines of {"uid": …, "token": …}')
    add("--ledger", type=Path, help="write down every frame and what became of it")
    add("--plain", action="store_true", help="plain connections: no stream, no resume")
    add("--window", type=int, default=0, help="at most so many frames in flight a device")
    add("--spool", type=_count, default=SPOOL_FRAMES, help="frames a device keeps unsent")
    add("--wait", type=duration_s, default=0.0, help="wait so long for a hub to answer")
    add("--drain", type=duration_s, default=15.0, help="wait so long for the last acks")
    add("--quiet", action="store_true", help="no progress")
    add("--json", action="store_true", help="one JSON object at the end")
