# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever stands in the variables, the answer is a document or mistakes, never an exception."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._document.report import describe_mistakes
from ansible_collections.pextra.cloud.plugins.module_utils._document.variables import DOCUMENT, HOST
from ansible_collections.pextra.cloud.plugins.module_utils._fields.field import Field, Table
from deployment_document import VARIABLES, read
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
# Words that mean something somewhere: they get past the first checks, into the rules.
WORDS = st.sampled_from(
    [
        "local",
        "shared",
        "node1",
        "node2",
        "Production",
        "DMZ",
        "svswitch10",
        "tiny",
        "small",
        "mtl-1",
        "acme",
        "Montreal",
        "web",
        "db",
        "eth1",
        "eth2",
        "absent",
        "present",
        "stopped",
        "172.20.0.5/24",
        "172.20.0.5/16",
        "fd00::1/64",
        "10.91.0.11",
        "52:54:00:00:00:01",
        "/srv/a",
        "/srv/a/b",
        "1GiB",
        "900TiB",
        "images/tiny.qcow2",
        "https://a.example/b",
        "pool-AAAAAAAAAAAAAAAAAAAAA",
        "node-AAAAAAAAAAAAAAAAAAAAA",
    ]
)


def values_of(field: Field) -> st.SearchStrategy[Any]:
    """Values of about the right shape, and some of a wrong one."""
    if field.kind == "list" and field.element:
        right: st.SearchStrategy[Any] = st.lists(values_of(field.element), max_size=3)
    elif field.kind == "dict" and field.table:
        right = values_of_table(field.table)
    elif field.choices:
        right = st.sampled_from(field.choices)
    elif field.kind == "int":
        right = st.integers(min_value=-1, max_value=5)
    elif field.kind == "bool":
        right = st.booleans()
    else:
        right = WORDS
    return st.one_of(right, right, right, right, JSON)


def values_of_table(table: Table) -> st.SearchStrategy[Any]:
    required = {key: values_of(field) for key, field in table.items() if field.required}
    optional = {key: values_of(field) for key, field in table.items() if not field.required}
    return st.fixed_dictionaries(required, optional=optional)


DOCUMENTS = st.fixed_dictionaries({}, optional={name: values_of(field) for name, field in DOCUMENT.items()})
HOSTS = st.dictionaries(
    st.sampled_from(["node1", "node2", "node3"]) | st.text(max_size=5),
    st.fixed_dictionaries(
        {"ansible_host": WORDS | JSON}, optional={name: values_of(field) for name, field in HOST.items()}
    ),
    max_size=3,
)
RARELY_GOOD = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@RARELY_GOOD
@given(DOCUMENTS, HOSTS)
def test_a_document_or_mistakes(variables: dict[str, Any], hosts: dict[str, dict[str, Any]]) -> None:
    deployment = read({**dict.fromkeys(VARIABLES), **variables}, hosts)
    if deployment.mistakes:
        lines = describe_mistakes(deployment.mistakes).split("\n")
        assert len(lines) == 1 + len(deployment.mistakes)
        assert all(line.isprintable() for line in lines)
    else:
        assert json.loads(json.dumps(deployment.document)) == deployment.document


@RARELY_GOOD
@given(st.sampled_from(sorted(DOCUMENT)), JSON)
def test_one_variable_of_any_kind(name: str, value: Any) -> None:
    read({name: value})


@settings(max_examples=100, deadline=None)
@given(st.lists(values_of(DOCUMENT["pextra_instances"].element or Field(kind="raw", help="")), min_size=1, max_size=4))
def test_instances_of_any_kind_in_a_correct_deployment(instances: list[Any]) -> None:
    read({"pextra_instances": instances})


@pytest.mark.parametrize("name", sorted(name for name, field in DOCUMENT.items() if field.element))
def test_an_empty_name_names_nothing(name: str) -> None:
    """What refers to nothing does not refer to what was given an empty name by mistake."""
    mistakes = read({name: [{"name": "local"}, {"name": ""}]}).mistakes
    assert any(mistake.path.startswith(name) for mistake in mistakes)
