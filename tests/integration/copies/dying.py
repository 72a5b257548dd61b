"""`manage.py` with one function of it wrapped: it dies before or after its nth call.

python -m tests.integration.copies.dying "1 before project.copies.folder:sync" backup PATH
"""

from __future__ import annotations

import os
import sys

import django
from django.core.management import call_command

from tests.breaking import broken, wrap


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    django.setup()
    number, moment, where = sys.argv[1].split()
    wrap(where, broken("die", int(number), moment))
    call_command(*sys.argv[2:])


if __name__ == "__main__":
    main()
