"""Nothing of the developer's own environment may reach a test, nor a program that a test starts."""

from __future__ import annotations

import os

for _variable in [name for name in os.environ if name.startswith("CROSSROOT_")]:
    del os.environ[_variable]
