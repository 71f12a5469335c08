# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of volumes in storage pools, and of consoles' logs. A volume's holds the identifier of what it belongs to, so
that nothing that is not ours can be taken for ours, and a person still recognises the instance.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass

from .ids import is_id, uuid_of


def console_log(instance: str) -> str:
    """Return the file on an instance's node that its serial console is written to."""
    return f"/var/log/pextra/console/{instance}.log"


def image_volume(image_id: str, image_format: str) -> str:
    """Return the name of an image's copy in a pool."""
    return f"{image_id}.{image_format}"


def root_volume(instance: str, instance_id: str, volume_format: str = "qcow2") -> str:
    """Return the name of an instance's root volume."""
    return f"{instance}.{instance_id}.root.{volume_format}"


_TREE = "dir"
# Below a tree's volume, which is closed to everybody else on the node.
_FILES = "rootfs"


def root_tree(instance: str, instance_id: str) -> str:
    """Return the name of a container's root volume: a directory, which holds its files."""
    return root_volume(instance, instance_id, _TREE)


def is_tree(volume: str) -> bool:
    """Tell whether an instance's volume is a directory."""
    return _INSTANCE.search(volume) is not None and volume.endswith(f".{_TREE}")


def files_of_tree(path: str) -> str:
    """Return where the files of a container are. path: of its root volume."""
    return f"{path}/{_FILES}"


def tree_of_files(path: str) -> str | None:
    """Return the path of the root volume that a container's files are in, None for files elsewhere."""
    volume, _, name = path.rpartition("/")
    return volume if name == _FILES else None


def data_volume(instance: str, instance_id: str, volume: str, volume_format: str = "qcow2") -> str:
    """Return the name of a further volume of an instance."""
    return f"{instance}.{instance_id}.{volume}.{volume_format}"


def seed_volume(instance: str, instance_id: str, digest: str) -> str:
    """Return the name of an instance's cloud-init seed; it changes with the content."""
    return f"{instance}.{instance_id}.seed-{digest[:12]}.iso"


def is_of_instance(volume: str, instance: str, instance_id: str) -> bool:
    """Tell whether a volume, or a seed, is an instance's."""
    return volume.startswith(f"{instance}.{instance_id}.")


_INSTANCE = re.compile(r"\.(inst-[A-Za-z0-9_-]{21,22})\.")


def instance_in(volume: str) -> str | None:
    """Return the identifier of the instance whose volume, or seed, a name is."""
    found = _INSTANCE.search(volume)
    return found[1] if found and is_id(found[1], "instance") else None


def has_foreign_owner(xml: str) -> bool:
    """Tell whether a domain's definition may name volumes of another instance: cheaply, as there are thousands."""
    return any(uuid_of(owner) not in xml for owner in set(_INSTANCE.findall(xml)) if is_id(owner, "instance"))


def is_seed_of(volume: str, instance: str, instance_id: str) -> bool:
    """Tell whether a volume is a cloud-init seed of an instance."""
    return volume.startswith(f"{instance}.{instance_id}.seed-") and volume.endswith(".iso")


# A volume that lives on its own, or what is between: `import` and `export` are steps on the way to or from a file.
_STANDALONE = re.compile(
    r"(?P<name>.+)\.(?P<id>vol-[A-Za-z0-9_-]{21})\.((?P<step>import|export)\.)?(?P<format>qcow2|raw|vmdk|vdi)"
)
_IN_TEXT = re.compile(r"[A-Za-z0-9._-]+\.vol-[A-Za-z0-9_-]{21}\.[a-z0-9.]+")
# A volume that an instance has, or had: it is kept when the instance goes.
_OF_INSTANCE = re.compile(
    r"(?P<instance>.+)\.(?P<owner>inst-[A-Za-z0-9_-]{21,22})\.(?P<volume>.+)\.(?P<format>qcow2|raw)"
)
_OF_INSTANCE_IN_TEXT = re.compile(r"['\"/>]([^'\"/<>\s]*\.inst-[A-Za-z0-9_-]{21,22}\.[^'\"/<>\s]*)['\"<]")
_ID_LENGTH = 21
_SERIAL_LENGTH = 20  # of a virtio disk; longer ones are cut


@dataclass(frozen=True)
class Standalone:
    """What a volume's name tells. step: import or export for what is only on the way, None for the volume itself."""

    name: str
    id: str
    format: str
    step: str | None = None


def standalone_volume(name: str, volume_id: str, volume_format: str, step: str | None = None) -> str:
    """Return the name, in its pool, of a volume that lives on its own."""
    return f"{name}.{volume_id}.{step}.{volume_format}" if step else f"{name}.{volume_id}.{volume_format}"


def parse_standalone(volume: str) -> Standalone | None:
    """Return what a volume's name tells, None for one that is not of this scheme."""
    found = _STANDALONE.fullmatch(volume)
    if found is None:
        return None
    return Standalone(found["name"], found["id"], found["format"], found["step"])


def parse_kept(volume: str) -> Standalone | None:
    """Return what a volume of an instance is once that is gone: a volume on its own, in the file that it has.

    Its identifier and its name follow from the file's name alone, so that they are the same wherever it is looked at.
    """
    found = _OF_INSTANCE.fullmatch(volume)
    if found is None:
        return None
    digest = hashlib.sha256(volume.encode())
    volume_id = "vol-" + base64.urlsafe_b64encode(digest.digest()).decode()[:_ID_LENGTH]
    name = f"{found['instance']}-{found['volume']}"[:56].rstrip("._-").replace("..", ".")
    return Standalone(f"{name}-{digest.hexdigest()[:6]}", volume_id, found["format"])


def parse_attached(volume: str, uuid: str) -> Standalone | None:
    """Return the volume on its own that a disk of a domain is; None for one of the domain's own, or of nobody of ours.

    uuid: the domain's.
    """
    owner = instance_in(volume)
    if owner is not None and uuid_of(owner) != uuid:
        return parse_kept(volume)
    return parse_standalone(volume)


def is_of_others(volume: str, uuid: str) -> bool:
    """Tell whether a volume's name says that it is the cloud's, and not a domain's own: a volume on its own, the copy
    of an image, or a volume or a seed of another instance. uuid: the domain's.
    """
    owner = instance_in(volume)
    is_anothers = owner is not None and uuid_of(owner) != uuid
    return is_anothers or parse_standalone(volume) is not None or _IMAGE.match(volume) is not None


_IMAGE = re.compile(r"img-[A-Za-z0-9_-]{21}\.")


def serial_of(volume_id: str) -> str:
    """Return what a guest finds a volume by: it has no room for the whole identifier."""
    return volume_id.removeprefix("vol-")[:_SERIAL_LENGTH]


def find_standalones(text: str) -> frozenset[str]:
    """Return the names of volumes on their own, and of instances, in a domain's definition, whoever wrote it."""
    found = _OF_INSTANCE_IN_TEXT.findall(text) if ".inst-" in text else []
    return frozenset([*found, *(_IN_TEXT.findall(text) if ".vol-" in text else [])])
