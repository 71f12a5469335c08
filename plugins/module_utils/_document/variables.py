# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The deployment document as one table: which variables it is made of, and which others there are.

`DOCUMENT` holds the variables of the whole deployment (`group_vars/all`), `HOST` those of each node. Argument
specs, validation, the JSON Schema and the documentation all read the same fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from .._fields.checks import check_interface, check_name
from .._fields.common import DESCRIPTION, NAME
from .._fields.field import REQUIRED, Field, Table
from .._model.mistake import shown
from .._model.registry_url import find_port_mistake
from .._nouns.ceph import spec as ceph
from .._nouns.cluster import spec as cluster
from .._nouns.datacenter import spec as datacenter
from .._nouns.drive import spec as disk
from .._nouns.image import spec as image
from .._nouns.instance import spec as vm
from .._nouns.node import preflight
from .._nouns.node import spec as node
from .._nouns.organization import spec as organization
from .._nouns.pool import spec as pool
from .._nouns.port_group import spec as port_group
from .._nouns.volume import spec as volume
from .._nouns.vswitch import spec as vswitch

MAX_COUNT = 10_000
# As SQLAlchemy reads it, which takes the name of a driver along.
_REGISTRY = re.compile(r"(sqlite:///|(postgresql|cockroachdb)(\+\w+)?://)\S")


def leave_open(table: Table) -> Table:
    """Return a table of which no key has to be said in one place: what an instance needs, any of its layers can say."""
    return {key: _leave_field_open(field) for key, field in table.items()}


def _leave_field_open(field: Field) -> Field:
    if field.create is REQUIRED:
        return replace(field, create=None, help=f"{field.help} An instance needs it.")
    if field.table is not None:
        return replace(field, table=leave_open(field.table))
    if field.element is not None and field.element.table is not None:
        return replace(field, element=_leave_field_open(field.element))
    return field


# What a machine is. A flavor's description is its own.
FLAVOR: Table = {"name": NAME, **leave_open(vm.OPTIONS), "description": DESCRIPTION}

# What an instance has for itself: what it is called, where it is, what it begins from, and whether it may go.
_OF_ONE_INSTANCE = (
    *("name", "cluster", "organization", "node", "anti_affinity", "adopt", "image", "protected", "state"),
    *("flavor", "profiles"),
)
PROFILE: Table = {
    "name": NAME,
    **leave_open({key: field for key, field in vm.FIELDS.items() if key not in _OF_ONE_INSTANCE}),
    "description": DESCRIPTION,
}

INSTANCE: Table = {
    **vm.FIELDS,
    "count": Field(
        kind="int",
        minimum=1,
        maximum=MAX_COUNT,
        help="How many of it there are, named C(<name>-1), C(<name>-2) and so on. In its values C(pextra_index) is "
        "the number of each.",
    ),
    # That it is made of none any more is said as well.
    "flavor": Field(
        kind="str",
        create="",
        help="The flavor that it takes what its machine is from, where nothing else says it.",
    ),
    "profiles": Field(
        kind="list",
        element=Field(kind="str", help="A profile, by name."),
        unique=True,
        create=(),
        help="The profiles that it takes what it does not say itself from. A later one is stronger than an earlier "
        "one, and each is stronger than the flavor.",
    ),
}


def _list_of(table: Table, what: str, text: str) -> Field:
    return Field(kind="list", element=Field(kind="dict", table=table, help=what), help=text)


