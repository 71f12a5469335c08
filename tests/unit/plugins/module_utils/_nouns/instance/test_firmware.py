# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Firmware is chosen when an instance is made, and what it and a TPM hold is never lost unsaid."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.acts import Undefine
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import Vm, find_mistakes_within
from instance_model import Model, acts, whole

EFI = {"firmware": {"type": "efi", "secure_boot": True}, "tpm": {}}
WEB = whole(name="web", node="node1", further=EFI)


def test_a_new_instance_has_it() -> None:
    model = Model.fresh()
    model.converge(WEB)
    xml = model.guest("web")[1].xml
    for part in (
        '<os firmware="efi">',
        '<feature name="secure-boot" enabled="yes"',
        '<feature name="enrolled-keys" enabled="yes"',
        '<loader secure="yes"',
        '<smm state="on"',
        '<backend type="emulator" version="2.0"',
    ):
        assert part in xml
    assert model.plan(WEB).is_empty


@pytest.mark.parametrize(
    ("was", "wanted", "what"),
    [
        (EFI["firmware"], {"secure_boot": False}, "firmware.secure_boot: it is true, and cannot become false"),
        (EFI["firmware"], {"type": "bios"}, "firmware.type: it is efi, and cannot become bios"),
        ({"type": "efi"}, {"secure_boot": True}, "firmware.secure_boot: it is false, and cannot become true"),
        ({"type": "bios"}, {"type": "efi"}, "firmware.type: it is bios, and cannot become efi"),
    ],
)
def test_it_cannot_be_changed(was: Any, wanted: Any, what: str) -> None:
    model = Model.fresh()
    model.converge(whole(name="web", node="node1", further={"firmware": was}))
    (refusal,) = model.call(Vm(name="web", further={"firmware": wanted})).refusals
    assert what in refusal.what
    assert "An instance of another name can have the other" in refusal.remedy


def test_secure_boot_needs_uefi() -> None:
    further = {"firmware": {"type": "bios", "secure_boot": True}}
    (mistake,) = find_mistakes_within(replace(WEB, further=further), "vms[0]")
    assert str(mistake) == "vms[0].firmware.secure_boot: needs UEFI; write type: efi, or leave it out"


def test_what_they_hold_goes_with_the_volumes_and_is_said() -> None:
    model = Model.fresh()
    model.converge(replace(WEB, power="stopped"))
    gone = Vm(name="web", state="absent")
    (work,) = model.call(gone).works
    assert work.loses == ()
    assert [step.does.loses_state for step in work.steps if isinstance(step.does, Undefine)] == [False]
    (work,) = model.call(gone, remove_volumes=True).works
    assert {"the UEFI variables of web", "what the TPM of web holds"} <= set(work.loses)
    assert [step.does.loses_state for step in work.steps if isinstance(step.does, Undefine)] == [True]


def test_what_they_hold_moves_only_while_it_runs() -> None:
    model = Model.fresh()
    shared = replace(WEB, root=replace(WEB.root, pool="shared"), volumes=()) if WEB.root else WEB
    model.converge(replace(shared, power="stopped"))
    (refusal,) = model.call(Vm(name="web", node="node2")).refusals
    assert "what its firmware and its TPM hold is on node1, and moves only while it runs" in refusal.what
    model.converge(replace(shared, power="running"))
    assert "move" in acts(model.call(Vm(name="web", node="node2")))
