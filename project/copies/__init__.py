"""Copies of the whole database: what `manage.py backup` writes and `manage.py restore` reads.

A copy is a folder: the database as one file of its engine's own, and a manifest that says what must
be in it. Beside the line and on its own connections; it knows nothing of frames or sockets.
"""

from __future__ import annotations


class CannotCopy(Exception):
    """The copy was not made, or not put back; the message is one sentence for the operator."""
