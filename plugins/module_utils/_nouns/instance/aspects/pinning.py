# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of its node's threads it runs on (libvirt: Domain XML, CPU allocation and CPU tuning)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ...._fields.field import Field, Place
from ..acts import PinVcpus
from ..kinds import Aspect, Need, Refusal
from ..places import CpuSet
from ..size import parse_vcpus_max
from ..threads import Pins

_SET = CpuSet("", "cpuset")
_EACH = "pinning.each_vcpu"


class _EachVcpu:
    """In the order of the numbers of virtual CPUs."""

    def read(self, root: Any) -> tuple[dict[str, Any], ...] | None:
        pins = _pins_of(root)
        return tuple({"vcpu": number, "threads": _SET.read(pins[number]) or ()} for number in sorted(pins)) or None

    def write(self, root: Any, value: Any) -> None:
        wanted, has, tune = _by_number(value), _pins_of(root), root.find("cputune")
        for number, pin in has.items():
            if number not in wanted:
                tune.remove(pin)
            elif set(_SET.read(pin) or ()) != set(wanted[number]):
                _SET.write(pin, wanted[number])
        missing = sorted(wanted.keys() - has.keys())
        if missing and tune is None:
            tune = root.makeelement("cputune", {})
            root.append(tune)
        for number in missing:
            pin = root.makeelement("vcpupin", {"vcpu": str(number)})
            _SET.write(pin, wanted[number])
            tune.append(pin)
        # As Attribute leaves it, nothing empty stays.
        if tune is not None and not len(tune) and not tune.attrib:
            root.remove(tune)


def _pins_of(root: Any) -> dict[int, Any]:
    """Return the elements that pin a virtual CPU each, by its number, of which libvirt has one at most."""
    tune = root.find("cputune")
    return {int(pin.get("vcpu", "0")): pin for pin in tune.findall("vcpupin")} if tune is not None else {}


def _by_number(pins: Iterable[Mapping[str, Any]] | None) -> dict[int, Any]:
    return {one["vcpu"]: one["threads"] for one in pins or ()}


def _pin(path: str, value: Any, live: Mapping[str, Any], _running: Callable[[], Any]) -> tuple[PinVcpus, ...]:
    """Only of virtual CPUs that are there, and none less: libvirt has no word for one that is on any thread again."""
    if path != _EACH:
        return ()
    wanted, has = _by_number(value), _by_number((live.get("pinning") or {}).get("each_vcpu"))
    differing = {number: threads for number, threads in wanted.items() if set(threads) != set(has.get(number, ()))}
    if has.keys() - wanted.keys() or any(number >= live.get("vcpus", 0) for number in differing):
        return ()
    return (PinVcpus(tuple((number, tuple(sorted(differing[number]))) for number in sorted(differing))),)


def _find_mistakes(values: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    mistakes, known = [], set()
    name = "vcpus_max" if values.get("vcpus_max") is not None else "vcpus"
    most = values.get(name)
    for index, one in enumerate((values.get("pinning") or {}).get("each_vcpu") or ()):
        here, number = f"{_EACH}[{index}]", one["vcpu"]
        if number in known:
            mistakes.append((f"{here}.vcpu", f"{number} is given twice; put all of its threads into one"))
        known.add(number)
        if most is not None and number >= most:
            allowed = "0" if most == 1 else f"a number from 0 to {most - 1}"
            mistakes.append((f"{here}.vcpu", f"is {number}, and {name} is {most}; write {allowed}"))
        if not one["threads"]:
            problem = "are none, and it has to run somewhere; write a thread, or leave this virtual CPU out"
            mistakes.append((f"{here}.threads", problem))
    return mistakes


def _refuse(after: Any, before: Any) -> Sequence[Refusal]:
    """libvirt forgets the pin of a virtual CPU that there cannot be."""
    most, pinned = parse_vcpus_max(after), _pins_of(after).keys()
    if max(pinned, default=0) < most or (pinned == _pins_of(before).keys() and most == parse_vcpus_max(before)):
        return ()
    highest = max(pinned)
    what = f"virtual CPU {highest} is pinned, and it can have {most} of them, from 0 on"
    return (Refusal(_EACH, what, f"Set vcpus_max: {highest + 1}, or leave that one out of {_EACH}."),)


def _needs(values: Any) -> Sequence[Need]:
    each = values.get("each_vcpu") or ()
    sets = [values.get(key) for key in ("vcpus", "emulator", "io_threads")] + [one["threads"] for one in each]
    # What a hand wrote and is no list of threads is text, and libvirt has taken it.
    threads = {thread for chosen in sets if chosen and not isinstance(chosen, str) for thread in chosen}
    return [Need(f"thread:{thread}", f"no thread {thread}") for thread in sorted(threads)]


_THREAD = Field(kind="int", minimum=0, maximum=4095, help="The number of a thread of the node.")


def _row(at: Place, text: str) -> Field:
    return Field(
        kind="list", element=_THREAD, unique=True, create=(), compare="set", at=at, effect="next_boot", help=text
    )


_VCPU = {
    "vcpu": Field(kind="int", minimum=0, maximum=511, required=True, help="The number of the virtual CPU, from 0 on."),
    "threads": Field(
        kind="list",
        element=_THREAD,
        unique=True,
        required=True,
        compare="set",
        help="The threads that it runs on, one at least.",
    ),
}


ASPECT = Aspect(
    option="pinning",
    help="Which threads of its node it runs on. It can then only be where there are threads of these numbers.",
    table={
        "vcpus": _row(CpuSet("vcpu", "cpuset"), "The threads of its virtual CPUs. On any unless given."),
        "each_vcpu": Field(
            kind="list",
            element=Field(kind="dict", table=_VCPU, help="A virtual CPU."),
            create=(),
            compare="set",
            at=_EachVcpu(),
            effect="live",
            help="The threads of virtual CPUs one by one; the others run on those of C(vcpus). The list is all of "
            "them. Of a running instance a pin that is added or changed takes effect at once, if its virtual CPU is "
            "there; one that goes stays until the next start.",
        ),
        "emulator": _row(
            CpuSet("cputune/emulatorpin", "cpuset"),
            "The threads of QEMU's own work, such as its disks. As the virtual CPUs unless given.",
        ),
        "io_threads": _row(
            Pins(),
            "The threads of its C(io_threads), each of which runs on any of these. As the virtual CPUs unless given. "
            "They stay so when there are more or fewer.",
        ),
    },
    acts=_pin,
    is_last=True,
    refuse=_refuse,
    find_mistakes=_find_mistakes,
    needs=_needs,
)
