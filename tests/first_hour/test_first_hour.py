# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a tarball and a bare host to an instance that answers, by the commands of docs/quickstart.md, word for word."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.browser.browser import running_browser
from tests.first_hour import internet, world
from tests.first_hour.hour import EXCEPTIONS, LIMIT_S, Hour

# The command, and what it has to name as what comes next.
NEXT = (
    ("pextra.cloud.init", "ansible-playbook pextra.cloud.validate"),
    ("pextra.cloud.validate", "ansible-playbook pextra.cloud.site"),
    ("pextra.cloud.site", "ansible-playbook pextra.cloud.report"),
    ("pextra.cloud.report", f"{world.HOME}/cloud/acme.html"),
)


def test_it_takes_a_quarter_of_an_hour_at_most(hour: Hour) -> None:
    assert hour.seconds <= LIMIT_S, hour.render()


def test_the_containers_see_nothing_of_the_repository(hour: Hour) -> None:
    for container in world.CONTAINERS:
        mounts = world.run(["podman", "inspect", "--format", "{{range .Mounts}}{{.Source}} {{end}}", container]).stdout
        assert mounts.split() == []
    assert world.execute(world.CONTROLLER, "dpkg --list | grep -c ansible || true").strip() == "0"


def test_what_is_installed_came_from_where_users_have_it(hour: Hour) -> None:
    """From the tarball, and what it depends on from Galaxy."""
    listed = hour.run("ansible-galaxy collection list").said.split()
    assert {"pextra.cloud", *world.DEPENDENCIES} <= set(listed)
    asked = world.execute(world.INTERNET, "cat /srv/log")
    for name in world.DEPENDENCIES:
        assert f"{internet.GALAXY}/download/{name.replace('.', '-')}-" in asked
    assert f"{internet.GALAXY}/download/pextra" not in asked


def test_no_command_warns_of_what_nobody_can_mend(hour: Hour) -> None:
    """The host's exceptions are warnings, and so they shall be."""
    told = [line for one in hour.took for line in one.said.splitlines() if re.search(r"WARNING|DEPRECAT", line)]
    assert [line for line in told if not any(rule in line for rule in EXCEPTIONS)] == []


@pytest.mark.parametrize(("command", "then"), NEXT, ids=[command for command, _ in NEXT])
def test_each_command_says_what_comes_next(hour: Hour, command: str, then: str) -> None:
    assert then in hour.find(command).said


def test_the_image_is_what_the_publisher_has(hour: Hour) -> None:
    asked = world.execute(world.INTERNET, "cat /srv/log").split("\n")
    publication = internet.publication()
    for url in (publication.checksums, publication.url):
        assert f"{url.removeprefix('https://')} 200" in asked


def test_the_page_opens_in_a_browser(hour: Hour, tmp_path: Path) -> None:
    world.copy_out(f"{world.HOME}/cloud/acme.html", tmp_path)
    with running_browser() as browser:
        browser.open((tmp_path / "acme.html").as_uri())
        shown = str(browser.run("return document.body.innerText"))
        assert browser.log() == []
    for name in ("acme", "alpha", "first", internet.DISTRIBUTION):
        assert name in shown


def test_the_instance_answers(hour: Hour) -> None:
    assert ", 3 received, " in hour.find("ping -c 3").said
    assert "pextra-guest: " in hour.find("tail /var/log/pextra/console/first.log").said
    console = world.execute(world.HOST, "cat /var/log/pextra/console/first.log")
    assert "pextra-guest: ready" in console
    assert "172.20.0.11/24" in console
    assert world.execute(world.HOST, "virsh domstate first").strip() == "running"
    # The whole of what is on the host, and not on the page alone.
    assert world.execute(world.HOST, "ovs-vsctl list-br").split() == ["svswitch1"]
    assert world.execute(world.HOST, "virsh pool-list --name").split() == ["local"]


def test_a_second_run_changes_nothing(hour: Hour) -> None:
    again = hour.run("ansible-playbook pextra.cloud.site")
    assert again.code == 0, again.said
    assert "Nothing to change." in again.said
    assert "Next: " not in again.said
    assert re.search(r"Done in [^:\n]+: 1 host, nothing changed\.\n", again.said), again.said
