# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OSDs of one host: found by what they say of themselves, planned, made, taken up again.

An OSD is one directory below /var/lib/ceph/osd, with a link to its disk, and the disk begins with a label that names
the OSD. Both say who it is. So a disk is never made an OSD twice, and one whose directory is lost is taken up again.
A new OSD is made in a directory of its own that becomes its place when it is whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..._doors.ceph.monitors import Connection
from ..._model.errors import CephError, Problem
from .host import (
    DATA,
    Run,
    give_to,
    make_directory,
    must,
    read_word,
    sync_directory,
    write_private,
)
from .monitor import render_keyring

_MIB = 1024 * 1024
_OSDS = DATA / "osd"
# What BlueStore and its label take at the beginning of a disk.
HEAD_BYTES = 4 * _MIB


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A declared OSD. size_mib: of a file; None means a disk."""

    path: str
    size_mib: int | None = None


@dataclass(frozen=True, kw_only=True)
class Present:
    """An OSD that has its directory on this host. path: where the link leads."""

    id: int
    fsid: str
    path: str
    ceph_fsid: str | None = None


@dataclass(frozen=True, kw_only=True)
class Disk:
    """What is at a declared path.

    osd_fsid, ceph_fsid, id: from the label, if it has one. begun: the OSD that an earlier run began to make there.
    problem: why nothing may be made there, if it is neither blank nor an OSD.
    """

    exists: bool
    osd_fsid: str | None = None
    ceph_fsid: str | None = None
    id: int | None = None
    begun: str | None = None
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class Step:
    """do: create, adopt (an OSD whose directory is lost) or relink (its disk has another name now)."""

    do: str
    wanted: Wanted
    id: int | None = None

    @property
    def text(self) -> str:
        words = {
            "create": f"create an OSD on {self.wanted.path}",
            "adopt": f"take up osd.{self.id} again, which is on {self.wanted.path}",
            "relink": f"let osd.{self.id} find its disk as {self.wanted.path}",
        }
        return words[self.do]


def plan_osds(
    fsid: str, wanted: Sequence[Wanted], present: Sequence[Present], disks: Mapping[str, Disk]
) -> tuple[list[Step], list[Problem]]:
    """Return (what to do, what stands against it). disks: by the path of each wanted OSD."""
    steps: list[Step] = []
    problems: list[Problem] = []
    by_path = {osd.path: osd for osd in present}
    by_fsid = {osd.fsid: osd for osd in present}
    for osd in wanted:
        disk = disks[osd.path]
        known = by_path.get(osd.path)
        if known is not None and disk.osd_fsid == known.fsid:
            continue
        step, problem = _plan_disk(fsid, osd, known, disk, by_fsid)
        if problem is not None:
            problems.append(problem)
        elif step is not None:
            steps.append(step)
    return steps, problems


def _plan_disk(
    fsid: str, osd: Wanted, known: Present | None, disk: Disk, by_fsid: Mapping[str, Present]
) -> tuple[Step | None, Problem | None]:
    if disk.osd_fsid is not None and disk.osd_fsid in by_fsid:
        return Step(do="relink", wanted=osd, id=by_fsid[disk.osd_fsid].id), None
    if known is not None:
        there = f"holds the OSD {disk.osd_fsid}" if disk.osd_fsid else "does not hold it any more"
        remedy = f"If the disk was replaced, run the playbook pextra.cloud.ceph_replace_osd with osd={known.id}."
        return None, Problem(f"osd.{known.id} has its data on {osd.path}, which {there}", remedy)
    if disk.problem is not None:
        remedy = "Declare another, or wipe it yourself if nothing on it is needed: wipefs --all, or remove the file."
        return None, Problem(f"{osd.path} {disk.problem}", remedy)
    if disk.osd_fsid is not None and disk.osd_fsid != disk.begun:
        if disk.ceph_fsid == fsid and disk.id is not None:
            return Step(do="adopt", wanted=osd, id=disk.id), None
        whose = (
            f"an OSD of another Ceph ({disk.ceph_fsid})" if disk.ceph_fsid != fsid else "an OSD that was never finished"
        )
        return None, Problem(f"{osd.path} holds {whose}", "Wipe it yourself if nothing on it is needed: wipefs --all.")
    if not disk.exists and osd.size_mib is None:
        return None, Problem(f"there is no disk {osd.path}", "Look at ls -l /dev/disk/by-id.")
    return Step(do="create", wanted=osd), None


# What is there


def read_present() -> list[Present]:
    """Return the OSDs that have their directory on this host."""
    found = []
    for directory in sorted(_OSDS.glob("ceph-*")):
        number, fsid, block = read_word(directory / "whoami"), read_word(directory / "fsid"), directory / "block"
        if number is not None and fsid is not None and block.is_symlink():
            ceph_fsid = read_word(directory / "ceph_fsid")
            found.append(Present(id=int(number), fsid=fsid, path=os.readlink(block), ceph_fsid=ceph_fsid))
    return found


def read_disk(run: Run, wanted: Wanted, *, is_ours: bool) -> Disk:
    """Look at what is at a declared path, changing nothing. is_ours: an OSD of this host runs on it."""
    path = Path(wanted.path)
    begun = read_word(_new_directory(wanted) / "fsid")
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return Disk(exists=False, begun=begun)
    expected = stat.S_ISREG(mode) if wanted.size_mib is not None else stat.S_ISBLK(mode)
    if not expected:
        return Disk(exists=True, begun=begun, problem="is no disk" if wanted.size_mib is None else "is no file")
    label = _read_label(run, path)
    if label:
        number = label.get("whoami")
        return Disk(
            exists=True,
            osd_fsid=label.get("osd_uuid"),
            ceph_fsid=label.get("ceph_fsid"),
            id=int(number) if number is not None else None,
            begun=begun,
            problem=None if is_ours else _find_use(path),
        )
    problem = _find_use(path) or _find_signature(run, path, is_file=wanted.size_mib is not None, begun=begun)
    return Disk(exists=True, begun=begun, problem=problem)


def _read_label(run: Run, path: Path) -> dict[str, str]:
    if shutil.which("ceph-bluestore-tool") is None:
        return {}
    code, out, _ = run(["ceph-bluestore-tool", "show-label", "--dev", str(path)])
    if code != 0:
        return {}
    label: dict[str, str] = next(iter(json.loads(out).values()), {})
    return label


def _find_use(path: Path) -> str | None:
    """Say who uses a disk: the kernel lets nobody else have it whole while it is mounted, or part of something."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_EXCL))
    except OSError as error:
        return f"is in use ({error.strerror})"
    return None


