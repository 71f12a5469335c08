#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The documentation of the action plugin of the same name. Nothing runs on a host.

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_run_report
short_description: Tell in the end of a run all that went wrong in it
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Reads the fact C(pextra_problems) of all hosts of the play, where the stages of C(site.yml) note what failed, and
    shows all of it as one list, each with the node, the resource, and what to do. Hosts that have fallen out of the run
    without a note are named as well.
  - Fails if a host that is still in the run has noted something.
  - Everything happens on the controller. No connection is made.
seealso:
  - plugin: pextra.cloud.problems
    plugin_type: filter
extends_documentation_fragment:
  - pextra.cloud.attributes.controller
options: {}
"""

EXAMPLES = r"""
- name: Say what is not as declared
  pextra.cloud.pextra_run_report:
  run_once: true
"""

RETURN = r"""
errors:
  description: Everything that went wrong.
  returned: always
  type: list
  elements: dict
  sample:
    - node: node2
      resource: pool fast
      what: its server does not answer
      remedy: Start it.
"""
