# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look at a host, with a real certificate authority."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.store import Registry
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import Row

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "roles/node/files/differing.sh"


def run(*argv: str, stdin: str = "") -> str:
    return subprocess.run(argv, input=stdin, capture_output=True, text=True, check=True, timeout=30).stdout


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, and a certificate for node1, node1.control and fd00::11."""
    home = tmp_path_factory.mktemp("pki")
    new = ("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    run(*new, "-x509", "-subj", "/O=acme/CN=CA", "-days", "2", "-keyout", f"{home}/ca.key", "-out", f"{home}/ca.pem")
    run(*new, "-subj", "/O=acme/CN=node1", "-keyout", f"{home}/key.pem", "-out", f"{home}/csr.pem")
    (home / "names").write_text("subjectAltName=DNS:node1,DNS:node1.control,IP:fd00::11\n")
    sign = ("openssl", "x509", "-req", "-in", f"{home}/csr.pem", "-CA", f"{home}/ca.pem", "-CAkey", f"{home}/ca.key")
    run(*sign, "-CAcreateserial", "-days", "2", "-extfile", f"{home}/names", "-out", f"{home}/cert.pem")
    return home


@pytest.mark.parametrize(
    ("names", "is_as_wanted"),
    [
        ("DNS:node1 DNS:node1.control IP:fd00::11", True),
        ("DNS:node1 DNS:node1.control IP:FD00:0:0:0:0:0:0:11", True),
        ("DNS:node1.control DNS:node1 IP:fd00::11", True),
        ("DNS:node1 DNS:node1.control IP:fd00::12", False),
        ("DNS:node1 DNS:node1.control", False),
        ("DNS:node1 DNS:node2 IP:fd00::11", False),
        ("DNS:node1 DNS:node1.control IP:fd00::11 IP:10.0.0.11", False),
    ],
)
def test_a_certificate_is_judged_by_its_names_not_by_their_notation(pki: Path, names: str, is_as_wanted: bool) -> None:
    line = f"certificate 3600 {pki}/key.pem {pki}/ca.pem {pki}/cert.pem CN=node1,O=acme | {names}\n"
    out = run("/bin/sh", "-c", SCRIPT.read_text(), stdin=line)
    assert out == ("" if is_as_wanted else f"{pki}/cert.pem\n")


def test_a_certificate_that_ends_soon_is_renewed(pki: Path) -> None:
    names = "DNS:node1 DNS:node1.control IP:fd00::11"
    line = f"certificate 864000 {pki}/key.pem {pki}/ca.pem {pki}/cert.pem CN=node1,O=acme | {names}\n"
    assert run("/bin/sh", "-c", SCRIPT.read_text(), stdin=line) == f"{pki}/cert.pem\nexpires:{pki}/cert.pem\n"


BEGUN = "Sat 2026-11-21 08:45:10.500000 UTC"
BEFORE, AFTER = (datetime(2026, 11, 21, 8, 45, second, tzinfo=UTC).timestamp() for second in (10, 11))


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], str]:
    """Look at units of which systemd, which the machine of the tests does not run, says what is given."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "systemctl"
    program.write_text(f"#!/bin/sh\ncat {tmp_path}/states\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")

    def looking(states: str, lines: str) -> str:
        (tmp_path / "states").write_text(states)
        return run("/bin/sh", "-c", SCRIPT.read_text(), stdin=lines)

    return looking


def state_of(name: str, **properties: str) -> str:
    usual = {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled", "NeedDaemonReload": "no"}
    values = {"Id": name, **usual, "ActiveEnterTimestamp": BEGUN, "FragmentPath": "", "DropInPaths": "", **properties}
    return "".join(f"{key}={value}\n" for key, value in values.items()) + "\n"


@pytest.mark.parametrize(
    ("properties", "is_as_wanted"),
    [
        ({}, True),
        ({"UnitFileState": "static"}, True),
        ({"ActiveState": "failed"}, False),
        ({"ActiveState": "inactive"}, False),
        ({"UnitFileState": "disabled"}, False),
        ({"NeedDaemonReload": "yes"}, False),
        ({"LoadState": "not-found", "ActiveState": "inactive", "UnitFileState": ""}, False),
    ],
)
def test_a_unit_runs_now_and_after_a_boot(
    look: Callable[[str, str], str], properties: dict[str, str], is_as_wanted: bool
) -> None:
    states = state_of("a.service") + state_of("b.service", **properties)
    assert look(states, "unit a.service\nunit b.service\n") == ("" if is_as_wanted else "unit:b.service\n")


@pytest.mark.parametrize("part", ["file", "FragmentPath", "DropInPaths"])
@pytest.mark.parametrize(("written", "is_as_wanted"), [(BEFORE, True), (AFTER, False)])
def test_a_unit_has_read_what_is_there(
    look: Callable[[str, str], str], tmp_path: Path, part: str, written: float, is_as_wanted: bool
) -> None:
    path = tmp_path / "read"
    path.touch()
    os.utime(path, (written, written))
    states = state_of("a.service", **({} if part == "file" else {part: str(path)}))
    line = f"unit a.service {path if part == 'file' else ''}\n"
    assert look(states, line) == ("" if is_as_wanted else "unit:a.service\n")


def test_what_was_read_again_while_it_ran_counts_as_read(look: Callable[[str, str], str], tmp_path: Path) -> None:
    """The mark of a reload is in /run, which the tests do not touch: only that it is needed is looked at here."""
    path = tmp_path / "cert.pem"
    path.touch()
    os.utime(path, (AFTER, AFTER))
    assert look(state_of("a.service"), f"reloads a.service {path}\n") == "unit:a.service\n"
    os.utime(path, (BEFORE, BEFORE))
    assert look(state_of("a.service"), f"reloads a.service {path}\n") == ""


def test_a_masked_unit_is_masked(look: Callable[[str, str], str]) -> None:
    states = state_of("a.socket", LoadState="masked", ActiveState="inactive") + state_of("b.socket")
    assert look(states, "masked a.socket\nmasked b.socket\n") == "unit:b.socket\n"


def test_units_are_as_they_should_not_be_where_systemd_does_not_tell(look: Callable[[str, str], str]) -> None:
    assert look("", "unit a.service\nmasked b.socket\n") == "unit:a.service\nunit:b.socket\n"


def test_a_registry_of_the_present_schema_is_left_alone(tmp_path: Path) -> None:
    version = yaml.safe_load((ROOT / "roles/coordinator/vars/main.yml").read_text())["__coordinator_schema_version"]
    path = tmp_path / "registry.db"

    def looked(number: int) -> str:
        return run("/bin/sh", "-c", SCRIPT.read_text(), stdin=f"registry {number} {path}\n")

    assert looked(version) == f"registry:{path}\n", "there is none"
    with Registry(f"sqlite:///{path}", create=True) as registry:
        assert looked(version) == f"registry:{path}\n", "it is empty, and may have been lost"
        registry.put([Row("org-1", "organization", "acme", "", {})])
    assert looked(version) == ""
    assert looked(version + 1) == f"registry:{path}\n"
    path.write_text("no database")
    assert looked(version) == f"registry:{path}\n"
