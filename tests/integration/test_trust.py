# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is let in, and who is not: certificates of the deployment's own CA that are not the coordinators'."""

from __future__ import annotations

import datetime
import ipaddress
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.integration.lab import ROOT, Lab, Site

CA_DIR = ROOT / ".build" / "lab" / "ca"
DEPLOYMENT = "lab"
COORDINATOR = "node1"
TARGET, ADDRESS = "node2", "10.91.0.12"
CONTROL_NAME = f"{COORDINATOR}.{DEPLOYMENT}.control.pextra.internal"
NODE_STAGES = ("--tags", "preflight,node")


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A certificate that somebody might have got hold of."""

    organization: str | None = DEPLOYMENT
    unit: str | None = None
    name: str = COORDINATOR
    dns: tuple[str, ...] = (COORDINATOR, CONTROL_NAME)
    valid_days: int = 30
    is_own_ca: bool = True


@dataclass(frozen=True)
class Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def read_authority() -> Authority:
    key = serialization.load_pem_private_key((CA_DIR / "ca.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return Authority(x509.load_pem_x509_certificate((CA_DIR / "ca.pem").read_bytes()), key)


def make_authority(like: Authority) -> Authority:
    """Another CA with the very same name."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(like.certificate.subject)
        .issuer_name(like.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key)


def issue(identity: Identity, authority: Authority) -> tuple[x509.Certificate, bytes]:
    """Return a certificate for the identity, and its key as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    fields = ((NameOID.ORGANIZATION_NAME, identity.organization), (NameOID.ORGANIZATIONAL_UNIT_NAME, identity.unit))
    subject = [x509.NameAttribute(oid, value) for oid, value in fields if value is not None]
    subject.append(x509.NameAttribute(NameOID.COMMON_NAME, identity.name))
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in identity.dns]
    names.append(x509.IPAddress(ipaddress.ip_address("10.91.0.11")))
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    usage = dict.fromkeys(
        (
            "content_commitment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(subject))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=60))
        .not_valid_after(now + datetime.timedelta(days=identity.valid_days))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.KeyUsage(digital_signature=True, key_encipherment=True, **usage), critical=True)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(authority.key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate, pem


@dataclass(frozen=True)
class Intruder:
    """Tries to get in from node1's place in the network, with what lies in a folder there."""

    lab: Lab
    folder: str = "/root/intruder"

    def equip(self, certificate: x509.Certificate, key: bytes) -> None:
        self.lab.sh(COORDINATOR, f"install -d -m 700 {self.folder}; cp /etc/pki/pextra/ca.pem {self.folder}/cacert.pem")
        self.write("clientcert.pem", certificate.public_bytes(serialization.Encoding.PEM).decode())
        self.write("clientkey.pem", key.decode())

    def write(self, name: str, text: str) -> None:
        self.lab.exec(COORDINATOR, "dd", f"of={self.folder}/{name}", "status=none", stdin=text)

    def reaches_libvirt(self) -> bool:
        uri = f"qemu+tls://{ADDRESS}/system?pkipath={self.folder}"
        return (
            self.lab.sh(COORDINATOR, f"timeout 20 virsh -c '{uri}' list >/dev/null 2>&1 && echo in", check=False)
            == "in\n"
        )

    def reaches_ovsdb(self) -> bool:
        keys = f"-p {self.folder}/clientkey.pem -c {self.folder}/clientcert.pem -C {self.folder}/cacert.pem"
        command = f"ovs-vsctl --timeout=5 --db=ssl:{ADDRESS}:6640 {keys} show >/dev/null 2>&1 && echo in"
        return self.lab.sh(COORDINATOR, command, check=False) == "in\n"


@pytest.fixture(scope="module")
def authority(cloud: Site) -> Authority:
    assert cloud.lab.is_running(COORDINATOR)
    return read_authority()


@pytest.fixture
def intruder(cloud: Site) -> Iterator[Intruder]:
    intruder = Intruder(cloud.lab)
    yield intruder
    cloud.lab.exec(COORDINATOR, "rm", "-rf", intruder.folder)