DOCUMENT: Table = {
    "pextra_deployment_name": Field(
        kind="str",
        check=check_name,
        help="The name of the deployment, which its certificates carry. V(pextra) unless given. "
        "It cannot be changed afterwards.",
    ),
    "pextra_organizations": _list_of(
        organization.FIELDS,
        "An organization.",
        "The organizations. The first is the root organization, which owns the deployment. "
        "One with the name V(root) unless given.",
    ),
    "pextra_datacenters": _list_of(
        datacenter.FIELDS, "A datacenter.", "The datacenters. One with the name V(default) unless given."
    ),
    "pextra_clusters": _list_of(
        cluster.FIELDS, "A cluster.", "The clusters. One with the name V(default) unless given."
    ),
    "pextra_pools": _list_of(
        pool.FIELDS,
        "A storage pool.",
        "The storage pools. Unless given, each cluster has one of the type V(directory) with the name V(local).",
    ),
    "pextra_ceph_monitors": Field(
        kind="list",
        element=Field(kind="str", help="A node, by name."),
        unique=True,
        help="The nodes that run the monitors and managers of the deployment's own Ceph: three, or another odd "
        "number. Unless given there is no such Ceph.",
    ),
    "pextra_ceph_pools": _list_of(
        ceph.POOL,
        "A pool of Ceph.",
        "The pools of the deployment's own Ceph. A storage pool of the type V(rbd) that names no monitors is in the "
        "one of its name.",
    ),
    "pextra_vswitches": _list_of(vswitch.FIELDS, "A vSwitch.", "The vSwitches."),
    "pextra_port_groups": _list_of(port_group.FIELDS, "A port group.", "The port groups."),
    "pextra_images": _list_of(image.FIELDS, "An image.", "The images."),
    "pextra_image_mirrors": Field(
        kind="list",
        element=image.FIELDS["mirrors"].element,
        unique=True,
        help="Where the file of every image that has a URL is looked for first, unless it has mirrors of its own.",
    ),
    "pextra_flavors": _list_of(
        FLAVOR, "A flavor.", "What machines are, under a name: size, CPU, devices. They exist in this document only."
    ),
    "pextra_profiles": _list_of(
        PROFILE,
        "A profile.",
        "What instances have in common, under a name: devices, networks, storage, cloud-init and more. They exist in "
        "this document only.",
    ),
    "pextra_instances": _list_of(INSTANCE, "An instance, or several alike.", "The instances."),
    "pextra_volumes": _list_of(
        volume.DECLARED, "A volume.", "The volumes that live on their own, whatever becomes of the instances."
    ),
}

# Each host of the group pextra_nodes is a node; these are its keys. The name is the host's in the inventory.
HOST: Table = {
    "pextra_address": Field(
        kind="str",
        check=node.FIELDS["address"].check,
        help="The management address, by which the other nodes reach it. C(ansible_host) unless given. "
        "It must not change after the node has joined.",
    ),
    "pextra_migration_address": node.FIELDS["migration_address"],
    "pextra_cluster": node.FIELDS["cluster"],
    "pextra_node_description": DESCRIPTION,
    "pextra_memory_reserved": node.FIELDS["memory_reserved"],
    "pextra_virt_type": Field(
        kind="str",
        choices=("kvm", "qemu"),
        help="How the node runs virtual machines: V(kvm) in hardware, V(qemu) in software. "
        "Found out on the node unless given.",
    ),
    "pextra_containers": node.FIELDS["containers"],
    "pextra_architectures": node.FIELDS["architectures"],
    "pextra_shared_directories": node.FIELDS["shared_directories"],
    "pextra_memory": Field(
        kind="size",
        help="The memory of the host. With it, validation can tell whether the instances fit before any host is asked.",
    ),
    "pextra_disks": Field(
        kind="list",
        element=Field(kind="dict", table=disk.FIELDS, help="A set of disks."),
        help="Which of the node's disks become volume groups, zpools, or devices of Ceph. None unless given.",
    ),
    "pextra_management_interface": Field(
        kind="str",
        check=check_interface,
        help="The interface that carries the management address, which no vSwitch may take as an uplink. "
        "Found out on the node unless given.",
    ),
    "pextra_ceph_osds": _list_of(
        ceph.OSD,
        "A disk.",
        "The disks of the node that the deployment's own Ceph keeps data on.",
    ),
}


def _check_folder(path: str) -> str | None:
    """A folder of the controller that is the same for every run, wherever that is started and whatever it runs."""
    if path.startswith(("/", "~")):
        return None
    return f"{shown(path)} is another folder for each playbook; write a whole path, such as ~/.pextra/NAME/ca"


