# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The coordinators' program as one file: the modules' own code, zipped, which Python runs as it is."""

from __future__ import annotations

DOCUMENTATION = r"""
name: coordinator_program
short_description: Build the program of the coordinators
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Packs the modules' own code into one file that Python runs. It is the job that propagates storage pools, and what
    the inventory plugin P(pextra.cloud.pextra#inventory) asks.
  - Of the same collection it is the same to the byte.
  - The file is in Ansible's own temporary directory, and goes with it.
options:
  _terms:
    description: Nothing.
"""

EXAMPLES = r"""
- name: Install the program
  ansible.builtin.copy:
    src: "{{ lookup('pextra.cloud.coordinator_program').path }}"
    dest: /usr/local/lib/pextra/pextra-coordinator
    mode: "0755"
"""

RETURN = r"""
_list:
  description: One element, with C(path) of the file on the controller, and its C(sha256).
  type: list
  elements: dict
"""

import hashlib
import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.plugins.lookup import LookupBase

_MODULE_UTILS = Path(__file__).parent.parent / "module_utils"
_PACKAGE = "pextra_cloud"
# Follows the text of _compiled.py, which looks for what Python has made of the rest before.
_MAIN = """
if compiled := find_compiled(sys.path[0], {digest!r}):
    sys.path.insert(0, compiled)

from {package}._coordinator import run  # noqa: E402 - from where it is compiled

run()
"""
# The earliest time that a zip file can hold.
_TIME = (1980, 1, 1, 0, 0, 0)


def build_program(sources: Path = _MODULE_UTILS) -> bytes:
    """Return the program. Everything is packed: what is imported decides itself, and is tested on a bare Python."""
    members = {
        f"{_PACKAGE}/{path.relative_to(sources).as_posix()}": path.read_bytes() for path in sources.rglob("*.py")
    }
    begin = (sources / "_compiled.py").read_text(encoding="utf-8")
    members["__main__.py"] = (begin + _MAIN.format(digest=_digest(members), package=_PACKAGE)).encode()
    buffer = io.BytesIO()
    # Isolated: root runs it, for others through sudo, and neither environment nor directory may lend it code.
    buffer.write(b"#!/usr/bin/python3 -IB\n")
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(members.items()):
            member = zipfile.ZipInfo(name, _TIME)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = 0o644 << 16
            archive.writestr(member, content)
    return buffer.getvalue()


def _digest(members: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(members.items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


class LookupModule(LookupBase):  # type: ignore[misc]  # ansible has no types
    def run(self, terms: Any, variables: Any = None, **kwargs: Any) -> list[dict[str, str]]:
        del terms, variables, kwargs
        program = build_program()
        digest = hashlib.sha256(program).hexdigest()
        path = os.path.join(constants.DEFAULT_LOCAL_TMP, f"pextra-coordinator-{digest}")
        if not os.path.exists(path):
            beside = f"{path}.{os.getpid()}"
            with open(beside, "xb") as file:
                file.write(program)
            os.replace(beside, path)
        return [{"path": path, "sha256": digest}]
