# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/awx.yml with the real modules of awx.awx, against a stand-in for the API of AWX."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from .awx_stand_in import TOKEN, StandIn, serve

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOKS = {
    *("validate", "preflight", "site", "drift", "effective", "renew_certificates", "decommission", "replace_drive"),
    *("ceph_remove_osd", "ceph_replace_osd"),
}
TEMPLATES = {f"mine {name}" for name in (PLAYBOOKS - {"site"}) | {"plan", "apply"}}
KEY = "-----BEGIN PRIVATE KEY-----\nof nobody\n-----END PRIVATE KEY-----\n"
VARIABLES = {
    "pextra_deployment_name": "mine",
    "awx_image": "registry.example.org/pextra-ee:0.1.0",
    "awx_project_url": "https://git.example.org/cloud.git",
    "awx_inventory_path": "inventories/mine/hosts.yml",
    "awx_machine": {"username": "root", "ssh_key_data": KEY},
    "awx_ca": {"private_key": KEY, "certificate": "-----BEGIN CERTIFICATE-----\n"},
    "awx_registry_url": "postgresql://pextra:sesame@db.example.org/pextra",
}


@dataclass(frozen=True)
class Controller:
    """The machine that sets AWX up: an inventory in a folder of its own."""

    folder: Path

    def write(self, **variables: Any) -> None:
        """Write the inventory. None as a value takes a variable away."""
        given = {key: value for key, value in {**VARIABLES, **variables}.items() if value is not None}
        nodes = {"node1": {"ansible_host": "10.91.7.11"}}
        groups = {"pextra_coordinators": {"hosts": {"node1": None}}, "pextra_nodes": {"hosts": nodes}}
        inventory = {"all": {"vars": given, "children": groups}}
        (self.folder / "hosts.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")

    def run(self, *arguments: str, address: str = "", environment: dict[str, str] | None = None) -> Run:
        of_awx = {"CONTROLLER_HOST": address, "CONTROLLER_OAUTH_TOKEN": TOKEN} if address else {}
        done = subprocess.run(
            [
                *(sys.executable, "-m", "ansible", "playbook", "-i", str(self.folder / "hosts.yml")),
                *(str(ROOT / "playbooks" / "awx.yml"), *arguments),
            ],
            env={
                **{k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "CONTROLLER_", "TOWER_"))},
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build" / "unit"),
                "ANSIBLE_LOCAL_TEMP": str(self.folder / "tmp"),
                "ANSIBLE_NOCOLOR": "1",
                "HOME": str(self.folder),
                **of_awx,
                **(environment or {}),
            },
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        return Run(done.returncode, done.stdout + done.stderr)


@dataclass(frozen=True)
class Run:
    status: int
    said: str

    @property
    def changed(self) -> int:
        """How many tasks changed something. Fails where the run has not succeeded."""
        assert self.status == 0, self.said
        return sum(int(number) for number in re.findall(r"\bchanged=(\d+)", self.said))

    @property
    def words(self) -> str:
        return " ".join(self.said.split())


@pytest.fixture
def controller(tmp_path: Path) -> Controller:
    made = Controller(tmp_path)
    made.write()
    return made


@pytest.fixture(scope="module")
def awx() -> Iterator[StandIn]:
    """An AWX that others use as well."""
    with serve([f"playbooks/{name}.yml" for name in PLAYBOOKS]) as stand_in:
        theirs = stand_in.make("organizations", {"name": "Default", "description": "of others"})
        stand_in.make("projects", {"name": "mine project", "organization": theirs["id"], "scm_type": "git"})
        stand_in.make("execution_environments", {"name": "AWX EE", "image": "quay.io/ansible/awx-ee"})
        yield stand_in


