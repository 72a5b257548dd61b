"""`python -m faults`: see `faults.cli`."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
django.setup()  # a token is drawn as the hub draws it; no database of Django's is opened

from faults.cli import main  # noqa: E402

raise SystemExit(main())
