"""Sets Django up for the benchmark's own programs on the hub's database; import it first."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
django.setup()
