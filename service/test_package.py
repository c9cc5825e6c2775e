"""The package's whole life on one machine: installed, upgraded, removed, purged, installed again.

The tests of this file follow one another. Beside them lie the boot files of a Raspberry Pi, which
the package must never touch.
"""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from service.rig import APT, CONFIG, STATE, UNIT, WALK, WALKING, Machine, Pins, log, told, until

BOOT = {
    "/boot/firmware/config.txt": "dtparam=audio=on\n",
    "/boot/firmware/cmdline.txt": "console=serial0,115200 root=PARTUUID=0-02 rootwait\n",
}
NEWER = "99.0"
Note = Callable[[str], None]


@pytest.fixture(scope="module")
def debs(debs: Path, bare: Machine) -> Path:
    """The packages on the machine, and a newer one of ours in a folder beside them."""
    shutil.copytree(debs, bare.root / "root/debs")
    for path, text in BOOT.items():
        bare.write(path, text)
    return debs


@pytest.fixture(scope="module")
def newer(debs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our package once more, with a higher version."""
    tree = tmp_path_factory.mktemp("newer") / "tree"
    (ours,) = debs.glob("rearguard_*.deb")
    subprocess.run(["dpkg-deb", "--raw-extract", ours, tree], check=True)
    control = tree / "DEBIAN/control"
    lines = control.read_text("utf-8").splitlines()
    fresh = [f"Version: {NEWER}" if line.startswith("Version:") else line for line in lines]
    control.write_text("\n".join(fresh) + "\n", encoding="utf-8")
    made = tree.with_name(f"rearguard_{NEWER}_all.deb")
    subprocess.run(["dpkg-deb", "--build", tree, made], check=True, stdout=subprocess.DEVNULL)
    return made


def boot_files(machine: Machine) -> dict[str, str]:
    """All that is in /boot."""
    there = machine.root / "boot"
    files = (path for path in there.rglob("*") if path.is_file())
    return {f"/boot/{path.relative_to(there)}": path.read_text("utf-8") for path in files}


def test_installed_it_is_enabled_also_where_there_is_no_chip(bare: Machine, debs: Path) -> None:
    said = bare.run(f"{APT} install /root/debs/*.deb").stdout
    assert "rearguard doctor" in said
    assert bare.systemctl("is-enabled rearguard") == "enabled"
    assert bare.run("id -nG rearguard").stdout.split() == ["rearguard", "gpio"]
    assert "no GPIO chip" in log(bare)
    assert bare.read(CONFIG) == Path("config/rearguard.toml").read_text("utf-8")
    assert bare.run("rearguard --version").stdout.startswith("rearguard ")
    assert bare.run(f"dpkg --verify rearguard; {APT} check").returncode == 0
    assert boot_files(bare) == BOOT


def test_with_a_board_it_watches(bare: Machine) -> None:
    bare.write(CONFIG, WALKING)
    bare.write("/etc/rearguard/walk.toml", WALK)
    bare.systemctl("restart rearguard")
    told(bare, lambda said: said["proven"])
    until((bare.root / STATE / "last-good.json").exists, 5.0)


def test_an_upgrade_keeps_edited_settings_and_restarts(
    bare: Machine, newer: Path, note: Note
) -> None:
    shutil.copy(newer, bare.root / "root")
    pid, before = bare.show(UNIT, "MainPID"), log(bare)
    # No answer is given here to dpkg: a question would be an error.
    bare.run(f"apt-get -q -y install /root/{newer.name}")
    assert bare.run("dpkg-query -Wf '${Version}' rearguard").stdout == NEWER
    assert bare.read(CONFIG) == WALKING
    told(bare, lambda said: said["proven"])
    assert bare.show(UNIT, "MainPID") != pid
    assert "restarted:" not in log(bare).removeprefix(before)
    assert boot_files(bare) == BOOT
    shown = [
        int(bare.show(UNIT, f"{moment}TimestampMonotonic"))
        for moment in ("ActiveExit", "ActiveEnter")
    ]
    note(f"upgrade: without a watch for {(shown[1] - shown[0]) / 1e6:.1f} s")


def test_removed_it_is_quiet_and_its_settings_and_journals_stay(bare: Machine) -> None:
    journals = bare.root / STATE / "journals"
    until(lambda: list(journals.glob("*.jsonl")), 5.0)
    with Pins(bare) as pins:
        until(pins.high, 10.0)
        bare.run(f"{APT} remove rearguard")
        assert not pins.high()
    assert bare.systemctl("is-active rearguard", check=False) == "inactive"
    assert bare.read(CONFIG) == WALKING
    assert list(journals.glob("*.jsonl"))
    assert not (bare.root / "usr/bin/rearguard").exists()
    assert not (bare.root / "usr/lib/python3/dist-packages/device").exists()
    assert boot_files(bare) == BOOT


def test_purged_nothing_of_it_stays(bare: Machine) -> None:
    bare.run(f"{APT} purge rearguard")
    left = bare.run(
        "find / -xdev \\( -path /proc -o -path /root \\) -prune"
        " -o -iname '*rearguard*' -print -o -path '*/var/lib/dpkg' -prune"
    ).stdout.split()
    assert [path for path in left if not path.startswith(("/var/log", "/var/cache"))] == []
    assert not (bare.root / STATE).exists()
    assert bare.systemctl("is-enabled rearguard", check=False) != "enabled"
    assert boot_files(bare) == BOOT


def test_it_can_be_installed_again(bare: Machine) -> None:
    bare.write(CONFIG, WALKING)
    bare.write("/etc/rearguard/walk.toml", WALK)
    bare.run(f"{APT} install /root/debs/*.deb")
    told(bare, lambda said: said["proven"])
    assert boot_files(bare) == BOOT
