# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module's own entry point in the node, as Ansible does after its own part, and measures the process.

run_module.py [--carry-out] MODULE PARAMETERS.json

"inside" is from the start of main() to its exit: validation of the arguments, lazy imports, reading, planning,
applying, verifying and writing the result. "imports" is what comes before. peak_mib is the process's largest size.

--carry-out: "carried_out" is how long the engine carries out the plan; the other times then mean nothing, because the
engine is imported too early.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).parent))


def watch_engine() -> list[float]:
    """Return where the engine's times will be put."""
    from ansible_collections.pextra.cloud.plugins.module_utils._engine import carrying, converge

    carry_out, times = carrying.carry_out, []

    def timed(*arguments: Any) -> Any:
        started = time.perf_counter()
        done = carry_out(*arguments)
        times.append(time.perf_counter() - started)
        return done

    mock.patch.object(converge, "carry_out", timed).start()
    return times


def main() -> None:
    *options, name, path = sys.argv[1:]
    carried_out = watch_engine() if options == ["--carry-out"] else []
    parameters = Path(path).read_bytes()
    started = time.perf_counter()
    from ansible.module_utils import basic

    basic._ANSIBLE_ARGS = parameters
    basic._ANSIBLE_PROFILE = "modern"
    module = importlib.import_module(f"ansible_collections.pextra.cloud.plugins.modules.{name}")
    imported = time.perf_counter()
    written = io.StringIO()
    with contextlib.redirect_stdout(written), contextlib.suppress(SystemExit):
        module.main()
    done = time.perf_counter()
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = json.loads(written.getvalue())
    if result.get("failed"):
        sys.exit(f"{name} failed: {result['msg']}")
    measured = {
        "imports": imported - started,
        "inside": done - imported,
        "peak_mib": peak_kib / 1024,
        "changed": result["changed"],
        "carried_out": sum(carried_out),
    }
    json.dump(measured, sys.stdout)


main()
