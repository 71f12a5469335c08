# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The deployment document, read from the inventory's variables and checked as a whole, on the controller."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleActionFail
from ansible.template import Templar
from ansible.utils.display import Display
from ansible_collections.pextra.cloud.plugins.module_utils._document.document import (
    Deployment,
    Inventory,
    read_deployment,
)
from ansible_collections.pextra.cloud.plugins.module_utils._document.effective import render_effective
from ansible_collections.pextra.cloud.plugins.module_utils._document.formats import render
from ansible_collections.pextra.cloud.plugins.module_utils._document.hosts import (
    COORDINATORS,
    GROUP,
    InventoryHost,
    host_path,
)
from ansible_collections.pextra.cloud.plugins.module_utils._document.replicas import VARIABLE
from ansible_collections.pextra.cloud.plugins.module_utils._document.report import (
    describe_mistakes,
    list_mistakes,
    sort_mistakes,
)
from ansible_collections.pextra.cloud.plugins.module_utils._document.role_variables import (
    find_role_mistakes,
    read_argument_spec,
)
from ansible_collections.pextra.cloud.plugins.module_utils._document.variables import DOCUMENT, HOST, ROLE_VARIABLES
from ansible_collections.pextra.cloud.plugins.module_utils._fields.field import Field
from ansible_collections.pextra.cloud.plugins.module_utils._fields.plain import Extent, Unreadable
from ansible_collections.pextra.cloud.plugins.module_utils._model.mistake import Mistake, shown
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.distributions import find_distribution
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.cloud_init_checks import checked_by_schema
from ansible_collections.pextra.cloud.plugins.plugin_utils.cloud_config import CloudConfigCheck
from ansible_collections.pextra.cloud.plugins.plugin_utils.libraries import require_netaddr
from ansible_collections.pextra.cloud.plugins.plugin_utils.next_command import tell_next
from ansible_collections.pextra.cloud.plugins.plugin_utils.own_file import tell_refusal
from ansible_collections.pextra.cloud.plugins.plugin_utils.positions import Positions
from ansible_collections.pextra.cloud.plugins.plugin_utils.templates import INDEX, RenderedList, render_template
from ansible_collections.pextra.cloud.plugins.plugin_utils.unread_variables import find_unread

PROFILES = "pextra_profiles"
# What Ansible itself gives is as long as the inventory is, and to look at a part of it templates all of that.
_OF_ANSIBLE = frozenset({"groups", "hostvars", "play_hosts", "vars"})


def read_document(variables: Mapping[str, Any], loader: Any, explain: Collection[str] = ()) -> Deployment:
    """Return the document, complete, or its mistakes, each with its file and line, in the document's order.

    variables: of the task's host, as Ansible has them, with those of all others. loader: Ansible's own, of files.
    explain: the names of the instances of which is to be told where each value comes from. Warnings are shown.
    """
    require_netaddr()
    hostvars = variables["hostvars"]
    groups = variables.get("groups", {})
    node_names = [str(name) for name in groups.get(GROUP, ())]
    extent = Extent()
    left_out: dict[str, str] = {}
    variables = _bounded(variables, extent, left_out)
    raw_hosts = {name: _bounded(hostvars.raw_get(name), extent, left_out) for name in node_names}

    # A templar of our own: its variables change with every replica of an instance.
    templar = Templar(loader=loader, variables={**variables, INDEX: 1})
    values = {
        name: render_template(variables[name], templar) for name in DOCUMENT if name in variables and name != VARIABLE
    }
    # Not by hostvars, which templates all that a host has to give one variable of it.
    templars = {
        name: Templar(loader=loader, variables={**raw, "hostvars": hostvars}) for name, raw in raw_hosts.items()
    }
    hosts = _read_hosts(raw_hosts, templars)
    mistakes = _find_misplaced(variables, raw_hosts)
    elements = RenderedList(VARIABLE, variables.get(VARIABLE), templar)
    profiles = variables.get(PROFILES)
    # Most give every instance the same.
    vary = profiles is not None and not isinstance(profiles, Unreadable) and templar.is_template(profiles)
    inventory = Inventory(
        variables=values,
        names=sorted(
            {str(name) for some in (variables, *raw_hosts.values()) for name in some if str(name).startswith("pextra_")}
        ),
        hosts=hosts,
        coordinators=[str(name) for name in groups.get(COORDINATORS, ())],
        registry_url=render_template(variables.get("pextra_registry_url"), templar),
        instances=elements.length,
        render_instance=elements.render,
        render_profile=RenderedList(PROFILES, profiles, templar).render if vary else None,
        explain=explain,
        directory=_find_directory(variables, raw_hosts),
    )
    check = CloudConfigCheck()
    with checked_by_schema(check.find_problem):
        deployment = read_deployment(inventory, _check_file)
    if check.note is not None:
        Display().warning(f"{check.note}.")
    mistakes += _find_role_mistakes(variables, templar, raw_hosts, templars)
    positions = Positions(variables, raw_hosts)
    mistakes = [
        _place(_blame(mistake, left_out), positions)
        for mistake in sort_mistakes([*mistakes, *elements.mistakes, *deployment.mistakes])
    ]
    unread = find_unread(
        [str(one) for one in variables.get("ansible_inventory_sources") or ()],
        groups,
        {*map(str, groups.get("all", ())), "localhost"},
    )
    for warning in (*unread, *deployment.warnings):
        Display().warning(str(warning))
    for text in _find_parsed_images(values, _find_directory(variables, raw_hosts), variables):
        Display().warning(text)
    warnings = (*unread, *(_place(warning, positions) for warning in deployment.warnings))
    return replace(deployment, mistakes=tuple(mistakes), warnings=warnings)


