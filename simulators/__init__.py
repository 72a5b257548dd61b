"""Virtual devices that speak the documented protocol, `weir.v1`, from outside the hub.

They know the protocol's text and nothing else of the server: no module here imports Django or a
package of the hub, so that what works for them works for any device.

A frame's way: `encoding` or `recordings` make its text, `device` numbers it and keeps it until it
is settled, `session` writes it to the `ledger` and then to its `link`; the answer comes back
through `link` and `device` to the `tally`.
"""


class Trouble(Exception):
    """What went wrong, as one sentence for the person at the terminal."""
