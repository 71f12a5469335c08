# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring pip into an environment without a download, in place of the script that ansible-test would fetch."""

from __future__ import annotations

import subprocess
import sys

# Options of the original that say what to leave out.
REQUIREMENTS = [word for word in sys.argv[1:] if word not in {"--no-setuptools", "--no-wheel"}]

subprocess.run([sys.executable, "-m", "ensurepip", "--default-pip"], check=True)
subprocess.run([sys.executable, "-m", "pip", "install", *REQUIREMENTS], check=True)
