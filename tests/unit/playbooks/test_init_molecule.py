# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""init_molecule.yml copies a scenario that Molecule takes as it is, and nothing over what is there.

`make molecule-own` runs what is written here.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.molecule.own import HOSTS, POOLS_OF_THE_TEST, Own, install_tarball

ROOT = Path(__file__).resolve().parents[3]
SOURCE = ROOT / "extensions" / "molecule" / "own"


SOURCES = ROOT / ".build" / "unit"


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Own:
    """A user's deployment. The sources take the place of the installed collection."""
    one = Own(home=tmp_path_factory.mktemp("first"), collections=SOURCES)
    one.write_deployment()
    return one


@pytest.fixture(scope="module")
def second(first: Own, tmp_path_factory: pytest.TempPathFactory) -> Own:
    """One with the scenario."""
    one = Own(home=tmp_path_factory.mktemp("second"), collections=SOURCES)
    shutil.copytree(first.cloud, one.cloud)
    one.write_scenario()
    return one


@pytest.fixture
def own(first: Own, tmp_path: Path) -> Own:
    one = Own(home=tmp_path, collections=SOURCES)
    shutil.copytree(first.cloud, one.cloud)
    return one


@pytest.fixture
def mine(second: Own, tmp_path: Path) -> Own:
    one = Own(home=tmp_path, collections=SOURCES)
    shutil.copytree(second.cloud, one.cloud)
    return one


