"""What Prometheus is told of sockets. Labels are words of this package, never of a peer."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

PAUSED = Gauge("weir_sockets_paused", "WebSockets not read from now, by what is full", ["full"])
PAUSES = Counter("weir_socket_pauses", "Times a WebSocket was paused, by what was full", ["full"])
CUT = Counter("weir_connections_cut", "Connections cut without a word, by why", ["why"])

for full in ("input", "output"):
    PAUSED.labels(full)
    PAUSES.labels(full)
for why in ("took_nothing", "no_pong", "gone"):
    CUT.labels(why)
for why in ("head_too_slow", "body_too_slow", "body_too_large", "too_many"):
    CUT.labels(why)
