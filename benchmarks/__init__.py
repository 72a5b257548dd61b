"""What the hub carries on this machine, beside the usual consumer and a bare writer of its rows.

    cli ─▶ runs ─▶ [server's core] usual.asgi | manage.py runhub | bare, sealing
             ─▶ [client's core] client (simulators), dashboard
             ◀─ usage (CPU, memory, bytes written), figures ─▶ report

Everything measured is a process of its own, pinned to its core; the driver shares the client's.
A benchmark is no test: it fails where something does not work, never because it is slow.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class Trouble(Exception):
    """What keeps the benchmark from going on, as one sentence."""
