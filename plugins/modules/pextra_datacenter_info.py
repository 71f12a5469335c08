#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_datacenter_info
short_description: Read datacenters
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Returns the datacenters of the deployment.
extends_documentation_fragment:
  - pextra.cloud.common
  - pextra.cloud.attributes.info
seealso:
  - module: pextra.cloud.pextra_datacenter
"""

EXAMPLES = r"""
- name: Read one datacenter
  pextra.cloud.pextra_datacenter_info:
    names: [Montreal]
  register: datacenters
"""

RETURN = r"""
datacenters:
  description: What was found.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The identifier.
      type: str
      sample: dc-qthm_iLrflJ_DtSS1l4Gx
    name:
      description: The name.
      type: str
      sample: Montreal
    description:
      description: One line about it.
      type: str
      sample: The first site
    organization:
      description: The organization that it belongs to.
      type: str
      sample: acme
    location:
      description: Where it stands.
      type: dict
      sample:
        latitude: 45.5
        longitude: -73.57
    clusters:
      description: Its clusters.
      type: list
      elements: str
      sample:
        - mtl-1
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
    from ansible_collections.pextra.cloud.plugins.module_utils._resource.datacenter import DatacenterResource

    return DatacenterResource


def main() -> None:
    run_info(_load, plural="datacenters")


if __name__ == "__main__":
    main()
