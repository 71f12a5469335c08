# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a validation tells: to people on one screen, and to programs in the forms that they read."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._document.document import Deployment
from ansible_collections.pextra.cloud.plugins.module_utils._document.formats import FORMATS, render
from ansible_collections.pextra.cloud.plugins.module_utils._document.summary import render_summary
from ansible_collections.pextra.cloud.plugins.module_utils._document.variables import ROLE_VARIABLES
from ansible_collections.pextra.cloud.plugins.module_utils._model.mistake import Mistake
from deployment_document import HOSTS, instance, read

# What SARIF 2.1.0 requires of the objects that are written (its sections 3.13, 3.14, 3.18, 3.19, 3.27 to 3.30, 3.49).
TEXT = {"type": "string", "minLength": 1}
MESSAGE = {"type": "object", "required": ["text"], "properties": {"text": TEXT}}
LOCATION = {
    "type": "object",
    "properties": {
        "physicalLocation": {
            "type": "object",
            "required": ["artifactLocation"],
            "properties": {
                "artifactLocation": {
                    "type": "object",
                    "required": ["uri"],
                    "properties": {"uri": {"type": "string", "pattern": r"^[A-Za-z0-9._~:/%+-]+$"}},
                },
                "region": {"type": "object", "properties": {"startLine": {"type": "integer", "minimum": 1}}},
            },
        },
        "logicalLocations": {"type": "array", "items": {"type": "object", "properties": {"fullyQualifiedName": TEXT}}},
    },
}
RESULT = {
    "type": "object",
    "required": ["message", "ruleId", "ruleIndex", "level"],
    "properties": {
        "message": MESSAGE,
        "level": {"enum": ["none", "note", "warning", "error"]},
        "ruleId": TEXT,
        "ruleIndex": {"type": "integer", "minimum": 0},
        "locations": {"type": "array", "items": LOCATION},
        "partialFingerprints": {"type": "object", "additionalProperties": TEXT},
    },
}
SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "properties": {
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name"],
                                "properties": {
                                    "name": TEXT,
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "type": "object",
                                            "required": ["id"],
                                            "properties": {"id": TEXT, "shortDescription": MESSAGE},
                                        },
                                    },
                                },
                            }
                        },
                    },
                    "results": {"type": "array", "items": RESULT},
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                },
            },
        },
    },
}

WRONG = Deployment(
    mistakes=(
        Mistake("pextra_instances[2] (db).memory", "900 is no size", file="/site/inv/a file.yml", line=12),
        Mistake("pextra_instances[3] (web).memory", "is 100% wrong,\n::error::x", file="/etc/x,y:z.yml", line=1),
        Mistake("pextra_nodes (node1).pextra_address", "is missing"),
    ),
    warnings=(Mistake("pextra_pools[0] (local)", "is not used", file="/site/inv/pools.yml"),),
)


def test_sarif_has_what_the_standard_requires() -> None:
    log = json.loads(render(WRONG, "sarif", "/site"))
    jsonschema.validate(log, SARIF)
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == ["pextra_instances.memory", "pextra_nodes.pextra_address", "pextra_pools"]
    assert [rules[one["ruleIndex"]] == one["ruleId"] for one in run["results"]] == [True] * 4
    assert [one["level"] for one in run["results"]] == ["error", "error", "error", "warning"]
    places = [one["locations"][0].get("physicalLocation") for one in run["results"]]
    assert places == [
        {
            "artifactLocation": {"uri": "inv/a%20file.yml", "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": 12},
        },
        {"artifactLocation": {"uri": "file:///etc/x%2Cy%3Az.yml"}, "region": {"startLine": 1}},
        None,
        {"artifactLocation": {"uri": "inv/pools.yml", "uriBaseId": "%SRCROOT%"}},
    ]
    assert len({one["partialFingerprints"]["mistake/v1"] for one in run["results"]}) == 4


def test_sarif_of_what_is_well_has_no_result() -> None:
    log = json.loads(render(read(), "sarif", "/site"))
    jsonschema.validate(log, SARIF)
    assert log["runs"][0]["results"] == []


