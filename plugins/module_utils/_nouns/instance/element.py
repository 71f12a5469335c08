# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An adopted instance as the element of a document that says of it what it is. Pure.

What no option can say is left out, and stays as it is: an element with `adopt` says only what it names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._fields.field import Field, parse_value, render_value
from .plan.state import Domain, named_nics
from .spec import FIELDS, OPTIONS, find_missing, find_mistakes_within, parse_vm

_BARE = {"root": ("pool", "size"), "volumes": ("name", "pool", "size", "unit"), "nics": ("name", "port_group", "mac")}


def make_element(domain: Domain, cluster: str | None) -> dict[str, Any]:
    """Return the element. Its power state is not in it: it stays as it is."""
    model, options = domain.config, domain.config.options
    rows = {disk.name: disk.further for disk in model.disks}
    volumes = [
        {"name": label.name, "pool": label.pool, **({"unit": label.unit} if label.unit else {"size": label.size})}
        | dict(rows.get(label.name, {}))
        for label in model.labels.volumes
    ]
    root = next(({**volume} for volume in volumes if volume["name"] == "root"), None)
    if root is not None:
        del root["name"]
    values: dict[str, Any] = {
        "name": model.name,
        "cluster": cluster,
        "adopt": True,
        **{option: options.get(option) for option in OPTIONS},
        "root": root,
        "volumes": [volume for volume in volumes if volume["name"] != "root"],
        "nics": [
            {"name": label.name, "port_group": one.port_group, "mac": one.mac, "addresses": list(label.addresses)}
            | ({"sr_iov": one.sr_iov} if one.sr_iov else {})
            | dict(one.further)
            for label, one in named_nics(model)
        ],
        "autostart": domain.autostart,
        "tags": list(model.labels.tags),
        "protected": model.labels.protected,
        "anti_affinity": model.labels.anti_affinity,
    }
    said = {key: kept for key, value in values.items() if (kept := _say(FIELDS[key], value)) not in (None, [], {}, "")}
    said = {key: value for key, value in said.items() if key != "protected" or value}
    return _without_mistakes(said)


def _say(field: Field, value: Any) -> Any:
    """Return a value as a document says it; None for what it cannot say, and for secrets, which stay as they are."""
    if value is None or field.no_log:
        return None
    if field.table is not None:
        keys = {key: one for key, inner in field.table.items() if (one := _say(inner, value.get(key))) is not None}
        return keys if keys and not parse_value(field, keys, "")[1] else None
    if field.element is not None and field.element.table is not None:
        # What a list does not name is taken away: of which one cannot be said, none is.
        each = [_say(field.element, item) for item in value]
        return None if None in each else each
    try:
        said = render_value(field, value)
    except (TypeError, ValueError):
        return None
    said = list(said) if isinstance(said, tuple) else said
    if said == []:
        return None
    return None if parse_value(field, said, "")[1] else said


def _without_mistakes(said: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is by itself no mistake, and is one together: it was made by hand."""
    while True:
        vm, mistakes = parse_vm(said, "")
        if vm is not None:
            mistakes = [*find_missing(vm, ""), *find_mistakes_within(vm, "")]
        wrong = {mistake.path.lstrip(".").partition(".")[0].partition("[")[0] for mistake in mistakes} & said.keys()
        if not wrong:
            return said
        for key in wrong:
            bare = _strip(key, said[key])
            if bare == said[key]:
                del said[key]
            else:
                said[key] = bare


def _strip(key: str, value: Any) -> Any:
    keep = _BARE.get(key, ())
    if isinstance(value, Mapping):
        return {name: one for name, one in value.items() if name in keep}
    return [_strip(key, one) for one in value] if isinstance(value, list) and keep else value