def test_the_coordinators_name_is_let_in(intruder: Intruder, authority: Authority) -> None:
    """The proof that the refusals below are not refusals of everything."""
    intruder.equip(*issue(Identity(), authority))
    assert intruder.reaches_libvirt()
    assert intruder.reaches_ovsdb()


@pytest.mark.parametrize(
    "identity",
    [
        pytest.param(Identity(name="node3", dns=("node3", f"node3.{DEPLOYMENT}.control.pextra.internal")), id="a node"),
        pytest.param(Identity(name="mallory", dns=("mallory",)), id="another name"),
        pytest.param(Identity(organization="acme", dns=(COORDINATOR,)), id="another deployment"),
        pytest.param(Identity(organization=None, dns=(COORDINATOR,)), id="no deployment"),
        pytest.param(Identity(unit="migration", dns=(COORDINATOR,)), id="the coordinator's migrations"),
        pytest.param(Identity(name=f"{COORDINATOR}*", dns=(f"*.{DEPLOYMENT}",)), id="wildcards"),
        pytest.param(Identity(valid_days=-1), id="expired"),
        pytest.param(Identity(is_own_ca=False), id="another CA of the same name"),
    ],
)
def test_other_certificates_are_refused(intruder: Intruder, authority: Authority, identity: Identity) -> None:
    signer = authority if identity.is_own_ca else make_authority(authority)
    intruder.equip(*issue(identity, signer))
    assert not intruder.reaches_libvirt()
    assert not intruder.reaches_ovsdb()


@pytest.mark.parametrize("folder", ["/etc/pki/qemu", "/etc/pki/pextra"])
def test_what_a_node_holds_lets_nobody_in(cloud: Site, folder: str) -> None:
    """Neither another node's own certificate, nor the one that QEMU can read on the coordinator itself."""
    source = COORDINATOR if folder.endswith("qemu") else "node3"
    cert, key, ca = (
        ("server-cert.pem", "server-key.pem", "ca-cert.pem")
        if folder.endswith("qemu")
        else ("cert.pem", "key.pem", "ca.pem")
    )
    script = f"""
        install -d -m 700 /root/intruder
        cp {folder}/{cert} /root/intruder/clientcert.pem
        cp {folder}/{key} /root/intruder/clientkey.pem
        cp {folder}/{ca} /root/intruder/cacert.pem
        trap 'rm -rf /root/intruder' EXIT
        cd /root/intruder
        timeout 20 virsh -c 'qemu+tls://{ADDRESS}/system?pkipath=/root/intruder' list >/dev/null 2>&1 && echo libvirt
        ovs-vsctl --timeout=5 --db=ssl:{ADDRESS}:6640 -p clientkey.pem -c clientcert.pem -C cacert.pem show \\
            >/dev/null 2>&1 && echo ovsdb
        true
    """
    assert cloud.lab.sh(source, script) == ""


@pytest.mark.parametrize("port", [16514, 6640])
def test_nobody_without_a_certificate_is_let_in(cloud: Site, port: int) -> None:
    script = f"""
import socket, ssl, sys
context = ssl.create_default_context(cafile="/etc/pki/pextra/ca.pem")
context.check_hostname = False
try:
    connection = context.wrap_socket(socket.create_connection(("{ADDRESS}", {port}), timeout=10))
    connection.sendall(b'{{"method":"list_dbs","params":[],"id":1}}')
    print("in" if connection.recv(100) else "closed")
except (ssl.SSLError, ConnectionError) as error:
    print("refused")
"""
    assert cloud.lab.exec(COORDINATOR, "python3", "-c", script).strip() in {"refused", "closed"}


@pytest.mark.parametrize("port", [16509, 16514, 6640])
def test_nobody_without_tls_is_let_in(cloud: Site, port: int) -> None:
    script = f"""
import socket
try:
    connection = socket.create_connection(("{ADDRESS}", {port}), timeout=5)
    connection.sendall(b'{{"method":"list_dbs","params":[],"id":1}}')
    answer = connection.recv(200)
except OSError:
    answer = b""
print("in" if b"Open_vSwitch" in answer else "refused")
"""
    assert cloud.lab.exec(COORDINATOR, "python3", "-c", script).strip() == "refused"


