"""Hypothesis for the rules: the same examples each time, and no clock in the verdict."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile(
    "rules", derandomize=True, max_examples=100, deadline=None, print_blob=False
)
settings.load_profile("rules")
