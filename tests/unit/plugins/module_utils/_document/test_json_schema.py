# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON Schema: generated, current, and of one mind with validation."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.pextra.cloud.plugins.module_utils._document.schema import build_schema
from ansible_collections.pextra.cloud.plugins.module_utils._document.variables import (
    DOCUMENT,
    HOST,
    ROLE_VARIABLES,
    is_known_variable,
)
from deployment_document import VARIABLES, instance, read
from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parents[5]
INVENTORY_FILES = sorted(ROOT.glob("inventories/*/*_vars/**/*.yml"))
VALIDATOR = Draft202012Validator(build_schema())


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(build_schema())


def test_what_is_generated_is_current() -> None:
    spec = importlib.util.spec_from_file_location("write_json_schema", ROOT / "tools" / "write_json_schema.py")
    assert spec
    assert spec.loader
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    for path, text in tool.render_files().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is not current: run `make schema`"


@pytest.mark.parametrize("path", INVENTORY_FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_inventories_match(path: Path) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(yaml.safe_load(path.read_text(encoding="utf-8")))] == []


def test_there_are_inventories() -> None:
    names = {path.relative_to(ROOT / "inventories").parts[0] for path in INVENTORY_FILES}
    assert names >= {"lab", "single", "example", "storage-lab", "ceph-lab"}


def test_every_variable_is_described() -> None:
    described = build_schema()["properties"]
    assert set(described) == {*DOCUMENT, *HOST, *ROLE_VARIABLES}
    assert all(text["description"] for text in described.values())


@pytest.mark.parametrize(
    "document",
    [
        VARIABLES,
        {"pextra_instances": [instance("web", count="{{ web_count }}", memory="{{ size }}")]},
        {"pextra_instances": "{{ web + databases }}"},
        {"pextra_pools": None, "pextra_ca_dir": "/srv/ca", "ansible_user": "root", "site_admins": []},
        {"pextra_memory": "8 GiB", "pextra_address": "10.0.0.1"},
        {
            "pextra_vswitches": [
                {"name": "ovsbr0", "adopt": True},
                {"name": "br0", "state": "absent"},
                {"name": "{{ a }}"},
            ]
        },
    ],
)
def test_matches(document: dict[str, Any]) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(document)] == []


@pytest.mark.parametrize(
    "document",
    [
        {"pextra_instance": []},
        {"pextra_pools": {"name": "local"}},
        {"pextra_pools": [{"path": "/srv/a"}]},
        {"pextra_pools": [{"name": "../etc"}]},
        {"pextra_pools": [{"name": False}]},
        {"pextra_vswitches": [{"name": "svswitch0"}]},
        {"pextra_vswitches": [{"name": "ovsbr0", "adopt": False, "state": "present"}]},
        {"pextra_port_groups": [{"name": "Production", "vlan": 5000}]},
        {"pextra_instances": [instance("db", cpus=2)]},
        {"pextra_instances": [instance("db", memory=512)]},
        {"pextra_instances": [instance("db", memory="1e3")]},
        {"pextra_instances": [instance("a\nb")]},
        {"pextra_instances": [instance("db", description="<disk/>")]},
        {"pextra_instances": [instance("db", power="stoped")]},
        {"pextra_instances": [instance("db", nics=[{"addresses": ["172.20.0.5/24"]}])]},
        {"pextra_instances": [instance("db", nics=[{"port_group": "DMZ", "addresses": ["172.20.0.5"]}])]},
        {"pextra_instances": [instance("db", tags=["a", "a"])]},
        {"pextra_instances": [instance("db", confirm="DESTROY")]},
    ],
)
def test_typical_mistakes_do_not_match(document: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid(document)
    assert read(document).mistakes, "validation is more lenient than the schema"


@pytest.mark.parametrize(
    ("name", "is_known"),
    [
        ("pextra_instances", True),
        ("pextra_ca_dir", True),
        ("pextra_preflight_exceptions", True),
        ("pextra_hosts", True),
        ("pextra_address", True),
        ("pextra_instance", False),
        ("pextra_nodes", False),
        ("pextra_pool", False),
    ],
)
def test_known_variables(name: str, is_known: bool) -> None:
    assert is_known_variable(name) == is_known
    assert VALIDATOR.is_valid({name: "{{ x }}"}) == is_known


def test_it_is_json() -> None:
    assert json.loads(json.dumps(build_schema())) == build_schema()
