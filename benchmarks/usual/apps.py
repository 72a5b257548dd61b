"""The usual project's only app."""

from django.apps import AppConfig


class UsualConfig(AppConfig):
    name = "benchmarks.usual"
    label = "usual"
