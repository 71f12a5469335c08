# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies around the inventory of a new deployment, as texts. Pure."""

from __future__ import annotations

from .inventory import render_inventory
from .pipelines import render_pipelines
from .spec import NO_IMAGE, Starter

_CONFIGURATION = """\
[defaults]
inventory = inventory
interpreter_python = /usr/bin/python3
inject_facts_as_vars = false
forks = 20
gathering = explicit
retry_files_enabled = false
callback_result_format = yaml
# How far a run is, and what matters. With another one every task of every host is shown.
stdout_callback = pextra.cloud.progress

[ssh_connection]
pipelining = true
ssh_args = -o ControlMaster=auto -o ControlPersist=300s
"""
_IGNORED = """\
# Large, and had from elsewhere.
images/*
!images/.gitkeep
# Public keys may be here; nothing that is secret may be committed.
*.pem
*.key
id_*
plan.txt
comment.md
# The page of pextra.cloud.report, which tells names, addresses and who did what.
/*.html
.venv/
.ansible/
collections/
"""
_REQUIREMENTS = "ansible~=12.0\njsonschema>=4.20\nnetaddr>=1.0\n"
_COLLECTIONS = """---
collections:
  - name: pextra.cloud
    # All who run it for this deployment have the same; docs/compatibility.md says what another one may change.
    version: "%s"
  - name: community.crypto
    version: ">=2.26.0"
"""
_LINT = """---
profile: production
offline: true
exclude_paths:
  # No playbooks: the services' own.
  - .github/
  - .gitlab-ci.yml
"""


def render_starter(starter: Starter, schema: str, version: str) -> dict[str, str]:
    """Return all files by their names in the directory. schema: of the document. version: of this collection."""
    return {
        **{f"inventory/{name}": text for name, text in render_inventory(starter).items()},
        **render_pipelines(starter.pipelines),
        "README.md": _render_readme(starter),
        "ansible.cfg": _CONFIGURATION,
        ".ansible-lint": _LINT,
        ".gitignore": _IGNORED,
        "requirements.txt": _REQUIREMENTS,
        "requirements.yml": _COLLECTIONS % version,
        "deployment.schema.json": schema,
        # Outside of the inventory, all of which Ansible reads.
        "images/.gitkeep": "",
        "keys/.gitkeep": "",
    }


def _render_readme(starter: Starter) -> str:
    names = ", ".join(node.name for node in starter.nodes)
    pipelines = (
        "A change is a merge request: it is validated, its plan is written as a comment, and it is applied once it is\n"
        "merged. What secrets that needs, the file of the service says.\n"
        if starter.pipelines
        else "Look at the plan before it becomes true: `--check --diff`.\n"
    )
    answers = _tell_login(starter) if starter.image != NO_IMAGE and starter.ssh_key is not None else ""
    return f"""# {starter.deployment}

A private cloud of {names}, kept by the Ansible collection `pextra.cloud`. The next commands, from this directory:

```
ansible-playbook pextra.cloud.validate    # contacts nobody
ansible-playbook pextra.cloud.site        # asks whether the hosts can be nodes, and makes the cloud
ansible-playbook pextra.cloud.report      # writes {starter.deployment}.html, a page that shows it
```
{answers}
| | |
|---|---|
| `inventory/` | the hosts, and the document that describes the cloud; nothing else, since Ansible reads all of it |
| `images/` | disk images of your own |
| `keys/` | public keys that images are signed with |
| `deployment.schema.json` | with it editors complete and check the document |

The hosts' ssh keys have to be known (`ssh` once to each). The certificate authority is made in
`~/.pextra/{starter.deployment}/ca` at the first run: whoever has its key controls every host, so it is not kept here.

{pipelines}"""


def _tell_login(starter: Starter) -> str:
    """Say how one comes into the first instance."""
    address = starter.first_address.partition("/")[0]
    # An address of its own network on another device would take a host's network from it.
    if len(starter.nodes) > 1 or starter.uplinks or starter.vlan or starter.is_among_hosts:
        return f"Then `ssh admin@{address}`, from where that address is reached.\n"
    host = f"{starter.user}@{starter.nodes[0].address}"
    become = "" if starter.user == "root" else "sudo "
    gateway = f"{starter.gateway}/{starter.first_address.partition('/')[2]}"
    return f"""
Without an uplink nothing else is in the network of the instances. Their host is, until it starts anew, once it has an
address there; then it leads to them:

```
ssh {host} '{become}ip address add {gateway} dev svswitch1 && {become}ip link set svswitch1 up'
ssh -J {host} admin@{address}
```
"""