def test_a_revoked_certificate_is_refused(cloud: Site, intruder: Intruder, authority: Authority) -> None:
    certificate, key = issue(Identity(), authority)
    intruder.equip(certificate, key)
    assert intruder.reaches_libvirt()
    now = datetime.datetime.now(datetime.UTC)
    revoked = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number).revocation_date(now).build()
    crl = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(now - datetime.timedelta(hours=1))
        .next_update(now + datetime.timedelta(days=30))
        .add_revoked_certificate(revoked)
        .sign(authority.key, hashes.SHA384())
    )
    lab = cloud.lab
    path = "/etc/pki/pextra/crl.pem"
    try:
        lab.exec(TARGET, "dd", f"of={path}", "status=none", stdin=crl.public_bytes(serialization.Encoding.PEM).decode())
        lab.sh(TARGET, "virt-admin server-update-tls libvirtd && systemctl restart pextra-ovsdb-tls.service")
        assert not intruder.reaches_libvirt()
        assert not intruder.reaches_ovsdb()
    finally:
        # The role puts the deployment's own list back.
        cloud.run(*NODE_STAGES, "--limit", TARGET).must_succeed()
    assert intruder.reaches_libvirt()
    assert intruder.reaches_ovsdb()


def test_a_controller_that_is_not_kept_forgets_no_revocation(cloud: Site, authority: Authority, tmp_path: Path) -> None:
    """A runner of a CI has the key and the certificate, and no folder."""
    certificate, _ = issue(Identity(name="gone"), authority)
    revoked = tmp_path / "gone.pem"
    revoked.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    cloud.play(
        [
            {
                "ansible.builtin.include_role": {"name": "pextra.cloud.node", "tasks_from": "revocations.yml"},
                "vars": {
                    "node_name": "gone",
                    "node_deployment": DEPLOYMENT,
                    "node_ca_dir": str(CA_DIR),
                    "node_address": ADDRESS,
                    "__node_revoked": [{"path": str(revoked), "reason": "superseded"}],
                },
            }
        ],
        hosts="localhost",
    )
    cloud.run(*NODE_STAGES).must_succeed()
    before = cloud.lab.exec(TARGET, "cat", "/etc/pki/pextra/crl.pem")
    secrets = tmp_path / "secrets.yml"
    given = {"pextra_ca_dir": str(tmp_path / "ca"), "pextra_ca_private_key": (CA_DIR / "ca.key").read_text()}
    secrets.write_text(json.dumps({**given, "pextra_ca_certificate": (CA_DIR / "ca.pem").read_text()}))
    checked = cloud.run(*NODE_STAGES, "--check", "--diff", "-e", f"@{secrets}").must_change_nothing()
    assert "would make" not in checked.output
    assert not (tmp_path / "ca").exists()
    cloud.run(*NODE_STAGES, "-e", f"@{secrets}").must_change_nothing()
    for node in cloud.lab.nodes:
        assert cloud.lab.exec(node, "cat", "/etc/pki/pextra/crl.pem") == before
    listed = x509.load_pem_x509_crl((tmp_path / "ca" / "crl.pem").read_bytes())
    assert listed.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None
    # What a node leaves with is known here as well.
    issued = {path.name for path in (tmp_path / "ca" / "issued").iterdir()}
    assert issued <= {path.name for path in (CA_DIR / "issued").iterdir()}
    assert {name.partition("-")[0] for name in issued} == set(cloud.lab.nodes)


