"""`/api/v1/`: what a hub knows, for programs. Each resource is a module; `root` puts them together.

    request ─▶ door (HEAD, ETag, what went wrong) ─▶ auth ─▶ resource ─▶ answer

Views are plain functions in Django's threads, never on the event loop, and only read.
"""
