"""Builders that tests share: small, sound objects that a test bends where it has to."""