def test_a_list_of_revocations_that_cannot_be_read_is_no_missing_one(cloud: Site, tmp_path: Path) -> None:
    """To take it for none would make an empty one, and let in again what was revoked."""
    path = "/etc/pki/pextra/crl.pem"
    before = cloud.lab.exec(TARGET, "cat", path)
    secrets = tmp_path / "secrets.yml"
    given = {"pextra_ca_dir": str(tmp_path / "ca"), "pextra_ca_private_key": (CA_DIR / "ca.key").read_text()}
    secrets.write_text(json.dumps({**given, "pextra_ca_certificate": (CA_DIR / "ca.pem").read_text()}))
    try:
        cloud.lab.sh(TARGET, f"mv {path} {path}.aside && mkdir {path}")
        refused = cloud.run(*NODE_STAGES, "-e", f"@{secrets}")
        assert refused.code != 0
        assert path in refused.output
        for node in cloud.lab.nodes:
            assert node == TARGET or cloud.lab.exec(node, "cat", path) == before
        # One that is missing is had from the other nodes.
        cloud.lab.sh(TARGET, f"rmdir {path}")
        another = tmp_path / "another"
        cloud.run(*NODE_STAGES, "-e", f"@{secrets}", "-e", f"pextra_ca_dir={another}").must_succeed()
        assert cloud.lab.exec(TARGET, "cat", path) == before
        assert (another / "crl.pem").read_text() == before
    finally:
        cloud.lab.sh(TARGET, f"test ! -d {path} || rmdir {path}; test ! -e {path}.aside || mv {path}.aside {path}")
        cloud.run(*NODE_STAGES, "--limit", TARGET).must_succeed()


def test_keys_stay_where_they_were_made(cloud: Site) -> None:
    keys = cloud.lab.on_all("cat", "/etc/pki/pextra/key.pem")
    assert len(set(keys.values())) == len(keys)
    for path in CA_DIR.rglob("*"):
        if path.is_file():
            text = path.read_text()
            assert path.name == "ca.key" or "PRIVATE KEY" not in text, path
    assert CA_DIR.stat().st_mode & 0o777 == 0o700
    assert (CA_DIR / "ca.key").stat().st_mode & 0o777 == 0o600


def test_only_root_and_qemu_read_keys(cloud: Site) -> None:
    script = "stat -Lc '%a %U %G' /etc/pki/pextra/key.pem /etc/pki/qemu/server-key.pem"
    for text in cloud.lab.on_all("sh", "-c", script).values():
        assert text.splitlines() == ["600 root root", "640 root libvirt-qemu"]


def test_a_certificate_is_renewed_in_time_without_a_restart(cloud: Site) -> None:
    lab = cloud.lab
    show = ("openssl", "x509", "-in", "/etc/pki/pextra/cert.pem", "-noout", "-serial")
    before = lab.exec(TARGET, *show), lab.exec(TARGET, "systemctl", "show", "-p", "MainPID", "libvirtd")
    cloud.run(*NODE_STAGES, "--limit", TARGET, "-e", "node_certificate_renew_days=400").must_succeed()
    after = lab.exec(TARGET, *show), lab.exec(TARGET, "systemctl", "show", "-p", "MainPID", "libvirtd")
    assert after[0] != before[0]
    assert after[1] == before[1]
    served = f"openssl s_client -connect {ADDRESS}:16514 </dev/null 2>/dev/null | openssl x509 -noout -serial"
    assert lab.sh(COORDINATOR, served) == after[0]
    cloud.run(*NODE_STAGES).must_change_nothing()


def test_a_host_of_another_deployment_is_refused(cloud: Site, tmp_path: Path) -> None:
    lab = cloud.lab
    foreign = make_authority(read_authority()).certificate.public_bytes(serialization.Encoding.PEM).decode()
    kept = lab.exec("node3", "cat", "/etc/pki/pextra/ca.pem")
    before = lab.snapshot()["node3"]
    try:
        lab.exec("node3", "dd", "of=/etc/pki/pextra/ca.pem", "status=none", stdin=foreign)
        run = cloud.run(*NODE_STAGES)
        assert run.code != 0
        assert run.hosts["node3"]["failed"] == 1
        assert run.hosts["node1"]["failed"] == run.hosts["node2"]["failed"] == 0
        assert "foreign_deployment" in run.output
        assert f'pextra_takeover="{DEPLOYMENT}"' in run.output
        assert lab.snapshot()["node3"] == before
        assert lab.exec("node3", "cat", "/etc/pki/pextra/ca.pem") == foreign
    finally:
        lab.exec("node3", "dd", "of=/etc/pki/pextra/ca.pem", "status=none", stdin=kept)
    cloud.run(*NODE_STAGES).must_succeed()
