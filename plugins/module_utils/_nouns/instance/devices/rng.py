# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A source of random numbers (libvirt: Domain XML, random number generator)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...._fields.field import Field
from ..kinds import Device, Refusal
from ..places import Attribute

_FILES = {"urandom": "/dev/urandom", "random": "/dev/random"}


class _Source:
    def read(self, element: Any) -> str | None:
        backend = element.find("backend")
        if backend is None:
            return None
        if backend.get("model") == "builtin":
            return "builtin"
        text = (backend.text or "").strip()
        # libvirt takes /dev/urandom unless told otherwise. Others are told from all that can be wanted.
        return {path: name for name, path in _FILES.items()}.get(text or _FILES["urandom"], text)

    def write(self, element: Any, value: Any) -> None:
        backend = element.find("backend")
        if backend is None:
            backend = element.makeelement("backend", {})
            element.append(backend)
        for old in list(backend):
            backend.remove(old)
        backend.attrib.clear()
        backend.set("model", "builtin" if value == "builtin" else "random")
        backend.text = _FILES.get(value)


def _find_mistakes(values: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    rng = values.get("rng") or {}
    # Of one that is there, which says no model here, only the definition tells whether it has a rate.
    if rng.get("model") is None or rng.get("rate_period_ms") is None or rng.get("rate_bytes") is not None:
        return ()
    return (("rng.rate_period_ms", "is the period of rate_bytes; write that as well, or leave it out"),)


def _refuse(after: Any, _before: Any) -> Sequence[Refusal]:
    rates = after.findall("devices/rng/rate")
    if all(rate.get("bytes") for rate in rates):
        return ()
    return (Refusal("rng.rate_period_ms", "it has no rate_bytes of which this would be the period", "Name both."),)


DEVICE = Device(
    option="rng",
    help="A source of random numbers. A new instance has one.",
    tag="rng",
    table={
        "model": Field(
            kind="str",
            choices=("virtio", "none"),
            create="virtio",
            at=Attribute("", "model"),
            effect="hot_plug",
            help="Its model. V(none) takes it away.",
        ),
        "source": Field(
            kind="str",
            choices=("urandom", "random", "builtin"),
            create="urandom",
            at=_Source(),
            effect="hot_plug",
            help="Where the numbers come from: a device of the node, or QEMU itself.",
        ),
        "rate_bytes": Field(
            kind="int",
            minimum=1,
            maximum=2**31 - 1,
            at=Attribute("rate", "bytes", "int"),
            effect="hot_plug",
            help="How many bytes the guest gets in a period at most. Without a limit unless given.",
        ),
        "rate_period_ms": Field(
            kind="int",
            minimum=1,
            maximum=2**31 - 1,
            at=Attribute("rate", "period", "int"),
            effect="hot_plug",
            help="The period, in milliseconds. A second unless given.",
        ),
    },
    hot=frozenset({"attach", "detach"}),
    slots=1,
    refuse=_refuse,
    find_mistakes=_find_mistakes,
)
