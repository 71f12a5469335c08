# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of the benchmark."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence

from . import hundred, inventory, modules, nodes, pools, report, site
from .processes import BenchError


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="run", description="Measure the modules and the playbook; prints tables.")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--modules", action="store_true", help="only pextra_vm against its peers, in a node of its own")
    only.add_argument("--site", action="store_true", help="only site.yml, on the lab, which must be up")
    only.add_argument("--hundred", action="store_true", help="only a hundred instances, on the lab, which must be up")
    only.add_argument(
        "--inventory", action="store_true", help="only the inventory plugin, on the lab, which must be up"
    )
    only.add_argument("--pools", action="store_true", help="only pextra_pool, on the lab, which must be up")
    only.add_argument("--ceph-pools", action="store_true", help="only pools of Ceph, on the lab of make ceph")
    only.add_argument(
        "--nodes", action="store_true", help="only the reading of many nodes, on the lab of make bench-nodes"
    )
    options = parser.parse_args(arguments)
    # Ended by a time limit it must remove its container as well.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        only_one = (options.modules, options.site, options.hundred, options.inventory, options.pools)
        everything = not any((*only_one, options.ceph_pools, options.nodes))
        if everything or options.modules:
            figures, peak_mib, planned = modules.measure()
            print(report.show_modules(figures, peak_mib), flush=True)
            print(report.show_planning(planned), flush=True)
        if options.modules:
            return 0
        why_not = site.why_not()
        if options.ceph_pools:
            if why_not is not None:
                raise BenchError(why_not)
            site.converge(with_ceph=True)
            print(report.show_pools(pools.measure_ceph()), flush=True)
            return 0
        if options.nodes:
            print(report.show_nodes(nodes.measure()), flush=True)
            return 0
        if why_not is not None:
            print(f"site.yml and pools: skipped. {why_not}")
            return 0
        if everything or options.site:
            print(report.show_site(site.measure()), flush=True)
        if everything or options.hundred:
            print(report.show_hundred(hundred.measure()), flush=True)
        if everything or options.inventory:
            site.converge()
            print(report.show_inventory(inventory.measure()), flush=True)
        if everything or options.pools:
            site.converge()
            directories, imports = pools.measure()
            print(report.show_pools(directories), flush=True)
            print(report.show_import(imports), flush=True)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted; what it made is removed.", file=sys.stderr)
        return 130
    return 0
