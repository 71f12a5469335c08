# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""init.yml writes a deployment that validates as it is, and nothing over what is there."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8nF1p0YFZCq3mDkq6VtJHcE5m1QoRkQm7N0cGmX9kA me@example.com"
ONE = "cloud1=192.168.1.10"
THREE = "alpha=192.168.1.11, bravo=192.168.1.12, charlie=192.168.1.13"
FIVE = {f"node{number}": f"fd00:1::{number}" for number in range(1, 6)}


def environment(folder: Path) -> dict[str, str]:
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")},
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build" / "unit"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
        "ANSIBLE_NOCOLOR": "1",
        "HOME": str(folder),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }


def play(
    folder: Path, playbook: str, *arguments: str, cwd: Path | None = None, python: str | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ansible-playbook", playbook, *arguments],
        env=environment(folder) | ({"PYTHONPATH": python} if python else {}),
        cwd=cwd or folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def init(
    folder: Path, *arguments: str, python: str | None = None, **answers: object
) -> subprocess.CompletedProcess[str]:
    given = {"directory": "cloud", "deployment": "acme", "nodes": ONE, **answers}
    return play(folder, "pextra.cloud.init", "-e", json.dumps(given), *arguments, python=python)


def written(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("answers", "nodes", "coordinators"),
    [
        ({}, 1, 1),
        ({"image": "none", "pipelines": "gitlab"}, 1, 1),
        ({"nodes": THREE, "uplinks": "eno2, eno3", "vlan": "42", "ssh_key": KEY, "user": "debian"}, 3, 3),
        # In the network of the hosts, as the questions suggest it.
        ({"nodes": THREE, "uplinks": "eno2", "subnet": "192.168.1.0/24", "vlan": "untagged", "ssh_key": "none"}, 3, 3),
        ({"nodes": FIVE, "image": "alma-9", "subnet": "10.1.0.0/20"}, 5, 3),
    ],
)
def test_what_is_written_validates_as_it_is(
    tmp_path: Path, answers: dict[str, object], nodes: int, coordinators: int
) -> None:
    first = init(tmp_path, **answers)
    assert first.returncode == 0, first.stdout + first.stderr
    cloud = tmp_path / "cloud"
    groups = yaml.safe_load((cloud / "inventory" / "hosts.yml").read_text())["pextra"]["children"]
    assert len(groups["pextra_nodes"]["hosts"]) == nodes
    assert len(groups["pextra_coordinators"]["hosts"]) == coordinators
    assert {path.suffix for path in (cloud / "inventory").rglob("*") if path.is_file()} == {".yml"}

    valid = play(tmp_path, "pextra.cloud.validate", cwd=cloud)
    assert valid.returncode == 0, valid.stdout + valid.stderr
    assert "WARNING" not in valid.stderr, valid.stderr
    assert "nothing changed" in valid.stdout

    before = written(cloud)
    again = init(tmp_path, **answers)
    assert "changed=0" in again.stdout, again.stdout + again.stderr
    assert written(cloud) == before


def test_yaml_is_as_linters_want_it(tmp_path: Path) -> None:
    assert init(tmp_path, nodes=THREE, uplinks="eno2", ssh_key=KEY).returncode == 0
    lint = [sys.executable, "-m", "yamllint", "--strict", "-c", str(ROOT / ".yamllint"), str(tmp_path / "cloud")]
    done = subprocess.run(lint, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout


def test_ansible_lint_has_nothing_to_say(tmp_path: Path) -> None:
    assert init(tmp_path, ssh_key=KEY).returncode == 0
    cloud = tmp_path / "cloud"
    subprocess.run(["git", "init", "-q"], cwd=cloud, check=True)
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-lint"), "--offline", "--nocolor"],
        env=environment(tmp_path),
        cwd=cloud,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("service", "file"), [("github", ".github/workflows/cloud.yml"), ("gitlab", ".gitlab-ci.yml")])
def test_what_the_pipelines_run(tmp_path: Path, service: str, file: str) -> None:
    """The shell takes every script, none has a secret in its arguments, and the validation is run as it is written."""
    assert init(tmp_path, pipelines=service).returncode == 0
    cloud = tmp_path / "cloud"

    class Loader(yaml.SafeLoader):
        """Knows GitLab's references."""

    Loader.add_constructor("!reference", lambda loader, node: loader.construct_sequence(node))
    content = yaml.load((cloud / file).read_text(), Loader=Loader)
    jobs = content["jobs"] if service == "github" else {name: content[name] for name in ("validate", "plan", "apply")}
    assert set(jobs) == {"validate", "plan", "apply"}
    scripts = {
        name: [step["run"] for step in job["steps"] if "run" in step]
        if service == "github"
        else [line for line in job["script"] if isinstance(line, str)]
        for name, job in jobs.items()
    }
    for script in (line for lines in scripts.values() for line in lines):
        done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False, timeout=20)
        assert done.returncode == 0, script + done.stderr
        assert "${{" not in script, "an expression of the service in a script can be more than a text"
    assert "--check --diff" in "".join(scripts["plan"])
    assert "--check" not in "".join(scripts["apply"])
    [validate] = [line for line in scripts["validate"] if "ansible-playbook" in line]
    variables = environment(tmp_path)
    if service == "gitlab":
        # As its runners check out in containers.
        cloud.chmod(0o777)
        given = {key: value.replace("$CI_PROJECT_DIR", str(cloud)) for key, value in content["variables"].items()}
        variables = {**variables, **given}
    done = subprocess.run(
        ["bash", "-ec", validate], env=variables, cwd=cloud, capture_output=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout
    hosts = cloud / "inventory" / "group_vars" / "all" / "30-network.yml"
    hosts.write_text(hosts.read_text().replace("svswitch1", "br0"))
    done = subprocess.run(
        ["bash", "-ec", validate], env=environment(tmp_path), cwd=cloud, capture_output=True, check=False, timeout=120
    )
    assert done.returncode == 2, done.stdout


def test_no_plan_takes_the_place_of_what_was_merged(tmp_path: Path) -> None:
    """GitHub cancels what waits in a group when another comes: only an apply may do that to an apply."""
    assert init(tmp_path, pipelines="github").returncode == 0
    workflow = yaml.safe_load((tmp_path / "cloud" / ".github" / "workflows" / "cloud.yml").read_text())
    assert "concurrency" not in workflow
    assert {name: job.get("concurrency") for name, job in workflow["jobs"].items()} == {
        "validate": None,
        "plan": {"group": "cloud-plan-${{ github.event.number }}", "cancel-in-progress": False},
        "apply": {"group": "cloud-apply", "cancel-in-progress": False},
    }
    [checkout] = [step for step in workflow["jobs"]["apply"]["steps"] if "checkout" in step.get("uses", "")]
    assert checkout["with"] == {"ref": "${{ github.ref_name }}"}, "jobs may be run in another order than they came"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    assert init(tmp_path).returncode == 0
    cloud = tmp_path / "cloud"
    changed = cloud / "inventory" / "group_vars" / "all" / "50-instances.yml"
    changed.write_text("---\n")
    (cloud / "README.md").unlink()
    before = written(cloud)
    refused = init(tmp_path)
    assert refused.returncode == 2, refused.stdout
    assert "has inventory/group_vars/all/50-instances.yml, which would be others. Nothing was written" in refused.stdout
    assert "Traceback" not in refused.stdout + refused.stderr
    assert written(cloud) == before


def test_a_run_that_was_killed_is_finished_by_the_next(tmp_path: Path) -> None:
    assert init(tmp_path).returncode == 0
    cloud = tmp_path / "cloud"
    before = written(cloud)
    shutil.rmtree(cloud / "inventory" / "group_vars")
    check = init(tmp_path, "--check", "--diff")
    assert "changed=1" in check.stdout
    assert "pextra_deployment_name" in check.stdout
    assert not (cloud / "inventory" / "group_vars").exists()
    assert "changed=1" in init(tmp_path).stdout
    assert written(cloud) == before


@pytest.mark.parametrize("directory", ["cloud", "cloud/below/it"])
@pytest.mark.parametrize("link", [False, True])
def test_a_place_that_is_none(tmp_path: Path, directory: str, *, link: bool) -> None:
    if link:
        (tmp_path / "cloud").symlink_to("nowhere")
    else:
        (tmp_path / "cloud").write_text("")
    refused = init(tmp_path, directory=directory)
    assert refused.returncode == 2
    what = "a link to nowhere" if link else "no directory"
    assert f'"{tmp_path}/cloud" is {what}. Nothing was written' in " ".join(refused.stdout.split())


@pytest.mark.parametrize("name", ["localhost", "all", "ungrouped"])
def test_a_host_that_ansible_calls_otherwise(tmp_path: Path, name: str) -> None:
    refused = init(tmp_path, nodes=f"{name}=192.168.1.10")
    assert refused.returncode == 2
    assert f'"{name}" means something else in an inventory of Ansible' in refused.stdout
    assert not (tmp_path / "cloud").exists()


def test_a_library_that_the_controller_lacks_is_told_with_advice(tmp_path: Path) -> None:
    without = tmp_path / "without"
    without.mkdir()
    (without / "sitecustomize.py").write_text("import sys\nsys.modules['netaddr'] = None\n")
    refused = init(tmp_path, python=str(without))
    assert refused.returncode == 2
    assert "netaddr is missing on the controller" in refused.stdout + refused.stderr
    assert "Traceback" not in refused.stdout + refused.stderr


def test_all_mistakes_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    refused = init(tmp_path, nodes="a=1,b=2", vlan="5000", image="debian-21")
    assert refused.returncode == 2
    for said in ('"1" is not an IP address', "has 2 hosts", "allowed is 1 to 4094", "debian-12"):
        assert said in refused.stdout
    assert not (tmp_path / "cloud").exists()


def test_the_key_may_be_a_file(tmp_path: Path) -> None:
    """Also one that is named from home, as people do; what is in it is checked, and not shown."""
    (tmp_path / "id.pub").write_text(f"{KEY}\n")
    (tmp_path / "other.pub").write_text("hunter2\n")
    assert init(tmp_path, ssh_key="~/id.pub").returncode == 0
    instances = (tmp_path / "cloud" / "inventory" / "group_vars" / "all" / "50-instances.yml").read_text()
    [user] = yaml.safe_load(instances)["pextra_instances"][0]["cloud_init"]["users"]
    assert user["ssh_authorized_keys"] == [KEY]
    for given, said in (
        ("~/typo.pub", '"~/typo.pub" cannot be read: No such file'),
        ("other.pub", "does not hold one public key"),
    ):
        refused = init(tmp_path, ssh_key=given, directory="other", vlan="5000")
        assert refused.returncode == 2
        assert said in refused.stdout
        assert "allowed is 1 to 4094" in refused.stdout
        assert "hunter2" not in refused.stdout + refused.stderr
        assert "Traceback" not in refused.stdout + refused.stderr
        assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("answers", "said", "unsaid"),
    [
        ({}, "", "ssh admin@"),
        (
            {"ssh_key": KEY},
            "ssh root@192.168.1.10 'ip address add 172.20.0.1/24 dev svswitch1 && ip link set svswitch1 up'\n"
            "ssh -J root@192.168.1.10 admin@172.20.0.11\n",
            "from where",
        ),
        ({"ssh_key": KEY, "user": "ops"}, "ssh ops@192.168.1.10 'sudo ip address add", "from where"),
        ({"ssh_key": KEY, "uplinks": "eno2"}, "`ssh admin@172.20.0.11`, from where that address is reached", "-J"),
        (
            {"ssh_key": KEY, "subnet": "192.168.1.0/24"},
            "`ssh admin@192.168.1.11`, from where that address is reached",
            "ip address",
        ),
        ({"ssh_key": KEY, "nodes": THREE}, "`ssh admin@172.20.0.11`, from where that address is reached", "-J"),
    ],
)
def test_the_readme_says_how_to_log_in(tmp_path: Path, answers: dict[str, object], said: str, unsaid: str) -> None:
    assert init(tmp_path, **answers).returncode == 0
    readme = (tmp_path / "cloud" / "README.md").read_text()
    assert said in readme
    assert unsaid not in readme


