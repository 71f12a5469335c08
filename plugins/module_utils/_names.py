"""Names of volumes in storage pools. Each holds the identifier of what it belongs to, so that nothing that is not ours
can be taken for ours, and a person still recognises the instance.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


def image_volume(image_id: str, image_format: str) -> str:
    """Return the name of an image's copy in a pool."""
    return f"{image_id}.{image_format}"


def root_volume(instance: str, instance_id: str, volume_format: str = "qcow2") -> str:
    """Return the name of an instance's root volume."""
    return f"{instance}.{instance_id}.root.{volume_format}"


def data_volume(instance: str, instance_id: str, volume: str, volume_format: str = "qcow2") -> str:
    """Return the name of a further volume of an instance."""
    return f"{instance}.{instance_id}.{volume}.{volume_format}"


def seed_volume(instance: str, instance_id: str, digest: str) -> str:
    """Return the name of an instance's cloud-init seed; it changes with the content."""
    return f"{instance}.{instance_id}.seed-{digest[:12]}.iso"


def is_of_instance(volume: str, instance: str, instance_id: str) -> bool:
    """Tell whether a volume, or a seed, is an instance's."""
    return volume.startswith(f"{instance}.{instance_id}.")


_INSTANCE = re.compile(r"\.(inst-[A-Za-z0-9_-]{21})\.")


def instance_in(volume: str) -> str | None:
    """Return the identifier of the instance whose volume, or seed, a name is."""
    found = _INSTANCE.search(volume)
    return found[1] if found else None


# A volume that lives on its own, or what is between: `import` and `export` are steps on the way to or from a file.
_STANDALONE = re.compile(
    r"(?P<name>.+)\.(?P<id>vol-[A-Za-z0-9_-]{21})\.((?P<step>import|export)\.)?(?P<format>qcow2|raw|vmdk|vdi)"
)
_IN_TEXT = re.compile(r"[A-Za-z0-9._-]+\.vol-[A-Za-z0-9_-]{21}\.[a-z0-9.]+")
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


def serial_of(volume_id: str) -> str:
    """Return what a guest finds a volume by: it has no room for the whole identifier."""
    return volume_id.removeprefix("vol-")[:_SERIAL_LENGTH]


def find_standalones(text: str) -> frozenset[str]:
    """Return the names of this scheme in a domain's definition, whoever wrote it."""
    return frozenset(_IN_TEXT.findall(text)) if ".vol-" in text else frozenset()