def publish_findings(deployment: Deployment, how: str, dest: str | None) -> None:
    """Tell what was found: in a file, or as lines on the screen, whatever the callback makes of results.

    how: one of FORMATS. dest: the file's path. Raises AnsibleActionFail where it cannot be written.
    """
    text = render(deployment, how, os.getcwd())
    if dest is None:
        if how != "text" or not deployment.mistakes:  # in words, the message of the failure tells them
            Display().display(text.removesuffix("\n"))
        then = tell_next("validate", "site")
        if how == "text" and not deployment.mistakes and then is not None:
            Display().display(f"Next: {then} --check --diff shows what would change; without these it makes it so.")
        return
    refusal = tell_refusal(dest, "findings")
    if refusal:
        raise AnsibleActionFail(
            f"What was found is not written: {shown(dest)} {refusal}.\n{render(deployment, 'text', os.getcwd())}"
        )
    try:
        # In place, since it may be no file but what a program reads from.
        with open(os.path.expanduser(dest), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise AnsibleActionFail(
            f"What was found cannot be written to {shown(dest)}: {error.strerror}. "
            f"Name a file in a directory that is there.\n{render(deployment, 'text', os.getcwd())}"
        ) from None  # Ansible would tell it once more, after the last line


def render_refusal(mistakes: Sequence[Mistake]) -> dict[str, Any]:
    """Return the result of an action that a wrong document makes fail."""
    return {
        "failed": True,
        "msg": describe_mistakes(mistakes, os.getcwd()),
        "mistakes": list_mistakes(mistakes),
        # Ansible shows the message of a failure by itself, and would show all of the result once more.
        "_ansible_no_log": True,
    }


def list_explained(deployment: Deployment, *, is_shown: bool) -> list[dict[str, Any]]:
    """Return where each value of the instances that were asked for comes from. Secrets are not among them.

    is_shown: whether it is to be shown as well.
    """
    if is_shown:
        for path, values in deployment.effective.items():
            for line in (path, *render_effective(values)):
                Display().display(line)
    return [
        {"instance": path, "values": [value._asdict() for value in values]}
        for path, values in deployment.effective.items()
    ]


def _place(mistake: Mistake, positions: Positions) -> Mistake:
    file, line = positions.find(mistake.path) or (None, None)
    return replace(mistake, file=file, line=line)


def _bounded(variables: Mapping[str, Any], extent: Extent, left_out: dict[str, str]) -> dict[str, Any]:
    """Return the variables without those that nothing could walk to their end.

    Also without other people's, since a template of the deployment may name one: left_out is given why, by the name.
    """
    bounded = dict(variables)
    for name, value in variables.items():
        if name in _OF_ANSIBLE or str(name).startswith("ansible_"):
            continue
        problem = extent.find_problem(value)
        if problem is None:
            continue
        if str(name).startswith("pextra_"):
            bounded[name] = Unreadable(problem)
        else:
            del bounded[name]
            left_out[str(name)] = problem
    return bounded


def _blame(mistake: Mistake, left_out: Mapping[str, str]) -> Mistake:
    """Say of a template that reads what was left out that this is the reason."""
    for name, problem in left_out.items():
        if f"'{name}' is undefined" in mistake.problem:
            return replace(mistake, problem=f"its template reads {name}, which {problem}")
    return mistake


def _read_hosts(raw_hosts: Mapping[str, Mapping[str, Any]], templars: Mapping[str, Templar]) -> list[InventoryHost]:
    hosts: list[InventoryHost] = []
    for name, raw in raw_hosts.items():
        values = {variable: render_template(raw.get(variable), templars[name]) for variable in (*HOST, "ansible_host")}
        facts = raw.get("ansible_facts") or {}
        address = values.get("pextra_address") or values.get("ansible_host")
        default = facts.get("default_ipv4") or {}
        hosts.append(
            InventoryHost(
                name=name,
                variables={key: value for key, value in values.items() if key in HOST},
                ansible_host=values.get("ansible_host"),
                memory_mib=facts.get("memtotal_mb"),
                default_interface=default.get("interface") if default.get("address") == address else None,
            )
        )
    return hosts


def _find_misplaced(variables: Mapping[str, Any], hosts: Mapping[str, Mapping[str, Any]]) -> list[Mistake]:
    """The document is one for all hosts: what some hosts alone see would be ignored without a word."""
    mistakes = []
    for name in DOCUMENT:
        first = next((of_host.get(name) for of_host in hosts.values()), None)
        differing = [host for host, of_host in hosts.items() if not _is_same(of_host.get(name), first)]
        if differing:
            problem = f"is another for {', '.join(differing[:4])} than for {next(iter(hosts))}"
        elif first is not None and name not in variables:
            problem = "is given for the nodes alone"
        else:
            continue
        mistakes.append(Mistake(name, f"{problem}; it is one for the whole deployment: write it in group_vars/all"))
    return mistakes


def _find_role_mistakes(
    variables: Mapping[str, Any],
    templar: Templar,
    raw_hosts: Mapping[str, Mapping[str, Any]],
    templars: Mapping[str, Templar],
) -> list[Mistake]:
    """Judge what the inventory gives to roles. What has no value before facts are gathered is left to the roles."""
    known = {**_read_argument_specs(), **ROLE_VARIABLES}
    table = {name: field for name, field in known.items() if field.kind != "raw"}
    given = {name: render_template(variables[name], templar) for name in table if name in variables}
    mistakes = find_role_mistakes(table, _readable(given))
    for host, raw in raw_hosts.items():
        own = {
            name: render_template(raw[name], templars[host])
            for name in table
            if name in raw and not _is_same(raw[name], variables.get(name))
        }
        mistakes += find_role_mistakes(table, _readable(own), partial(host_path, host))
    return mistakes


def _readable(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if not isinstance(value, Unreadable)}


@cache
def _read_argument_specs() -> dict[str, Field]:
    """Return the options of all roles of this collection."""
    table: dict[str, Field] = {}
    for path in sorted(Path(__file__).parents[2].glob("roles/*/meta/argument_specs.yml")):
        specs = yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]
        for spec in specs.values():
            table.update(read_argument_spec(spec.get("options") or {}))
    return table