def written(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_molecule_takes_it_outside_of_the_repository(tmp_path: Path) -> None:
    """With the tarball alone, before and after both files are changed."""
    one = Own(home=tmp_path, collections=tmp_path / "collections")
    install_tarball(ROOT, one.collections, folder=tmp_path)
    one.write_deployment()
    one.write_scenario()
    one.change_both_files()
    listed = one.must("molecule", "list", "--format", "plain")
    for host in HOSTS:
        assert re.search(rf"^{host}\s.*default", listed, re.MULTILINE), listed
    one.must("molecule", "syntax")
    seen = one.must(
        "ansible-inventory", "-i", "inventory", "-i", "molecule/default/inventory/hosts.yml", "--host", "bravo"
    )
    assert '"ansible_host": "pextra-own-test-bravo"' in seen
    # Nothing leads back to where the collection came from.
    assert [name for name, text in written(one.scenario).items() if str(ROOT) in text or "tests/lab" in text] == []


def test_all_of_it_is_copied(mine: Own) -> None:
    files = {str(path.relative_to(SOURCE)).removesuffix(".j2") for path in SOURCE.rglob("*") if path.is_file()}
    assert set(written(mine.scenario)) == files


def test_it_names_the_inventory_and_all_hosts(mine: Own) -> None:
    arguments = yaml.safe_load((mine.scenario / "molecule.yml").read_text())["provisioner"]["ansible_args"]
    assert arguments[0] == "--inventory=${MOLECULE_PROJECT_DIRECTORY}/inventory"
    hosts = yaml.safe_load((mine.scenario / "inventory" / "hosts.yml").read_text())["molecule_hosts"]["hosts"]
    assert list(hosts) == list(HOSTS)
    assert len({host["molecule_address"] for host in hosts.values()}) == len(HOSTS)


def test_an_inventory_elsewhere_and_another_directory(own: Own) -> None:
    shutil.move(own.inventory, own.home / "elsewhere")
    own.write_scenario("-i", "../elsewhere/hosts.yml", "-e", "directory=sub")
    molecule = own.cloud / "sub" / "molecule" / "default" / "molecule.yml"
    assert "--inventory=${MOLECULE_PROJECT_DIRECTORY}/../../elsewhere/hosts.yml" in molecule.read_text()


def test_nothing_is_overwritten_and_what_is_missing_is_written(mine: Own) -> None:
    mine.change_both_files()
    before = written(mine.scenario)
    assert "nothing changed" in mine.write_scenario()
    (mine.scenario / "create.yml").unlink()
    assert "1 task would change something" in mine.write_scenario("--check")
    assert not (mine.scenario / "create.yml").exists()
    mine.write_scenario()
    assert written(mine.scenario) == before


def test_a_check_writes_nothing(own: Own) -> None:
    assert "2 tasks would change something" in own.write_scenario("--check", "--diff")
    assert not own.scenario.exists()


def test_an_inventory_without_hosts_is_refused(own: Own) -> None:
    (own.home / "empty.yml").write_text("all:\n")
    refused = own.run("ansible-playbook", "-i", "../empty.yml", "pextra.cloud.init_molecule")
    assert refused.returncode == 2, refused.stdout
    assert "The inventory has no host in the group pextra_nodes" in refused.stdout
    assert not own.scenario.exists()


@pytest.mark.parametrize("playbook", ["create.yml", "converge.yml", "verify.yml"])
def test_what_is_not_of_the_test_is_refused_before_anything_else(mine: Own, playbook: str) -> None:
    """All of it at once: a host that is no container, one of each kind of host that is elsewhere, a server, a disk."""
    hosts = mine.scenario / "inventory" / "hosts.yml"
    hosts.write_text(hosts.read_text().replace("charlie", "delta"))
    variables = mine.inventory / "host_vars"
    variables.mkdir()
    (variables / "alpha.yml").write_text("ansible_connection: ssh\n")
    (variables / "bravo.yml").write_text("pextra_ceph_osds: [{device: /dev/disk/by-id/wwn-0x5000c500a1b2c3d4}]\n")
    refused = mine.play(playbook)
    assert refused.returncode == 2, refused.stdout
    said = " ".join(refused.stdout.split())
    for line in (
        "Nothing was done.",
        "charlie: are in the inventory, and not in molecule/default/inventory/hosts.yml",
        "delta: are in molecule/default/inventory/hosts.yml, and no nodes of the inventory",
        "alpha: have another ansible_connection in host_vars",
        "vms: are storage pools on servers or disks",
        "/dev/disk/by-id/wwn-0x5000c500a1b2c3d4: are disks for Ceph",
    ):
        assert line in said, refused.stdout
    assert refused.stdout.count("TASK [") == 1, "nothing comes after it"


def test_what_is_of_the_test_is_not_refused(mine: Own) -> None:
    file = mine.scenario / "vars" / "test.yml"
    file.write_text(file.read_text() + POOLS_OF_THE_TEST)
    done = mine.play("refuse.yml")
    assert done.returncode == 0, done.stdout
    assert "failed=0" in done.stdout


def test_without_hosts_of_the_test_the_real_ones_are_left_alone(mine: Own) -> None:
    (mine.scenario / "inventory" / "hosts.yml").write_text("---\n")
    refused = mine.play("converge.yml")
    assert refused.returncode == 2, refused.stdout
    assert "alpha, bravo, charlie: are in the inventory, and not in molecule/default/inventory/hosts.yml" in " ".join(
        refused.stdout.split()
    )
    assert refused.stdout.count("TASK [") == 1


def test_the_document_of_the_test_is_valid(mine: Own) -> None:
    """What makes hosts containers makes no mistake in the document."""
    mine.change_both_files()
    (mine.scenario / "look.yml").write_text("- import_playbook: pextra.cloud.validate\n")
    done = mine.play("look.yml")
    assert done.returncode == 0, done.stdout
    assert "The deployment acme has no mistakes" in done.stdout
    assert "3 instances" in done.stdout


def test_the_examples_for_a_ci_can_be_read() -> None:
    """YAML, and scripts that a shell takes, of which one runs the whole test."""
    text = (ROOT / "docs" / "molecule.md").read_text(encoding="utf-8")
    github, gitlab = (
        yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    )
    steps = [step["run"] for step in github["jobs"]["molecule"]["steps"] if "run" in step]
    for script in (steps, [*gitlab["molecule"]["script"], *gitlab["molecule"]["after_script"]]):
        assert any(line.endswith("molecule test") for line in script)
        done = subprocess.run(["bash", "-n"], input="\n".join(script), text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
