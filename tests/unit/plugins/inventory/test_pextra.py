# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plugin in Ansible's own inventory: a program prints an answer, and what comes of it is asked of Ansible."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import inventory_loader
from ansible.template import Templar, trust_as_template
from ansible.utils.display import Display
from ansible.vars.manager import VariableManager
from ansible_collections.pextra.cloud.plugins.lookup.coordinator_program import build_program
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.store import Registry
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import Problem
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import Row
from guards.project import ROOT, constant
from inventory_answers import id_of, nic, text_of, told, unknown

Make = Callable[..., InventoryManager]
HOSTILE = (
    "{{ 7*7 }}",
    "{{ lookup('pipe', 'touch /tmp/pextra-was-here') }}",
    "{% for x in range(9) %}x{% endfor %}",
    "{# gone #}",
    "!unsafe '{{ 1 }}'",
)


class Source:
    """A file for the plugin, and the program that it asks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "cloud.pextra.yml"
        self.program = folder / "pextra-coordinator"
        self.calls = folder / "calls"

    def answers(self, text: str, then: str = "exit 0") -> None:
        answer = self.folder / "answer"
        answer.write_text(text)
        self.runs(f"cat {shlex.quote(str(answer))}; {then}")

    def runs(self, lines: str) -> None:
        self.program.write_text(f'#!/bin/sh\necho "$@" >>{shlex.quote(str(self.calls))}\n{lines}\n')
        self.program.chmod(0o755)

    def asked(self) -> int:
        return len(self.calls.read_text().splitlines()) if self.calls.exists() else 0

    def load(self, *before: str, kept: bool = False, **options: Any) -> InventoryManager:
        """Return the inventory of these sources and the plugin's, whose file has these options. kept: may be used."""
        content = {"plugin": "pextra.cloud.pextra", "coordinator": "localhost", "program": str(self.program)} | options
        self.path.write_text(yaml.safe_dump({key: value for key, value in content.items() if value is not ...}))
        return InventoryManager(loader=DataLoader(), sources=[*before, str(self.path)], cache=kept)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What Ansible would show as warnings."""
    shown: list[str] = []
    monkeypatch.setattr(Display, "warning", lambda self, msg, *_, **__: shown.append(str(msg)))
    monkeypatch.setattr(
        Display, "error_as_warning", lambda self, msg, exception, *_, **__: shown.append(f"{msg} {exception}")
    )
    return shown


def names(inventory: InventoryManager, pattern: str = "all") -> list[str]:
    return [host.name for host in inventory.list_hosts(pattern)]


def variables(inventory: InventoryManager, host: str) -> dict[str, Any]:
    """Return what a play has of a host."""
    manager = VariableManager(loader=DataLoader(), inventory=inventory)
    found: dict[str, Any] = manager.get_vars(host=inventory.get_host(host))
    return found


def rendered(inventory: InventoryManager, host: str, template: str) -> Any:
    """Return what a template of a play becomes for a host."""
    templar = Templar(loader=DataLoader(), variables=variables(inventory, host))
    return templar.template(trust_as_template(template))


def examples() -> list[dict[str, Any]]:
    plugin = ROOT / "plugins" / "inventory" / "pextra.py"
    return list(yaml.safe_load_all(constant(plugin, "EXAMPLES") or ""))


@pytest.mark.parametrize("example", examples(), ids=lambda example: example["coordinator"])
def test_an_example_is_taken(source: Source, tmp_path: Path, warnings: list[str], example: dict[str, Any]) -> None:
    """As it stands, but for who is asked."""
    source.answers(text_of([told(0, "web")]))
    here = {"coordinator": "localhost", "become": False, "program": str(source.program)}
    kept = {"cache_connection": str(tmp_path / "cache")} if "cache_connection" in example else {}
    assert names(source.load(**{**example, **here, **kept}, strict=True)) == ["web"]
    assert warnings == []


@pytest.mark.parametrize(
    ("name", "is_taken"),
    [
        ("cloud.pextra.yml", True),
        ("cloud.pextra.yaml", True),
        ("pextra.yml", True),
        ("pextra.yaml", True),
        ("my-pextra.yml", False),
        ("pextra.json", False),
        ("cloud.yml", False),
    ],
)
def test_files_are_known_by_their_names(tmp_path: Path, name: str, is_taken: bool) -> None:
    plugin = inventory_loader.get("pextra.cloud.pextra")
    assert plugin.verify_file(str(tmp_path / name)) is False, "it is not there"
    (tmp_path / name).write_text("plugin: pextra.cloud.pextra\n")
    assert plugin.verify_file(str(tmp_path / name)) is is_taken


def test_instances_are_hosts(source: Source) -> None:
    source.answers(text_of([told(0, "web", nics=[nic("172.20.0.11/24")]), told(1, "db", power="stopped", tags=[])]))
    inventory = source.load()
    assert names(inventory) == ["web", "db"]
    web = variables(inventory, "web")
    assert {key: web[key] for key in web if key.startswith("pextra_")} == {
        "pextra_id": id_of(0),
        "pextra_uuid": told(0, "web")["uuid"],
        "pextra_name": "web",
        "pextra_organization": "acme",
        "pextra_datacenter": "Montreal",
        "pextra_cluster": "mtl-1",
        "pextra_node": "node1",
        "pextra_power": "running",
        "pextra_vcpus": 2,
        "pextra_memory": 512,
        "pextra_image": "tiny",
        "pextra_autostart": True,
        "pextra_description": "",
        "pextra_tags": ["frontend"],
        "pextra_flavor": "small",
        "pextra_profiles": ["base", "web"],
        "pextra_nics": [nic("172.20.0.11/24")],
    }
    assert web["ansible_host"] == "172.20.0.11"
    groups = {name: hosts for name, hosts in inventory.get_groups_dict().items() if name not in ("all", "ungrouped")}
    assert groups == {
        "pextra_instances": ["web", "db"],
        "pextra_organization_acme": ["web", "db"],
        "pextra_datacenter_Montreal": ["web", "db"],
        "pextra_cluster_mtl_1": ["web", "db"],
        "pextra_node_node1": ["web", "db"],
        "pextra_tag_frontend": ["web"],
        "pextra_flavor_small": ["web", "db"],
        "pextra_profile_base": ["web", "db"],
        "pextra_profile_web": ["web", "db"],
        "pextra_power_running": ["web"],
        "pextra_power_stopped": ["db"],
    }
    assert source.asked() == 1


def test_over_ssh_one_call_is_made(source: Source, tmp_path: Path) -> None:
    """A client that runs the command here, by a shell, as sshd does there."""
    source.answers(text_of([told(0, "web")]))
    ssh = tmp_path / "ssh"
    ssh.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/ssh-calls\nfor last; do :; done\nexec /bin/sh -c "$last"\n')
    ssh.chmod(0o755)
    inventory = source.load(coordinator="node1.example.org", user="ann", port=2222, ssh_executable=str(ssh))
    assert names(inventory) == ["web"]
    (call,) = (tmp_path / "ssh-calls").read_text().splitlines()
    assert call.endswith(f"-p 2222 -l ann -- node1.example.org {source.program} inventory")
    assert source.calls.read_text() == "inventory\n"


def test_what_a_credential_of_awx_gives(source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text(f'#!/bin/sh\necho "$@" >{tmp_path}/words\ncat {tmp_path}/answer\n')
    ssh.chmod(0o755)
    (tmp_path / "answer").write_text(text_of([told(0, "web")]))
    monkeypatch.setenv("PEXTRA_COORDINATOR", "node9")
    monkeypatch.setenv("PEXTRA_PRIVATE_KEY_FILE", "/keys/one")
    assert names(source.load(coordinator=..., ssh_executable=str(ssh))) == ["web"]
    assert "-i /keys/one -- node9 " in (tmp_path / "words").read_text()


def test_hosts_can_be_chosen_and_named(source: Source, warnings: list[str]) -> None:
    source.answers(
        text_of(
            [
                told(
                    0,
                    "web",
                    nics=[nic("10.0.0.5/8", port_group="DMZ"), nic("fd00::5/64", "172.20.0.5/24", name="nic1")],
                ),
                told(1, "web", cluster="mtl-2", organization="umbrella"),
                told(2, "db", tags=["b"], power="stopped"),
            ]
        )
    )
    assert names(source.load()) == ["web.mtl-1", "web.mtl-2", "db"]
    # Another file with other filters calls them the same.
    assert names(source.load(clusters=["mtl-1"])) == ["web.mtl-1", "db"]
    assert names(source.load(hostname="full", tags=["b", "c"])) == ["db.mtl-1"]
    assert names(source.load(hostname="id", power=["stopped"], organizations=["acme"])) == [id_of(2)]
    by_network = source.load(network="Production", address_family="ipv4", clusters=["mtl-1"])
    assert variables(by_network, "web.mtl-1")["ansible_host"] == "172.20.0.5"
    assert variables(source.load(nic="nic1"), "web.mtl-1")["ansible_host"] == "fd00::5"
    assert "ansible_host" not in variables(source.load(nic="nic1"), "db")
    assert warnings == []
    assert names(source.load(tags=["none"])) == []
    assert warnings == ["The filters let none of 3 instances pass"]


def test_groups_can_be_chosen(source: Source, warnings: list[str]) -> None:
    source.answers(text_of([told(0, "web", tags=["a-b", "a_b"]), told(1, "db", tags=["a_b"])]))
    inventory = source.load(
        group_prefixes={
            "tag": "t-",
            "flavor": "f_",
            "profile": None,
            "organization": False,
            "datacenter": "",
            "node": None,
        }
    )
    assert set(inventory.groups) - {"all", "ungrouped"} == {
        "pextra_instances",
        "pextra_cluster_mtl_1",
        "t_a_b",
        "f_small",
        "pextra_power_running",
    }
    assert warnings == ['"t-a-b" and "t-a_b" are one group, t_a_b']


def test_constructed(source: Source) -> None:
    source.answers(text_of([told(0, "web", memory=256), told(1, "db", memory=4096, description="{{ 7*7 }}")]))
    inventory = source.load(
        strict=True,
        compose={
            "ansible_user": "'debian'",
            "ansible_host": "pextra_name ~ '.example.org'",
            "said": "pextra_description",
        },
        groups={"small": "pextra_memory < 1024"},
        keyed_groups=[{"key": "pextra_image", "prefix": "image"}, {"key": "pextra_tags", "prefix": "tagged"}],
    )
    assert names(inventory, "small") == ["web"]
    assert names(inventory, "image_tiny") == names(inventory, "tagged_frontend") == ["web", "db"]
    db = variables(inventory, "db")
    assert (db["ansible_user"], db["ansible_host"], db["said"]) == ("debian", "db.example.org", "{{ 7*7 }}")
    assert rendered(inventory, "db", "{{ said }}") == "{{ 7*7 }}"


def test_strict(source: Source, warnings: list[str]) -> None:
    source.answers(text_of([told(0, "web")]))
    assert names(source.load(compose={"x": "no.such"})) == ["web"]
    assert warnings == []
    assert "web" not in variables_or_nothing(source, strict=True, compose={"x": "no.such"})
    assert any("Could not set x for host web" in text for text in warnings)


def variables_or_nothing(source: Source, **options: Any) -> Sequence[str]:
    """Return the hosts that have variables: Ansible keeps those that a source made before it failed."""
    inventory = source.load(**options)
    return [name for name in names(inventory) if "pextra_instances" in variables(inventory, name)["group_names"]]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_is_taken_for_a_template(source: Source, text: str) -> None:
    hostile = told(0, text, description=text, image=text, tags=[text], nics=[nic(text, name=text, port_group=text)])
    source.answers(text_of([hostile | {"node": text, "cluster": text, "organization": text, "datacenter": text}]))
    inventory = source.load(compose={"again": "pextra_tags"}, keyed_groups=[{"key": "pextra_description"}])
    # It is no host's name either.
    assert names(inventory) == [id_of(0)]
    for name in ("name", "description", "image", "node", "cluster", "organization", "datacenter"):
        assert rendered(inventory, id_of(0), f"{{{{ pextra_{name} }}}}") == text
    assert rendered(inventory, id_of(0), "{{ pextra_tags }}") == [text]
    assert rendered(inventory, id_of(0), "{{ again }}") == [text]
    assert rendered(inventory, id_of(0), "{{ pextra_nics[0].addresses }}") == [text]
    assert rendered(inventory, id_of(0), "<{{ pextra_nics[0].name }}>") == f"<{text}>"
    assert all(name.replace("_", "").isalnum() for name in inventory.groups)
    # As a play meets them: a variable of the play's own that names one.
    play = Templar(loader=DataLoader(), variables=variables(inventory, id_of(0)))
    play.available_variables = play.available_variables | {"mine": trust_as_template("{{ pextra_description }}")}
    assert play.template(trust_as_template("{{ mine }}")) == text


def test_a_guest_does_not_become_the_controller_or_a_group(source: Source, tmp_path: Path) -> None:
    """Nor a host of another source, such as a node of the deployment."""
    others = tmp_path / "hosts.ini"
    others.write_text("[nodes]\nnode1 ansible_host=192.0.2.1\n[databases:children]\nnodes\n")
    called = ("localhost", "all", "nodes", "databases", "node1", "small", "web")
    source.answers(text_of([told(number, name) for number, name in enumerate(called)]))
    inventory = source.load(str(others), groups={"small": "true"})
    assert names(inventory, "pextra_instances") == [*(f"{name}.mtl-1" for name in called[:-1]), "web"]
    assert variables(inventory, "node1")["ansible_host"] == "192.0.2.1"
    assert "pextra_id" not in variables(inventory, "node1")
    assert names(inventory, "nodes") == names(inventory, "databases") == ["node1"]
    assert inventory.groups["databases"].vars == {}
    assert "pextra_id" not in inventory.get_host("localhost").vars


def test_a_tag_that_is_called_as_a_guest_takes_nobody_along(source: Source) -> None:
    """Of a group and a host of one name, Ansible would put the group into another group."""
    source.answers(text_of([told(0, "web", tags=["db"]), told(1, "db", tags=[], memory=64)]))
    keyed = [{"key": "pextra_tags", "separator": ""}]
    inventory = source.load(groups={"small": "pextra_memory < 128"}, keyed_groups=keyed)
    assert names(inventory, "small") == ["db"]
    assert names(inventory, "pextra_instances") == ["web", "db"]


def test_warnings_are_printable_and_not_too_many(source: Source, warnings: list[str]) -> None:
    source.answers(text_of([told(0, "web")], (), [f"{number} \x1b[2J" for number in range(30)]))
    assert names(source.load()) == ["web"]
    assert warnings[:2] == ["0 \\x1b[2J", "1 \\x1b[2J"]
    assert len(warnings) == 21
    assert warnings[20].startswith("10 more warnings of ")


def test_two_files_on_one_cloud_give_each_host_once(source: Source, tmp_path: Path) -> None:
    source.answers(text_of([told(0, "web"), told(1, "db")]))
    source.load(group_prefixes={"tag": "first_"})
    other = tmp_path / "other.pextra.yml"
    other.write_text(source.path.read_text())
    inventory = source.load(str(other), group_prefixes={"tag": "second_"})
    assert names(inventory) == ["web", "db"]
    assert names(inventory, "first_frontend") == names(inventory, "second_frontend") == ["web", "db"]


def test_a_node_that_does_not_answer(source: Source, warnings: list[str]) -> None:
    problem = Problem("it does not answer", "Check it.", "node2")
    source.answers(text_of([told(0, "web"), unknown(1, "db", node="node2")], [problem], ["mind this"]))
    inventory = source.load()
    assert names(inventory) == ["web", "db"]
    assert variables(inventory, "db")["pextra_power"] == "unknown"
    assert names(inventory, "pextra_power_unknown") == names(inventory, "pextra_node_node2") == ["db"]
    assert warnings == ["node2: it does not answer. Check it.", "mind this"]


FAILURES: list[tuple[dict[str, Any], str]] = [
    ({"coordinator": ...}, "Required config 'coordinator'"),
    ({"coordinator": "-oProxyCommand=x"}, 'coordinator: "-oProxyCommand=x" is not allowed'),
    ({"cluster": ["mtl-1"]}, '"cluster" is no option of this plugin. Did you mean "clusters"?'),
    ({"timeout_s": 0}, "timeout_s: 0 s are not allowed"),
    ({"power": ["off"]}, "power"),
    ({"hostname": "uuid"}, "hostname"),
    ({"group_prefixes": {"tags": "x"}}, 'there are no groups by "tags"'),
    ({"program": "/nonexistent/program"}, "site.yml --tags coordinator installs"),
]


@pytest.mark.parametrize(("options", "text"), FAILURES)
def test_options_that_are_wrong(source: Source, warnings: list[str], options: dict[str, Any], text: str) -> None:
    source.answers(text_of([told(0, "web")]))
    assert names(source.load(**options)) == []
    (told_,) = [line for line in warnings if "'auto'" in line]
    assert text in told_
    assert source.asked() == 0


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ("echo Welcome", 'it begins with "Welcome'),
        ("echo '{\"format\": 1}'", "it has the format 1"),
        ("echo 'the registry is away. Do this.' >&2; exit 1", "failed with 1: the registry is away. Do this"),
        ("exit 0", "it is empty"),
    ],
)
@pytest.mark.parametrize("on_unreachable", ["error", "warn"])
def test_answers_that_are_wrong(
    source: Source, warnings: list[str], lines: str, text: str, on_unreachable: str
) -> None:
    source.runs(lines)
    assert names(source.load(on_unreachable=on_unreachable)) == []
    (told_,) = [line for line in warnings if "'auto'" in line]
    assert text in told_


def test_a_coordinator_that_does_not_answer(source: Source, tmp_path: Path, warnings: list[str]) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text("#!/bin/sh\necho 'ssh: connect to host node1: No route to host' >&2\nexit 255\n")
    ssh.chmod(0o755)
    assert names(source.load(coordinator="node1", ssh_executable=str(ssh))) == []
    assert any("'auto'" in line and "node1: ssh cannot log in: ssh: connect" in line for line in warnings)
    warnings.clear()
    assert names(source.load(coordinator="node1", ssh_executable=str(ssh), on_unreachable="warn")) == []
    (text,) = [line for line in warnings if "gives no hosts: node1: ssh cannot log in" in line]
    assert not any("Failed to parse" in line for line in warnings)
    assert text.startswith(str(source.path))


def test_the_answer_is_kept(source: Source, tmp_path: Path) -> None:
    options = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(tmp_path / "cache")}
    source.answers(text_of([told(0, "web", description=HOSTILE[0])]))
    assert names(source.load(kept=True, **options)) == ["web"]
    source.answers(text_of([told(0, "web"), told(1, "db")]))
    inventory = source.load(kept=True, **options)
    assert (names(inventory), source.asked()) == (["web"], 1)
    assert rendered(inventory, "web", "{{ pextra_description }}") == HOSTILE[0]
    # Ansible asks for a fresh one: meta: refresh_inventory, --flush-cache.
    assert names(source.load(kept=False, **options)) == ["web", "db"]
    assert names(source.load(kept=True, **options)) == ["web", "db"]
    assert source.asked() == 2
    # Filters, names and groups are of the file as it is now; another coordinator is another answer.
    assert names(source.load(kept=True, hostname="full", tags=["frontend"], **options)) == ["web.mtl-1", "db.mtl-1"]
    assert source.asked() == 2
    assert names(source.load(kept=True, coordinator="node1", ssh_executable=str(source.program), **options)) == [
        "web",
        "db",
    ]
    assert source.asked() == 3


def test_what_is_kept_is_no_better_than_what_is_told(source: Source, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    options = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(folder)}
    # An answer with a gap is not kept: what a node could not tell now, it may tell the next time.
    source.answers(text_of([unknown(0, "web")], [Problem("it does not answer", "", "node1")]))
    source.load(kept=True, **options)
    source.answers(text_of([told(0, "web")]))
    assert variables(source.load(kept=True, **options), "web")["pextra_power"] == "running"
    (file,) = folder.iterdir()
    file.write_text(json.dumps("{}"))
    assert names(source.load(kept=True, **options)) == ["web"]
    assert source.asked() == 3


def test_the_program_itself(source: Source, tmp_path: Path) -> None:
    """Packed as the coordinator's role installs it, on a registry in SQLite; no node has joined."""
    url = f"sqlite:///{tmp_path}/registry.db"
    datacenter = Row("dc-AAAAAAAAAAAAAAAAAAAAA", "datacenter", "Montreal")
    cluster = Row("cls-AAAAAAAAAAAAAAAAAAAAA", "cluster", "mtl-1", "", {"datacenter": datacenter.id})
    with Registry(url, create=True) as registry:
        registry.put([datacenter, cluster, Row(id_of(0), "instance", "web", cluster.id, {})])
    (tmp_path / "coordinator.json").write_text(json.dumps({"registry": url}))
    (tmp_path / "program").write_bytes(build_program())
    source.runs(f'exec {sys.executable} -IB {tmp_path}/program --configuration {tmp_path}/coordinator.json "$@"')
    inventory = source.load()
    assert names(inventory) == ["web"]
    web = variables(inventory, "web")
    assert (web["pextra_power"], web["pextra_cluster"], web["pextra_datacenter"]) == ("undefined", "mtl-1", "Montreal")


def test_a_thousand_cost_ten_times_as_much_as_a_hundred(source: Source) -> None:
    """Counted are the lines of Python that run: none is for each pair of hosts, or of a host and a group."""
    counts = {}
    for number in (100, 1000):
        source.answers(text_of([told(index, f"web-{index}", tags=[f"t{index}", "all"]) for index in range(number)]))
        source.load()  # writes the file
        plugin = inventory_loader.get("pextra.cloud.pextra")
        inventory = InventoryManager(loader=DataLoader(), sources=[])
        lines = 0

        def count(frame: Any, event: str, argument: Any) -> Any:
            nonlocal lines
            lines += event == "line"
            return count

        before = sys.gettrace()
        sys.settrace(count)
        try:
            plugin.parse(inventory._inventory, DataLoader(), str(source.path), cache=False)
        finally:
            sys.settrace(before)
        assert len(inventory._inventory.hosts) == number
        counts[number] = lines
    assert counts[1000] < 10.5 * counts[100], counts
    # Far from two seconds: it measured 0.15 s for 2.2 million.
    assert counts[1000] < 3_000_000, counts
