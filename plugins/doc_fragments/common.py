# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options in module_utils/_fields/argspec.py."""

from __future__ import annotations


class ModuleDocFragment:
    # Options that every module has.
    DOCUMENTATION = r"""
options:
  registry:
    description:
      - The URL of the registry, as peewee writes it, for example V(sqlite:////var/lib/pextra/registry.db).
    type: str
    default: sqlite:////var/lib/pextra/registry.db
  actor:
    description:
      - Who is recorded in the audit trail, and shown to a run that waits.
      - Unless given, the user whom AWX, GitLab CI or GitHub Actions names, or else who runs Ansible.
    type: str
  job:
    description:
      - What started the run, for the audit trail.
      - Unless given, the job that AWX, GitLab CI or GitHub Actions names.
    type: str
    version_added: 0.1.0
  revision:
    description:
      - The revision of the project that the run is from, for the audit trail.
      - Unless given, the one that AWX, GitLab CI or GitHub Actions names.
    type: str
    version_added: 0.1.0
requirements:
  - python3-libvirt, python3-peewee, python3-netaddr and python3-pycdlib on the coordinator
notes:
  - The module runs on a coordinator, and reaches the nodes over libvirt and OVSDB with mutual TLS.
"""