def _check_pem(what: str) -> Callable[[str], str | None]:
    def check(value: str) -> str | None:
        if not value or re.match(rf"\s*-----BEGIN ([A-Z]+ )?{what}-----\s", value):
            return None
        return f"is not in PEM form; write the text that begins with -----BEGIN {what}-----, not the name of a file"

    return check


def _check_registry(value: str) -> str | None:
    """Told without the value, which may hold a password."""
    if value and not _REGISTRY.match(value):
        return "is the address of no registry; write one that begins with sqlite:///, postgresql:// or cockroachdb://"
    return find_port_mistake(value)


def _check_exception(name: str) -> str | None:
    return next(iter(preflight.check_exceptions([name])), None)


# Read by roles and playbooks. What these find out for themselves may be anything.
ROLE_VARIABLES: Table = {
    "pextra_acts": Field(kind="raw", help="What roles did to the host in this run, for the audit trail."),
    "pextra_allow_restart": Field(
        kind="bool", help="Whether running instances may be restarted for changes that need it."
    ),
    "pextra_ca_certificate": Field(
        kind="str",
        check=_check_pem("CERTIFICATE"),
        help="The certificate of the authority, in PEM form, from a vault.",
    ),
    "pextra_ca_dir": Field(
        kind="str",
        check=_check_folder,
        help="The folder of the controller that holds the certificate authority of the deployment, as a whole path.",
    ),
    "pextra_ca_private_key": Field(
        kind="str",
        no_log=True,
        check=_check_pem("PRIVATE KEY"),
        help="The private key of the authority, in PEM form, from a vault.",
    ),
    "pextra_ceph_devices": Field(
        kind="raw", help="The disks that the role disks has selected for Ceph, by the name of their set."
    ),
    "pextra_coordinator_hosts": Field(kind="raw", help="The coordinators that a playbook runs on."),
    "pextra_coordinator_failed": Field(kind="raw", help="Whether the coordinator's own stage has failed in this run."),
    "pextra_deployment": Field(kind="raw", help="What M(pextra.cloud.pextra_deployment_validate) returned."),
    "pextra_earlier_changes": Field(
        kind="raw", help="Whether, in check mode, an earlier stage would have changed something."
    ),
    "pextra_first_coordinator": Field(kind="str", help="The coordinator that resources are managed from."),
    "pextra_hosts": Field(kind="raw", help="The hosts that a playbook runs on."),
    "pextra_index": Field(kind="raw", help="The number of an instance that has a count."),
    "pextra_node_facts": Field(kind="raw", help="What preflight found out about the host."),
    "pextra_node_hosts": Field(kind="raw", help="The nodes that a playbook runs on."),
    "pextra_preflight_exceptions": Field(
        kind="list",
        element=Field(kind="str", check=_check_exception, help="The name of a rule."),
        help="The rules of preflight that a host may break.",
    ),
    "pextra_outcome": Field(kind="raw", help="What M(pextra.cloud.pextra_deployment) returned."),
    "pextra_problems": Field(kind="raw", help="What has failed on the host in this run."),
    "pextra_unanswering": Field(kind="raw", help="The hosts that have not answered in this run."),
    "pextra_propagation_interval": Field(
        kind="int",
        minimum=1,
        help="How many seconds lie between two rounds of the job that propagates storage pools.",
    ),
    "pextra_registry_url": Field(kind="str", no_log=True, check=_check_registry, help="The registry."),
    "pextra_takeover": Field(kind="str", help="The deployment that a host is taken over from, on purpose."),
    "pextra_validate_file": Field(
        kind="str", help="The file of the controller that C(validate.yml) writes what it has found to."
    ),
    "pextra_validate_format": Field(
        kind="str",
        choices=("text", "json", "sarif", "github"),
        help="How C(validate.yml) tells what it has found: for people, as JSON, as SARIF 2.1.0, or as annotations of "
        "GitHub.",
    ),
}
ROLE_FAMILIES: dict[str, str] = {"pextra_lab_": "The lab."}


def is_known_variable(name: str) -> bool:
    """Tell whether a variable of this name, which begins with `pextra_`, means something."""
    return name in DOCUMENT or name in HOST or name in ROLE_VARIABLES or name.startswith(tuple(ROLE_FAMILIES))