def _is_same(one: object, other: object) -> bool:
    return one is other or one == other


def _find_directory(variables: Mapping[str, Any], hosts: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the inventory's directory. The implicit localhost has none, the nodes do."""
    for some in (variables, *hosts.values()):
        if some.get("inventory_dir"):
            return str(some["inventory_dir"])
    return os.getcwd()


def _find_parsed_images(values: Mapping[str, Any], directory: str, variables: Mapping[str, Any]) -> list[str]:
    """Return what is to be said of images that lie where Ansible looks for inventory: it reads all of them."""
    sources = [os.path.realpath(str(one)) for one in variables.get("ansible_inventory_sources") or () if one]
    images = values.get("pextra_images")
    found = []
    for index, image in enumerate(images if isinstance(images, list) else ()):
        source = image.get("source") if isinstance(image, Mapping) else None
        if not isinstance(source, str) or "://" in source or find_distribution(source) is not None:
            continue
        path = os.path.realpath(os.path.join(directory, source))
        if any(os.path.isdir(one) and path.startswith(f"{one}{os.sep}") for one in sources):
            found.append(
                f"pextra_images[{index}].source: {shown(source)} lies in the inventory's directory, and Ansible reads "
                "all of it as inventory each time it starts. Move it out of there, into a folder beside it."
            )
    return found


def _check_file(path: str) -> str | None:
    if not os.path.exists(path):
        return f"{shown(path)} does not exist on the controller"
    if not os.path.isfile(path):
        return f"{shown(path)} is not a file"
    if not os.access(path, os.R_OK):
        return f"{shown(path)} cannot be read by the user who runs Ansible"
    return None
