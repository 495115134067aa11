"""The sample server is run as a directory: its modules are found beside its `__main__.py`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "vserver"))