def test_it_says_what_comes_next(tmp_path: Path) -> None:
    assert "\n  cd cloud\n  ansible-playbook pextra.cloud.validate\n" in init(tmp_path).stdout
    assert "ansible-playbook" not in init(tmp_path, "--check", directory="other").stdout
    valid = play(tmp_path, "pextra.cloud.validate", cwd=tmp_path / "cloud")
    assert "\nNext: ansible-playbook pextra.cloud.site --check --diff shows what would change" in valid.stdout


def test_it_asks_at_a_terminal(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["ansible-playbook", "pextra.cloud.init"],
        env=environment(tmp_path),
        cwd=tmp_path,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    answers = {
        "Directory": "mine",
        "Name of the deployment": "acme",
        "Its hosts": ONE,
        "Who logs in": "",
        "NICs": "eno2",
        "VLAN": "",
        "Network of": "",
        "Cloud image": "",
        "Public ssh key": "id.pub",
    }
    (tmp_path / "id.pub").write_text(f"{KEY}\n")
    seen = ""
    deadline = time.monotonic() + 90
    for question, answer in answers.items():
        while question not in seen and time.monotonic() < deadline:
            seen += os.read(ours, 1024).decode(errors="replace")
        seen = seen.partition(question)[2]
        time.sleep(0.3)
        os.write(ours, f"{answer}\n".encode())
    try:
        while os.read(ours, 1024):
            pass
    except OSError:
        pass  # it has ended
    os.close(ours)
    assert process.wait(timeout=90) == 0
    network = (tmp_path / "mine" / "inventory" / "group_vars" / "all" / "30-network.yml").read_text()
    assert yaml.safe_load(network)["pextra_vswitches"] == [{"name": "svswitch1", "uplinks": ["eno2"]}]