def _find_signature(run: Run, path: Path, *, is_file: bool, begun: str | None) -> str | None:
    code, out, _ = run(["blkid", "--probe", "--output", "export", str(path)])
    values = dict(line.partition("=")[::2] for line in out.splitlines())
    kind = values.get("TYPE") or values.get("PTTYPE")
    if code == 0 and kind:
        return f"holds {kind}; a disk that holds something is not touched"
    if is_file and begun is None:
        return "is there already, and is not an OSD's"
    return None


# What is done


def apply_step(run: Run, ceph: Connection, step: Step) -> int:
    """Carry out a step, and return the OSD's number."""
    if step.do == "create":
        return _create(run, ceph, step.wanted)
    if step.id is None:
        raise CephError(f"no OSD is named to {step.text}")
    if step.do == "adopt":
        _adopt(run, step.wanted, step.id)
    else:
        _link(osd_directory(step.id), step.wanted)
    return step.id


def osd_unit(number: int) -> str:
    return f"ceph-osd@{number}.service"


def _create(run: Run, ceph: Connection, wanted: Wanted) -> int:
    new = _new_directory(wanted)
    fsid, secret = _begin(run, new)
    number = int(str(_ask_number(ceph, fsid, secret)))
    _prepare(wanted, new)
    write_private(new / "keyring", render_keyring(f"osd.{number}", secret))
    must(
        run,
        [
            "ceph-osd", "--mkfs", "--id", str(number), "--osd-data", str(new), "--osd-uuid", fsid,
            "--osd-objectstore", "bluestore", "--keyfile", str(new / "secret"),
            "--setuser", "ceph", "--setgroup", "ceph",
        ],
        f"make the OSD on {wanted.path}",
    )  # fmt: skip
    _settle(new, number)
    # Not before: without it a run that goes on from here would begin another OSD.
    (osd_directory(number) / "secret").unlink()
    return number


def _begin(run: Run, new: Path) -> tuple[str, str]:
    """Return the OSD's own identifier and secret, chosen once and kept before Ceph hears of them."""
    make_directory(new)
    fsid, secret = read_word(new / "fsid"), read_word(new / "secret")
    if fsid is None or secret is None:
        fsid = str(uuid.uuid4())
        secret = must(run, ["ceph-authtool", "--gen-print-key"], "make a key").strip()
        write_private(new / "secret", secret + "\n")
        write_private(new / "fsid", fsid + "\n")
    return fsid, secret


def _ask_number(ceph: Connection, fsid: str, secret: str) -> object:
    answer = ceph.ask("osd new", json.dumps({"cephx_secret": secret}), uuid=fsid)
    return answer["osdid"] if isinstance(answer, dict) else answer


def _prepare(wanted: Wanted, new: Path) -> None:
    """Have a blank disk, and a directory with nothing of an earlier try in it."""
    for left in new.iterdir():
        if left.name not in ("fsid", "secret"):
            left.unlink()
    path = Path(wanted.path)
    if wanted.size_mib is None:
        with open(path, "r+b", buffering=0) as disk:
            disk.write(bytes(HEAD_BYTES))
            os.fsync(disk.fileno())
    else:
        if not path.parent.exists():
            path.parent.mkdir(parents=True)
            make_directory(path.parent)
        with open(path, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.truncate(wanted.size_mib * _MIB)
    _link(new, wanted)


def _link(directory: Path, wanted: Wanted) -> None:
    give_to(Path(wanted.path))
    link = directory / "block.new"
    link.unlink(missing_ok=True)
    link.symlink_to(wanted.path)
    link.replace(directory / "block")


def _adopt(run: Run, wanted: Wanted, number: int) -> None:
    new = _OSDS / f".adopt-{number}"
    shutil.rmtree(new, ignore_errors=True)  # of a run that was killed
    make_directory(new)
    must(
        run,
        ["ceph-bluestore-tool", "prime-osd-dir", "--dev", wanted.path, "--path", str(new), "--no-mon-config"],
        f"take up osd.{number} again",
    )
    _link(new, wanted)
    for file in new.iterdir():
        if not file.is_symlink():
            give_to(file)
            file.chmod(0o600)
    _settle(new, number)


def _settle(new: Path, number: int) -> None:
    place = osd_directory(number)
    if place.is_dir() and not any(place.iterdir()):
        place.rmdir()
    if place.exists():
        raise CephError(f"{place} is there already, and holds another OSD. Look at it, and move it out of the way")
    new.rename(place)
    sync_directory(_OSDS)


def osd_directory(number: int) -> Path:
    return _OSDS / f"ceph-{number}"


def _new_directory(wanted: Wanted) -> Path:
    return _OSDS / f".new-{hashlib.sha256(wanted.path.encode()).hexdigest()[:16]}"
