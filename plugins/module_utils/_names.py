"""Names of volumes in storage pools. Each holds the identifier of what it belongs to, so that nothing that is not ours
can be taken for ours, and a person still recognises the instance.
"""

from __future__ import annotations


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