@pytest.fixture(scope="module")
def set_up(awx: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The first run, of which several tests look at what it made."""
    controller = Controller(tmp_path_factory.mktemp("first"))
    controller.write()
    return controller.run("-vvv", address=awx.address)


def test_everything_is_set_up(awx: StandIn, set_up: Run) -> None:
    # The organization, the environment, the project, the inventory and its source, two types and three credentials, the
    # templates and the workflow in a task each, its steps, the link and the schedule.
    assert set_up.changed == 15
    organization = awx.find("organizations", "mine")["id"]
    # Others have a project of the same name in their organization.
    (ours,) = [one for one in awx.things["projects"].values() if one["organization"] == organization]
    assert (ours["scm_url"], ours["scm_update_on_launch"]) == ("https://git.example.org/cloud.git", True)
    assert awx.find("execution_environments", "mine execution environment")["image"] == VARIABLES["awx_image"]
    source = awx.find("inventory_sources", "mine inventory source")
    assert source["source_project"] == ours["id"]
    assert (source["source_path"], source["overwrite_vars"]) == ("inventories/mine/hosts.yml", True)
    assert {one["name"] for one in awx.things["job_templates"].values()} == TEMPLATES
    assert {one["project"] for one in awx.things["job_templates"].values()} == {ours["id"]}


def test_plan_is_apply_that_only_looks(awx: StandIn, set_up: Run) -> None:
    plan, apply = (awx.find("job_templates", f"mine {name}") for name in ("plan", "apply"))
    assert plan["playbook"] == apply["playbook"] == "playbooks/site.yml"
    assert (plan["job_type"], plan["diff_mode"]) == ("check", True)
    assert (apply["job_type"], apply["diff_mode"]) == ("run", False)
    assert awx.surveys[plan["id"]]["spec"] == awx.surveys[apply["id"]]["spec"]


def test_surveys_ask_for_what_the_playbooks_can_be_told(awx: StandIn, set_up: Run) -> None:
    asked = {
        template["name"].removeprefix("mine "): [
            question["variable"] for question in awx.surveys.get(template["id"], {}).get("spec", ())
        ]
        for template in awx.things["job_templates"].values()
    }
    assert asked["decommission"] == ["nodes", "dead", "confirm"]
    assert asked["ceph_replace_osd"] == ["osd", "osd_timeout", "confirm"]
    assert asked["plan"] == ["pextra_allow_restart"]
    # A file of the container would be gone with it.
    assert asked["drift"] == []
    enabled = {
        one["name"].removeprefix("mine ") for one in awx.things["job_templates"].values() if one["survey_enabled"]
    }
    assert enabled == {name for name, variables in asked.items() if variables}


def test_credentials_inject_what_the_playbooks_read(awx: StandIn, set_up: Run) -> None:
    authority, registry = (awx.find("credential_types", f"mine {name}") for name in ("authority", "registry"))
    assert authority["injectors"]["extra_vars"] == {
        "pextra_ca_private_key": "{{ private_key }}",
        "pextra_ca_certificate": "{{ certificate }}",
    }
    assert registry["injectors"]["extra_vars"] == {"pextra_registry_url": "{{ url }}"}
    secret = {one["id"] for kind in (authority, registry) for one in kind["inputs"]["fields"] if one.get("secret")}
    assert secret == {"private_key", "url"}
    assert awx.find("credentials", "mine authority")["inputs"] == VARIABLES["awx_ca"]
    for name in TEMPLATES:
        assert set(awx.linked("job_templates", name, "credentials")) == {
            "mine machine",
            "mine authority",
            "mine registry",
        }


def test_secrets_are_not_told(set_up: Run) -> None:
    """Not even by a run that tells everything."""
    assert "of nobody" not in set_up.said
    assert "sesame" not in set_up.said
    assert TOKEN not in set_up.said


def test_the_workflow_waits_for_an_approval(awx: StandIn, set_up: Run) -> None:
    steps = ["validate", "plan", "approve", "apply"]
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        assert awx.linked("workflow_job_template_nodes", step, "success_nodes") == ([following] if following else [])
        runs = awx.find("workflow_job_template_nodes", step)["unified_job_template"]
        kind = "workflow_approval_templates" if step == "approve" else "job_templates"
        assert awx.things[kind][runs]["name"] == f"mine {step}"
    assert awx.find("workflow_approval_templates", "mine approve")["timeout"] == 86400


def test_drift_is_looked_for_at_night(awx: StandIn, set_up: Run) -> None:
    schedule = awx.find("schedules", "mine drift")
    assert schedule["unified_job_template"] == awx.find("job_templates", "mine drift")["id"]
    assert schedule["rrule"] == "DTSTART:20260101T030000Z RRULE:FREQ=DAILY;INTERVAL=1"


def test_a_second_run_changes_nothing_and_a_third_mends_one_description(
    awx: StandIn, set_up: Run, controller: Controller
) -> None:
    awx.changes.clear()
    assert controller.run(address=awx.address).changed == 0
    assert awx.changes == []

    template = awx.find("job_templates", "mine drift")
    theirs = awx.find("organizations", "Default")
    before = dict(theirs)
    template["description"] = "what somebody wrote in AWX"
    assert controller.run("--tags", "templates", address=awx.address).changed == 1
    assert awx.changes == [("PATCH", f"/api/v2/job_templates/{template['id']}/")]
    assert template["description"] == "Tell what differs from the document, and fail if anything does"
    assert theirs == before
    assert awx.find("execution_environments", "AWX EE")["image"] == "quay.io/ansible/awx-ee"


def test_a_project_without_the_playbooks_is_told_of(controller: Controller) -> None:
    with serve(["playbooks/site.yml"]) as awx:
        run = controller.run(address=awx.address)
    assert run.status == 2
    assert "Playbook not found for project" in run.words


@pytest.mark.parametrize("checkout", ["checkout", "~/checkout", "./checkout/"])
def test_the_playbooks_are_written_into_a_checkout(controller: Controller, tmp_path: Path, checkout: str) -> None:
    """They stay as they are where somebody has one of that name, and each leads to a playbook of the collection.

    The checkout is where it is from where the run was started, and nothing is written into the collection.
    """
    before = {*ROOT.iterdir(), *(ROOT / "playbooks").iterdir()}
    (tmp_path / "checkout" / "cloud").mkdir(parents=True)
    own = tmp_path / "checkout" / "cloud" / "site.yml"
    own.write_text("- hosts: localhost\n", encoding="utf-8")
    controller.write(awx_playbooks="cloud")
    run = controller.run("-e", f"awx_checkout={checkout}")
    assert run.status == 2  # nobody has said where AWX is
    assert {*ROOT.iterdir(), *(ROOT / "playbooks").iterdir()} == before
    written = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in own.parent.glob("*.yml")}
    assert set(written) == PLAYBOOKS
    assert own.read_text(encoding="utf-8") == "- hosts: localhost\n"
    for name in PLAYBOOKS - {"site"}:
        assert written[name][0]["ansible.builtin.import_playbook"] == f"pextra.cloud.{name}"


def test_a_checkout_that_is_not_there_is_not_made(controller: Controller, tmp_path: Path) -> None:
    run = controller.run("-e", f"awx_checkout={tmp_path}/mistyped")
    assert run.status == 2, run.said
    assert f"{tmp_path}/mistyped is no directory of the controller. Nothing was done." in run.words
    assert not (tmp_path / "mistyped").exists()


def test_a_missing_collection_is_one_clear_error(controller: Controller) -> None:
    run = controller.run(environment={"ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false"}, address="http://127.0.0.1:9")
    assert run.status == 2
    assert "The collection awx.awx is missing on the controller" in run.words
    assert "ansible-galaxy collection install awx.awx" in run.words
    assert run.said.count("fatal:") == 1


@pytest.mark.parametrize("given", [{}, {"CONTROLLER_HOST": "http://127.0.0.1:9"}, {"CONTROLLER_OAUTH_TOKEN": TOKEN}])
def test_who_says_not_where_awx_is_is_told_how(controller: Controller, given: dict[str, str]) -> None:
    run = controller.run(environment=given)
    assert run.status == 2
    assert "CONTROLLER_HOST, such as https://awx.example.org" in run.words
    assert run.said.count("fatal:") == 1


def test_what_has_to_be_said_is_asked_for_at_once(controller: Controller) -> None:
    controller.write(awx_image=None, awx_project_url=None)
    run = controller.run(address="http://127.0.0.1:9")
    assert run.status == 2
    assert "missing required arguments: awx_image, awx_project_url" in run.words
    assert run.said.count("fatal:") == 1


def test_what_is_said_wrong_is_a_mistake_of_the_document(controller: Controller) -> None:
    """With its file and line, before AWX is asked."""
    controller.write(awx_image_pull="sometimes")
    run = controller.run(address="http://127.0.0.1:9")
    assert run.status == 2
    assert "awx_image_pull" in run.words
    assert "always, missing" in run.words
