# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every edit, on a thousand definitions as people make them by hand, changes what it is to change and nothing else."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace

import libvirt
import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.aspects import memory
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition import parse_domain
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition_writing import edit_domain

from .definitions import Values, definition, kinds, model_of

KINDS = tuple(kinds())
BEFORE = Values()
EDITS = {
    "nothing": BEFORE,
    "memory": Values(memory=2048),
    "fewer vcpus": Values(vcpus=2),
    "more vcpus": Values(vcpus=5),
    "all vcpus": Values(vcpus=8),
    "port group": Values(port_group="DMZ"),
    "offload": Values(offload=False),
    "description": Values(description="As it is"),
    "tags": Values(tags=("b", "c")),
    "format": Values(format="raw"),
    "second nic": Values(has_second_nic=True),
}


def is_refused(xml: str, memory_mib: int) -> bool:
    after = ET.fromstring(edit_domain(xml, model_of(Values(memory=memory_mib))))
    return bool(memory.ASPECT.refuse(after, ET.fromstring(xml)))


def canonical(xml: str) -> str:
    return ET.canonicalize(xml, with_comments=True)


def test_there_are_enough() -> None:
    assert len({kind.id for kind in KINDS}) == len(KINDS) >= 300


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_changes_only_that(edit: str) -> None:
    wanted = EDITS[edit]
    for kind in KINDS:
        xml = definition(kind, BEFORE)
        if is_refused(xml, wanted.memory):
            assert (kind.cpu, edit) == ("cells", "memory")
            continue
        model = model_of(wanted)
        edited = edit_domain(xml, model)
        expected = canonical(definition(kind, wanted, was=BEFORE))
        assert canonical(edited) == expected, kind.id
        assert parse_domain(edited) == model, kind.id
        assert edit_domain(edited, model) == edited, kind.id


# Checksums are only ever turned off: what a person has turned off stays so.
@pytest.mark.parametrize("edit", [name for name in EDITS if name not in ("nothing", "offload")])
def test_an_edit_and_back(edit: str) -> None:
    """But for how a size is written, and room for more that was all used, all is as before."""
    for kind in KINDS:
        xml = definition(kind, BEFORE)
        if is_refused(xml, EDITS[edit].memory):
            continue
        back = edit_domain(edit_domain(xml, model_of(EDITS[edit])), model_of(BEFORE))
        assert parse_domain(back) == model_of(BEFORE), kind.id
        if edit not in ("memory", "tags") and (edit != "all vcpus" or kind.cpu != "none" or kind.vcpus == "each"):
            assert canonical(back) == canonical(xml), kind.id


@pytest.fixture(scope="module")
def driver() -> Iterator[libvirt.virConnect]:
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    connection = libvirt.open("test:///default")
    yield connection
    connection.close()


@pytest.mark.parametrize("part", range(4))
def test_libvirt_takes_it(driver: libvirt.virConnect, part: int) -> None:
    """Also by its schema. The test driver knows few machines, and what is passed through is not looked for."""
    wanted = replace(BEFORE, memory=2048, vcpus=5, port_group="DMZ", offload=False, tags=("b",), has_second_nic=True)
    for kind in KINDS[part::12]:
        values = replace(wanted, memory=BEFORE.memory) if kind.cpu == "cells" else wanted
        model = model_of(values)
        xml = edit_domain(definition(kind, BEFORE), model)
        try:
            domain = driver.defineXMLFlags(xml, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
        except libvirt.libvirtError as error:
            raise AssertionError(f"{kind.id}: {error}\n{xml}") from error
        read = parse_domain(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
        domain.undefine()
        assert read == model, kind.id


def test_modules_keep_their_size() -> None:
    kind = next(kind for kind in KINDS if kind.cpu == "modules" and kind.memory == "mib")
    assert not is_refused(definition(kind, BEFORE), 513)
    assert is_refused(definition(kind, BEFORE), 512)
