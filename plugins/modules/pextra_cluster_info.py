#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_cluster_info
short_description: Read clusters
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Returns the clusters of the deployment.
extends_documentation_fragment:
  - pextra.cloud.common
  - pextra.cloud.attributes.info
seealso:
  - module: pextra.cloud.pextra_cluster
"""

EXAMPLES = r"""
- name: Read all clusters
  pextra.cloud.pextra_cluster_info:
  register: clusters
"""

RETURN = r"""
# Values of a module that reads resources: written by tools/write_module_docs.py
clusters:
  description: The clusters that were found.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The identifier.
      type: str
      sample: cls-qthm_iLrflJ_DtSS1l4Gx
    name:
      description: The name.
      type: str
      sample: mtl-1
    description:
      description: One line about it.
      type: str
      sample: Production
    datacenter:
      description: The datacenter that it stands in.
      type: str
      sample: Montreal
    vcpus_per_thread:
      description: How many virtual CPUs may run on a node for each of its threads.
      type: float
      sample: 4.0
    vcpus_per_thread_warn:
      description: How many may run there without a warning.
      type: float
      sample: 3.0
    resource_pools:
      description: Its resource pools, each with what is said of it.
      type: list
      elements: dict
      sample:
        - name: gpus
          pci_model: 10de:2204
          numa: 0
          memory: 24576
    nodes:
      description: Its nodes.
      type: list
      elements: str
      sample:
        - node1
        - node2
        - node3
unreachable_nodes:
  description: The nodes that did not answer, and why, as in RV(errors).
  returned: success
  type: list
  elements: dict
  sample: []
errors:
  description: Every problem, one element each.
  returned: failure
  type: list
  elements: dict
  contains:
    node:
      description: The node it is about.
      type: str
      sample: node3
    resource:
      description: The resource it is about.
      type: str
      sample: pool shared
    what:
      description: What happened.
      type: str
      sample: 10.91.0.13 port 16514 does not answer within 5 s
    remedy:
      description: What to do.
      type: str
      sample: Check that the node is up and that the network lets the port through.
unknown:
  description: V(true) where a check cannot know yet what is there, and what would change; C(msg) says
    why.
  returned: in check mode, before the coordinator or what earlier tasks make is there
  type: bool
  sample: true
# End of the values that are written
"""

from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._runner import run_info


def _load() -> type[Any]:
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.cluster.resource import ClusterResource

    return ClusterResource


def main() -> None:
    run_info(_load, plural="clusters")


if __name__ == "__main__":
    main()
