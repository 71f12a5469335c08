# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TPM in software, with a state of its own (libvirt: Domain XML, TPM device)."""

from __future__ import annotations

from typing import Any

from ...._fields.field import Field
from ..kinds import Device, Need
from ..places import Attribute


def _is_emulated(element: Any) -> bool:
    """One that is passed through is not ours."""
    backend = element.find("backend")
    return backend is None or backend.get("type", "emulator") == "emulator"


DEVICE = Device(
    option="tpm",
    help="A TPM 2.0. What it holds stays with the instance, moves with it while it runs, and goes with its volumes.",
    tag="tpm",
    claims=_is_emulated,
    fixed=((Attribute("backend", "type"), "emulator"), (Attribute("backend", "version"), "2.0")),
    table={
        "model": Field(
            kind="str",
            choices=("tpm-crb", "tpm-tis", "none"),
            at=Attribute("", "model"),
            effect="next_boot",
            help="Its interface: V(tpm-crb), and on aarch64 V(tpm-tis), unless given. V(none) takes it away; what it "
            "holds stays, for when it comes back.",
        ),
    },
    needs=lambda _values: [Need("tpm:emulator", "no TPM in software (swtpm)")],
)
