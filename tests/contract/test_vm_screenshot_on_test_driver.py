# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of screens, from options to the file, on libvirt's test driver, whose domains show one picture."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import libvirt
import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.pextra.cloud.plugins.module_utils import _runner
from ansible_collections.pextra.cloud.plugins.module_utils._cloud import Cloud
from ansible_collections.pextra.cloud.plugins.modules import pextra_vm, pextra_vm_screenshot
from guards.project import returned

Module = Callable[..., dict[str, Any]]
SCREEN = Path("/usr/share/libvirt/test-screenshot.png")
VIDEO = "<graphics type='vnc' autoport='yes'/><video><model type='vga'/></video></devices>"


@pytest.fixture
def module(small_cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Module:
    """Run a module on a cloud with two instances, of which the first has a screen."""

    def open_cloud(_: Any, __: Any) -> Cloud:
        small_cloud.refresh_nodes()
        return small_cloud

    monkeypatch.setattr(_runner, "_open", open_cloud)

    def run(main: Callable[[], None] = pextra_vm_screenshot.main, **options: Any) -> dict[str, Any]:
        with patch_module_args({"registry": small_cloud.registry.url, **options}), pytest.raises(SystemExit):
            main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    vms = [{"name": name, "node": "node1", "memory": "256 MiB", "power": "stopped"} for name in ("web", "bare")]
    assert run(pextra_vm.main, vms=vms)["changed"]
    connection = small_cloud.hypervisor("node1")._connection
    domain = connection.lookupByName("web")
    connection.defineXML(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE).replace("</devices>", VIDEO))
    assert run(pextra_vm.main, vms=[{"name": name, "power": "running"} for name in ("web", "bare")])["changed"]
    return run


def test_a_picture_is_a_file_of_roots(module: Module, tmp_path: Path) -> None:
    for _ in range(2):
        result = module(name="web", directory=str(tmp_path))
        assert not result.get("failed"), result["msg"]
        assert result["changed"]
        (vm,) = result["vms"]
        assert vm.keys() == returned("pextra_vm_screenshot")["vms"]["contains"].keys()
        assert (vm["path"], vm["width"], vm["height"]) == (f"{tmp_path}/web.png", 1120, 832)
        assert Path(vm["path"]).read_bytes() == SCREEN.read_bytes()
        assert stat.S_IMODE(Path(vm["path"]).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.glob("*.p*")] == ["web.png"]


def test_a_check_says_which_file(module: Module, tmp_path: Path) -> None:
    result = module(name="web", directory=str(tmp_path), _ansible_check_mode=True)
    assert result["actions"] == [f"instance web on node1: write its screen to {tmp_path}/web.png"]
    assert result["vms"][0]["path"] is None
    assert list(tmp_path.glob("*.png")) == []


def test_one_without_a_screen_is_refused(module: Module, tmp_path: Path) -> None:
    result = module(name=["web", "bare"], directory=str(tmp_path))
    assert result["msg"].startswith("instance bare: it has no screen: its definition has no video device.")
    assert list(tmp_path.glob("*.png")) == []
    assert "there is no such directory" in module(name="web", directory=f"{tmp_path}/none")["msg"]


def test_what_cannot_be_written_leaves_nothing(module: Module, tmp_path: Path) -> None:
    (tmp_path / "web.png").mkdir()
    result = module(name="web", directory=str(tmp_path))
    assert f"{tmp_path}/web.png cannot be written: Is a directory" in result["msg"]
    assert [path.name for path in tmp_path.iterdir() if "web" in path.name] == ["web.png"]
