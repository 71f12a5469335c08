#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_tenant_info
short_description: Read organizations
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Returns the organizations of the deployment.
extends_documentation_fragment:
  - pextra.cloud.common
  - pextra.cloud.attributes.info
seealso:
  - module: pextra.cloud.pextra_tenant
"""

EXAMPLES = r"""
- name: Read all organizations
  pextra.cloud.pextra_tenant_info:
  register: organizations
"""

RETURN = r"""
tenants:
  description: What was found.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The identifier.
      type: str
      sample: org-qthm_iLrflJ_DtSS1l4Gx
    name:
      description: The name.
      type: str
      sample: acme
    description:
      description: One line about it.
      type: str
      sample: Everything we run
    root:
      description: Whether it owns the deployment.
      type: bool
      sample: true
    datacenters:
      description: Its datacenters.
      type: list
      elements: str
      sample:
        - Montreal
unreachable_nodes:
  description: The nodes that did not answer, and why.
  returned: success
  type: list
  elements: dict
  sample: []
"""

from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._runner import run_info


def _load() -> type[Any]:
    from ansible_collections.pextra.cloud.plugins.module_utils._resource.tenant import TenantResource

    return TenantResource


def main() -> None:
    run_info(_load, plural="tenants")


if __name__ == "__main__":
    main()
