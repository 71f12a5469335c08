"""Bring pip into an environment without a download, in place of the script that ansible-test would fetch."""

from __future__ import annotations

import subprocess
import sys

# Options of the original that say what to leave out.
REQUIREMENTS = [word for word in sys.argv[1:] if word not in {"--no-setuptools", "--no-wheel"}]

subprocess.run([sys.executable, "-m", "ensurepip", "--default-pip"], check=True)
subprocess.run([sys.executable, "-m", "pip", "install", *REQUIREMENTS], check=True)