def test_annotations_of_github() -> None:
    assert render(WRONG, "github", "/site").splitlines() == [
        "::error file=inv/a file.yml,line=12,title=pextra_instances[2] (db).memory::"
        "pextra_instances[2] (db).memory: 900 is no size",
        "::error file=/etc/x%2Cy%3Az.yml,line=1,title=pextra_instances[3] (web).memory::"
        "pextra_instances[3] (web).memory: is 100%25 wrong,\\n::error::x",
        "::error title=pextra_nodes (node1).pextra_address::pextra_nodes (node1).pextra_address: is missing",
        "::warning file=inv/pools.yml,title=pextra_pools[0] (local)::pextra_pools[0] (local): is not used",
    ]


def test_json_for_programs() -> None:
    found = json.loads(render(WRONG, "json", "/site"))
    assert (found["valid"], found["summary"]) == (False, {})
    assert found["mistakes"][0] == {
        "path": "pextra_instances[2] (db).memory",
        "file": "inv/a file.yml",
        "line": 12,
        "problem": "900 is no size",
        "allowed": None,
    }
    assert [(one["file"], one["line"]) for one in found["mistakes"][1:]] == [("/etc/x,y:z.yml", 1), (None, None)]
    assert [one["path"] for one in found["warnings"]] == ["pextra_pools[0] (local)"]


def test_mistakes_in_words() -> None:
    assert render(WRONG, "text", "/site").splitlines()[:2] == [
        "The deployment has 3 mistakes. Nothing was changed.",
        "  inv/a file.yml:12: pextra_instances[2] (db).memory: 900 is no size",
    ]


def test_what_is_declared_in_words() -> None:
    deployment = read(
        {
            "pextra_instances": [
                instance("web", vcpus=2, memory="1 GiB", root={"pool": "local", "size": "4 GiB"}),
                instance("db", memory="512 MiB", volumes=[{"name": "data", "pool": "shared", "size": "1536 MiB"}]),
                instance("off", vcpus=8, memory="8 GiB", power="stopped"),
                instance("gone", state="absent"),
            ],
            "pextra_volumes": [{"name": "kept", "pool": "shared", "size": "1 GiB"}],
        }
    )
    assert render_summary(deployment) == [
        "The deployment pextra has no mistakes. No host was contacted.",
        "  1 organization, 1 datacenter, 1 cluster, 3 nodes",
        "  1 vSwitch, 2 port groups",
        "  2 storage pools, 1 image, 1 volume",
        "  3 instances, 2 of them to run, with 3 virtual CPUs and 1536 MiB of memory",
        "  storage pool local: 4 GiB asked for, and 2 volumes of no stated size",
        "  storage pool shared: 2560 MiB asked for",
    ]
    told = json.loads(render(deployment, "json", "/site"))
    assert told["valid"] is True
    assert told["summary"]["storage"][0] == {
        "cluster": "mtl-1",
        "pool": "local",
        "asked_mib": 4096,
        "without_size": 2,
    }


def test_pools_of_one_name_in_two_clusters_are_two() -> None:
    hosts: dict[str, dict[str, Any]] = {
        name: {**values, "pextra_cluster": "b" if name == "node3" else "a"} for name, values in HOSTS.items()
    }
    deployment = read(
        {
            "pextra_clusters": [{"name": "a"}, {"name": "b"}],
            "pextra_pools": None,
            "pextra_vswitches": None,
            "pextra_port_groups": None,
            "pextra_images": None,
            "pextra_instances": [
                {"name": "one", "cluster": of, "root": {"pool": "local", "size": size}}
                for of, size in (("a", "1 GiB"), ("b", "2 GiB"))
            ],
        },
        hosts,
    )
    assert render_summary(deployment)[-2:] == [
        "  storage pool local of a: 1 GiB asked for",
        "  storage pool local of b: 2 GiB asked for",
    ]


def test_it_stays_one_screen() -> None:
    pools = [{"name": f"p{number}", "path": f"/srv/p{number}"} for number in range(40)]
    instances = [instance(f"i{n}", root={"pool": f"p{n}", "size": "1 GiB"}) for n in range(40)]
    lines = render_summary(read({"pextra_pools": pools, "pextra_instances": instances}))
    assert lines[-1] == "  and 28 more storage pools"
    assert len(lines) < 24


@pytest.mark.parametrize("how", sorted(FORMATS))
def test_each_format_ends_its_last_line(how: str) -> None:
    for deployment in (WRONG, read()):
        text = render(deployment, how, "/site")
        assert text.endswith("\n")
        assert not text.endswith("\n\n")


def test_the_inventory_may_name_the_same_formats() -> None:
    assert ROLE_VARIABLES["pextra_validate_format"].choices == tuple(FORMATS)
