#!/usr/bin/env python3
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the schema by which cloud-config is checked on the controller: plugins/plugin_utils/cloud_init_schema.json.

It is cloud-init's own, out of Debian's package of a suite (argument, `trixie` unless given), without what is only for
people. The package is unpacked, never installed. Needs apt-get, dpkg-deb and the network; run by hand.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "plugins" / "plugin_utils" / "cloud_init_schema.json"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
INSIDE = "usr/lib/python3/dist-packages/cloudinit/config/schemas/schema-cloud-config-v1.json"
LICENCE = "From cloud-init, Copyright Canonical Ltd. and others, GPL-3 or Apache-2.0 (https://github.com/canonical/cloud-init)"
FOR_PEOPLE = ("description", "deprecated", "changed", "new")


def main() -> None:
    suite = sys.argv[1] if len(sys.argv) > 1 else "trixie"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        version = unpack(folder, suite)
        schema = json.loads((folder / "tree" / INSIDE).read_text(encoding="utf-8"))
    written = {"comment": LICENCE, "package": f"cloud-init {version} of Debian {suite}"}
    written |= {"version": version.partition("-")[0], "schema": without_words(schema)}
    TARGET.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    print(f"{TARGET.relative_to(ROOT)}: written, {written['package']}")


def unpack(folder: Path, suite: str) -> str:
    """Unpack the package into `tree`, by package lists of its own, and return its version."""
    for each in ("state/lists/partial", "cache/archives/partial", "tree"):
        (folder / each).mkdir(parents=True)
    (folder / "sources.list").write_text(f"deb [signed-by={KEYRING}] http://deb.debian.org/debian {suite} main\n")
    settings = {
        "Dir::Etc::SourceList": folder / "sources.list",
        "Dir::Etc::SourceParts": "-",
        "Dir::State": folder / "state",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "root",
    }
    options = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
    for command in (["update"], ["download", "cloud-init"]):
        run("apt-get", "-q", *options, *command, cwd=folder)
    (package,) = folder.glob("*.deb")
    run("dpkg-deb", "--extract", str(package), "tree", cwd=folder)
    return run("dpkg-deb", "--field", str(package), "Version", cwd=folder).strip()


def run(*command: str, cwd: Path) -> str:
    """Return what a program prints."""
    # What is run stands in this file; nothing of it is given from outside but the suite.
    done = subprocess.run(command, cwd=cwd, check=True, timeout=300, stdout=subprocess.PIPE, text=True)  # noqa: S603
    return done.stdout


def without_words(value: Any) -> Any:
    """Return the schema without descriptions and the like. `description` as the name of a key stays."""
    if isinstance(value, dict):
        return {
            key: {name: without_words(one) for name, one in inner.items()}
            if key in ("properties", "patternProperties", "$defs") and isinstance(inner, dict)
            else without_words(inner)
            for key, inner in value.items()
            if not key.startswith(FOR_PEOPLE)
        }
    return [without_words(one) for one in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main()
