"""What `setup` reads in the boot files, what it would change, and how it writes."""

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device import boot, config
from device.boot import Plan, Wanted
from device.errors import InputError
from device.settings import Settings

ZERO, PI_3, PI_4, PI_5 = (f"Raspberry Pi {name}" for name in (
    "Zero 2 W Rev 1.0", "3 Model B Plus Rev 1.3", "4 Model B Rev 1.5", "5 Model B Rev 1.0",
))  # fmt: skip
STRICT = "dtparam=strict_gpiod"
CONFIG = """\
# For more options and information see http://rptl.io/configtxt
#dtparam=i2c_arm=on
dtparam=audio=on
camera_auto_detect=1
dtoverlay=vc4-kms-v3d
max_framebuffers=2

[cm4]
otg_mode=1

[cm5]
dtoverlay=dwc2,dr_mode=host

[all]
"""
"""As Raspberry Pi OS has it."""
CMDLINE = "console=serial0,115200 console=tty1 root=PARTUUID=12-02 rootfstype=ext4 rootwait\n"


class Card:
    """A Pi's boot partition."""

    def __init__(self, folder: Path, text: str = CONFIG, cmdline: str | None = CMDLINE) -> None:
        self.boot, self.proc = folder / "boot", folder / "proc"
        self.folder = self.boot / "firmware"
        self.folder.mkdir(parents=True)
        (self.proc / "device-tree").mkdir(parents=True)
        self.config, self.cmdline = self.folder / "config.txt", self.folder / "cmdline.txt"
        self.config.write_bytes(text.encode())
        if cmdline is not None:
            self.cmdline.write_bytes(cmdline.encode())
        self.is_a(PI_4)

    def is_a(self, model: str) -> None:
        (self.proc / "device-tree" / "model").write_text(f"{model}\0", "utf-8")

    def plan(self, settings: Settings | None = None, **wanted: Any) -> Plan:
        return boot.plan(settings or Settings(), Wanted(**wanted), self.boot, self.proc)

    def set(self, settings: Settings | None = None, **wanted: Any) -> list[str]:
        return list(boot.write(self.plan(settings, **wanted)))

    def text(self) -> str:
        return self.config.read_bytes().decode("utf-8", "surrogateescape")


@pytest.fixture
def card(tmp_path: Path) -> Card:
    return Card(tmp_path)


@pytest.fixture
def write(card: Card) -> Callable[[str], Card]:
    def written(text: str) -> Card:
        card.config.write_bytes(text.encode())
        return card

    return written


def settings(**tables: dict[str, Any]) -> Settings:
    return config.parse(tables, "mine.toml")


SERIAL = settings(sensor={"driver": "a02yyuw"})


# ---------------------------------------------------------------- what would change


def test_nothing_is_written_by_a_plan(card: Card) -> None:
    before = {path: path.read_bytes() for path in card.folder.iterdir()}
    found = card.plan(strict_gpio=True, serial=True, shutdown_button=3)
    list(boot.lines(found))
    assert {path: path.read_bytes() for path in card.folder.iterdir()} == before


def test_the_diff_shows_what_would_be_added_and_how_to_do_it(card: Card) -> None:
    told = list(boot.lines(card.plan(strict_gpio=True)))
    assert f"--- {card.config}" in told
    added = [line for line in told if re.match(r"\+(?!\+)", line)]
    assert added == ["+# Set by rearguard setup", f"+{STRICT}"]
    assert not [line for line in told if re.match(r"-(?!-)", line)]
    assert told[-1] == ("nothing was changed. To do it: sudo rearguard setup --strict-gpio --write")


def test_all_three_at_once(card: Card) -> None:
    assert "reboot for it to count" in card.set(
        SERIAL, strict_gpio=True, serial=True, shutdown_button=3
    )
    assert card.text() == (
        f"{CONFIG}# Set by rearguard setup\n{STRICT}\nenable_uart=1\n"
        "dtoverlay=gpio-shutdown,gpio_pin=3\n"
    )
    assert card.cmdline.read_text() == CMDLINE.removeprefix("console=serial0,115200 ")


def test_a_second_time_there_is_nothing_to_change(card: Card) -> None:
    wanted = {"strict_gpio": True, "serial": True, "shutdown_button": 3}
    card.set(SERIAL, **wanted)
    before = card.text(), card.cmdline.read_text()
    again = card.plan(SERIAL, **wanted)
    assert again.changes == []
    assert again.states == {
        "strict GPIO": "on", "serial port": "on", "shutdown button": "GPIO3",
    }  # fmt: skip
    assert "nothing to change" in list(boot.lines(again))
    assert list(boot.write(again))[-1] == "nothing to change"
    assert (card.text(), card.cmdline.read_text()) == before


def test_one_after_the_other_is_the_same_to_the_firmware(card: Card) -> None:
    card.set(strict_gpio=True)
    card.set(serial=True)
    card.set(shutdown_button=3)
    found = boot.read(card.text(), card.folder, PI_4)
    assert (found.strict, found.uart, found.buttons[0].gpio) == (True, True, 3)
    assert card.text().count("[all]") == 1


def test_without_a_wish_strict_gpio_is_proposed_and_not_written(card: Card) -> None:
    found = card.plan()
    assert found.proposed
    assert found.wanted == Wanted(strict_gpio=True)
    with pytest.raises(InputError, match="--strict-gpio, --serial or --shutdown-button"):
        list(boot.write(found))
    assert card.text() == CONFIG
    card.set(strict_gpio=True)
    assert list(boot.lines(card.plan()))[-1] == "nothing to propose"


@pytest.mark.parametrize(
    ("port", "proposed"),
    [("/dev/serial0", True), ("/dev/ttyS0", True), ("/dev/ttyUSB0", False)],
)
def test_serial_is_proposed_to_a_sensor_on_the_header_only(
    card: Card, port: str, proposed: bool
) -> None:
    assert not card.plan().wanted.serial
    found = card.plan(settings(sensor={"driver": "a02yyuw", "port": port}))
    assert found.wanted.serial == proposed
    if proposed:
        card.set(SERIAL, serial=True)
        assert not card.plan(SERIAL).wanted.serial


# ---------------------------------------------------------------- where the lines go


@pytest.mark.parametrize(
    "text",
    [CONFIG.removesuffix("[all]\n"), "[pi4]\narm_boost=1\n", "[all]\nx=1\n[none]\n", "a=1\n", ""],
)
def test_they_are_under_all_whatever_section_came_last(
    write: Callable[[str], Card], text: str
) -> None:
    card = write(text)
    card.set(strict_gpio=True)
    assert card.text() == f"{text}\n[all]\n# Set by rearguard setup\n{STRICT}\n"
    for model in (ZERO, PI_3, PI_4, PI_5):
        assert boot.read(card.text(), card.folder, model).strict


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_the_files_line_ends_are_kept(write: Callable[[str], Card], end: str, last: bool) -> None:
    text = CONFIG.replace("\n", end)
    card = write(text if last else text.removesuffix(end))
    card.set(strict_gpio=True)
    assert card.text() == f"{text}# Set by rearguard setup{end}{STRICT}{end}"
    assert card.plan(strict_gpio=True).changes == []


def test_bytes_that_are_no_utf8_stay_as_they_are(card: Card) -> None:
    odd = b"# caf\xe9 \xff\x0b\x85\n"
    card.config.write_bytes(odd)
    told = "\n".join(boot.lines(card.plan(strict_gpio=True)))
    assert told.encode()  # and the diff can be printed
    card.set(strict_gpio=True)
    assert card.config.read_bytes().startswith(odd)


@given(text=st.text(st.sampled_from("ab=#[]\n\r, \u00e9"), max_size=40))
def test_whatever_is_there_stays_and_the_setting_counts(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    card = Card(tmp_path_factory.mktemp("card"), text)
    card.set(strict_gpio=True)
    assert card.text().startswith(text)
    assert boot.read(card.text(), card.folder, PI_4).strict
    assert card.plan(strict_gpio=True).changes == []


# ---------------------------------------------------------------- what is there already


@pytest.mark.parametrize(
    ("text", "on"),
    [
        (STRICT, True),
        (f"{STRICT}=on", True),
        ("dtparam=audio=on,strict_gpiod", True),
        (f"  {STRICT} ", True),
        ("device_tree_param=strict_gpiod", True),
        (f"dtoverlay=vc4-kms-v3d\n{STRICT}", True),
        (f"[pi4]\n{STRICT}", True),
        (f"[pi5]\n[all]\n{STRICT}", True),
        (f"[pi5]\n[pi4]\n{STRICT}", True),
        (f"#{STRICT}", False),
        (f"{STRICT}=off", False),
        (f"{STRICT}\n{STRICT}=off", False),
        (f"[pi5]\n{STRICT}", False),
        (f"[none]\n{STRICT}", False),
        (f"[gpio4=1]\n{STRICT}", False),
        (f"[gpio4=1]\n[pi4]\n{STRICT}", False),  # sections of several kinds add up
        (f"[0x12345678]\n{STRICT}", False),
        ("dtparam = strict_gpiod", False),  # the firmware does not take blanks
        ("dtparam=strict", False),
    ],
)
def test_strict_gpio_is_known_in_any_spelling_that_counts(
    write: Callable[[str], Card], text: str, on: bool
) -> None:
    card = write(f"{text}\n")
    found = card.plan(strict_gpio=True)
    assert (found.states["strict GPIO"] == "on") == on
    assert (found.changes == []) == on


@pytest.mark.parametrize("value", ["n", "N", "0", "off"])
def test_strict_gpio_may_be_on_the_kernels_command_line(tmp_path: Path, value: str) -> None:
    line = f"root=x pinctrl_bcm2835.persist_gpio_outputs={value} rootwait\n"
    assert Card(tmp_path, cmdline=line).plan(strict_gpio=True).changes == []


def test_persisting_on_the_command_line_is_not_strict(tmp_path: Path) -> None:
    line = "root=x pinctrl_bcm2835.persist_gpio_outputs=y rootwait\n"
    assert Card(tmp_path, cmdline=line).plan(strict_gpio=True).changes


@pytest.mark.parametrize(
    ("section", "models"),
    [
        ("pi0", {ZERO}), ("pi02", {ZERO}), ("pi0w", {ZERO}), ("pi3", {PI_3}), ("pi3+", {PI_3}),
        ("pi4", {PI_4}), ("pi5", {PI_5}), ("cm4", set()), ("pi400", set()), ("pi2", set()),
    ],
)  # fmt: skip
def test_a_section_is_for_its_boards(section: str, models: set[str]) -> None:
    found = {
        model
        for model in (ZERO, PI_3, PI_4, PI_5)
        if boot.read(f"[{section}]\n{STRICT}\n", Path(), model).strict
    }
    assert found == models


def test_included_files_count(card: Card) -> None:
    card.config.write_text("include more.txt\n")
    assert card.plan(strict_gpio=True).changes
    (card.folder / "more.txt").write_text(f"{STRICT}\ninclude more.txt\n")  # and round again
    assert card.plan(strict_gpio=True).changes == []


# ---------------------------------------------------------------- the serial port


@pytest.mark.parametrize(
    ("model", "text", "on"),
    [
        (PI_4, "enable_uart=1\n", True),
        (PI_4, "enable_uart=1\nenable_uart=0\n", False),
        (PI_4, "enable_uart=0\ndtoverlay=disable-bt\n", False),
        (PI_4, "dtoverlay=disable-bt\n", True),
        (ZERO, "dtoverlay=miniuart-bt,krnbt=on\n", True),
        (PI_4, "dtparam=uart0=on\n", False),
        (PI_5, "dtparam=uart0=on\n", True),
        (PI_5, "dtparam=uart0\n", True),
        (PI_5, "dtparam=uart0=off\n", False),
        (PI_5, "dtoverlay=uart0-pi5\n", True),
        (PI_5, "enable_uart=1\n", False),
    ],
)
def test_the_port_on_the_header_is_known_to_be_on(
    write: Callable[[str], Card], model: str, text: str, on: bool
) -> None:
    card = write(text)
    card.is_a(model)
    card.cmdline.write_text("console=tty1\n")
    assert (card.plan(SERIAL, serial=True).changes == []) == on


def test_a_pi_5_has_another_port_on_its_header(card: Card) -> None:
    card.is_a(PI_5)
    card.set(SERIAL, serial=True)
    assert card.text().endswith("\ndtparam=uart0=on\n")
    assert "enable_uart" not in card.text()
    notes = " ".join(card.plan(SERIAL, serial=True).notes)
    assert 'sensor.port = "/dev/ttyAMA0"' in notes
    assert "serial-getty@ttyAMA0" in notes


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (CMDLINE, CMDLINE.removeprefix("console=serial0,115200 ")),
        ("console=tty1 console=ttyAMA0,115200 rootwait\n", "console=tty1 rootwait\n"),
        ("console=tty1 console=ttyS0\n", "console=tty1\n"),
        ("console=ttyS0,9600n8\n", "\n"),
        ("console=ttyS0 console=serial0,115200 a=b", "a=b"),
        ("a=b  console=serial0  c=d\r\n", "a=b  c=d\r\n"),
        ("console=tty1\nconsole=serial0\n", None),  # only the first line counts
        ("console=ttyS01 xconsole=ttyS0 earlycon=ttyS0 console=ttyAMA10\n", None),
    ],
)
def test_the_console_is_taken_off_the_port_and_nothing_else(
    tmp_path: Path, before: str, after: str | None
) -> None:
    card = Card(tmp_path, "enable_uart=1\n", before)
    told = card.set(SERIAL, serial=True)
    assert card.cmdline.read_bytes().decode() == (before if after is None else after)
    assert card.text() == "enable_uart=1\n"
    assert (told[-1] == "nothing to change") == (after is None)
    assert card.plan(SERIAL, serial=True).changes == []


def test_the_command_line_may_be_in_another_file(card: Card) -> None:
    card.config.write_text("os_prefix=current/\ncmdline=mine.txt\nenable_uart=1\n")
    other = card.folder / "current" / "mine.txt"
    other.parent.mkdir()
    other.write_text("console=serial0 a=b\n")
    card.set(SERIAL, serial=True)
    assert other.read_text() == "a=b\n"
    assert card.cmdline.read_text() == CMDLINE


def test_without_a_command_line_the_port_is_switched_on(tmp_path: Path) -> None:
    card = Card(tmp_path, cmdline=None)
    card.set(SERIAL, serial=True)
    assert "enable_uart=1" in card.text()
    assert not card.cmdline.exists()


def test_the_login_prompt_is_mentioned_and_an_adapter_too(card: Card) -> None:
    adapter = settings(sensor={"driver": "a02yyuw", "port": "/dev/ttyUSB0"})
    notes = " ".join(card.plan(adapter, serial=True).notes)
    assert "systemctl disable --now serial-getty@ttyS0" in notes
    assert "/dev/ttyUSB0 is an adapter" in notes


# ---------------------------------------------------------------- the button


@pytest.mark.parametrize(
    ("text", "gpio"),
    [
        ("dtoverlay=gpio-shutdown", 3),
        ("dtoverlay=gpio-shutdown,gpio_pin=3,active_low=1", 3),
        ("dtoverlay=gpio-shutdown,active_low=1,gpio_pin=17", 17),
        ("dtoverlay=gpio-shutdown\ndtparam=gpio_pin=17", 17),
        ("device_tree_overlay=gpio-shutdown,gpio_pin=4", 4),
        ("[pi4]\ndtoverlay=gpio-shutdown,gpio_pin=4", 4),
    ],
)
def test_a_button_that_is_there_is_known(
    write: Callable[[str], Card], text: str, gpio: int
) -> None:
    card = write(f"{text}\n")
    found = card.plan(shutdown_button=gpio)
    assert found.changes == []
    assert found.states["shutdown button"] == f"GPIO{gpio}"


@pytest.mark.parametrize(
    "text",
    ["dtoverlay=gpio-shutdown", "[gpio4=1]\ndtoverlay=gpio-shutdown,gpio_pin=16"],
)
def test_a_second_button_is_refused(write: Callable[[str], Card], text: str) -> None:
    with pytest.raises(InputError, match="has a shutdown button on GPIO"):
        write(f"{text}\n").plan(shutdown_button=16)


def test_a_button_of_another_board_is_no_matter(write: Callable[[str], Card]) -> None:
    card = write("[pi5]\ndtoverlay=gpio-shutdown,gpio_pin=4\n")
    assert card.plan(shutdown_button=3).changes


def test_after_its_overlay_a_parameter_of_the_board_is_still_the_boards(
    write: Callable[[str], Card],
) -> None:
    found = write(f"dtoverlay=gpio-shutdown\n{STRICT}\n").plan(strict_gpio=True)
    assert found.changes == []


@pytest.mark.parametrize(
    ("gpio", "tables", "said"),
    [
        (18, {}, "buzzer.pin has GPIO18"),
        (13, {}, "motor.pin has GPIO13"),
        (23, {}, "sensor.trigger_pin has GPIO23"),
        (24, {}, "sensor.echo_pin has GPIO24"),
        (25, {"led": {"enabled": True}}, "led.pin has GPIO25"),
        (3, {"button": {"enabled": True, "pin": 3}}, "shuts down when it is held"),
        (14, {"sensor": {"driver": "a02yyuw"}}, "serial port"),
        (1, {}, "2 to 27"),
        (28, {}, "2 to 27"),
    ],
)
def test_a_pin_that_is_taken_is_refused(
    card: Card, gpio: int, tables: dict[str, dict[str, Any]], said: str
) -> None:
    with pytest.raises(InputError, match=said) as raised:
        card.plan(settings(**tables), shutdown_button=gpio)
    assert str(raised.value).startswith(f"--shutdown-button {gpio}: ")


@pytest.mark.parametrize(
    ("gpio", "tables"),
    [
        (18, {"buzzer": {"enabled": False}}),
        (25, {}),
        (3, {}),
        (23, {"sensor": {"driver": "a02yyuw"}}),
        (14, {}),
    ],
)
def test_a_pin_that_nobody_uses_is_free(
    card: Card, gpio: int, tables: dict[str, dict[str, Any]]
) -> None:
    card.set(settings(**tables), shutdown_button=gpio)
    assert f"dtoverlay=gpio-shutdown,gpio_pin={gpio}\n" in card.text()


def test_i2c_and_the_button_do_not_share_a_pin(write: Callable[[str], Card]) -> None:
    card = write("dtparam=i2c_arm=on,i2s=on\n")
    with pytest.raises(InputError, match="I2C is on"):
        card.plan(shutdown_button=3)
    assert card.plan(shutdown_button=16).changes


def test_that_only_gpio3_wakes_is_said_of_another(card: Card) -> None:
    assert not any("wakes" in note for note in card.plan(shutdown_button=3).notes)
    assert any("only GPIO3" in note for note in card.plan(shutdown_button=16).notes)


def test_every_pin_setting_is_known() -> None:
    everything = settings(button={"enabled": True}, led={"enabled": True})
    named = {
        f"{knob.table}.{knob.key}"
        for knob in config.knobs()
        if knob.key == "pin" or knob.key.endswith("_pin")
    }
    assert set(boot.pins(everything)) == named


# ---------------------------------------------------------------- writing


def test_a_copy_of_what_was_is_kept_beside_each_file(card: Card) -> None:
    told = card.set(SERIAL, serial=True)
    assert (card.folder / "config.txt.rearguard-bak").read_text() == CONFIG
    assert (card.folder / "cmdline.txt.rearguard-bak").read_text() == CMDLINE
    assert sum("rearguard-bak" in line for line in told) == 2
    assert sorted(path.name for path in card.folder.iterdir()) == [
        "cmdline.txt", "cmdline.txt.rearguard-bak", "config.txt", "config.txt.rearguard-bak",
    ]  # fmt: skip


def test_the_copy_is_of_what_was_there_before_the_first_change(card: Card) -> None:
    first = card.text()
    card.set(strict_gpio=True)
    card.set(shutdown_button=3)
    assert (card.folder / "config.txt.rearguard-bak").read_text() == first


def test_the_files_permissions_are_kept_where_there_are_any(card: Card) -> None:
    card.config.chmod(0o640)
    card.set(strict_gpio=True)
    assert stat.S_IMODE(card.config.stat().st_mode) == 0o640


def test_a_file_that_changed_meanwhile_is_left_alone(card: Card) -> None:
    found = card.plan(strict_gpio=True)
    card.config.write_text("arm_boost=1\n")
    with pytest.raises(InputError, match="run setup again"):
        list(boot.write(found))
    assert card.text() == "arm_boost=1\n"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "Permission denied"), "sudo rearguard setup --strict-gpio --write"),
        (OSError(30, "Read-only file system"), "mount -o remount,rw"),
        (OSError(28, "No space left on device"), "make room"),
        (OSError(5, "Input/output error"), "dmesg"),
    ],
)
@pytest.mark.parametrize("at", ["open", "fsync", "replace"])
def test_what_cannot_be_written_is_said_and_nothing_is_half_done(
    card: Card, monkeypatch: pytest.MonkeyPatch, error: OSError, said: str, at: str
) -> None:
    found = card.plan(strict_gpio=True)

    def fail(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(*((Path, "replace") if at == "replace" else (os, at)), fail)
        with pytest.raises(InputError) as raised:
            list(boot.write(found))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert card.text() == CONFIG
    assert not list(card.folder.glob(".config*"))
    list(boot.write(found))  # and later it can be
    assert STRICT in card.text()


def test_the_file_is_whole_at_every_moment(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is renamed over the file is on the card first."""
    done = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(fd: int) -> None:
        done.append("sync " + re.sub(r"\.\w{8}$", "", Path(f"/proc/self/fd/{fd}").readlink().name))
        fsync(fd)

    def noted_replace(path: Path, target: Path) -> Path:
        done.append(f"replace {target.name}")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    card.set(strict_gpio=True)
    assert done == [
        "sync .config.txt.rearguard-bak", "replace config.txt.rearguard-bak", "sync firmware",
        "sync .config.txt", "replace config.txt", "sync firmware",
    ]  # fmt: skip


# ---------------------------------------------------------------- where the files are


def test_an_older_system_has_them_in_boot_itself(card: Card) -> None:
    for path in (card.config, card.cmdline):
        path.rename(card.boot / path.name)
    assert card.plan(strict_gpio=True).config == card.boot / "config.txt"


def test_a_machine_without_them_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no Raspberry Pi") as raised:
        boot.plan(Settings(), Wanted(), tmp_path, tmp_path)
    assert "\n" not in str(raised.value)


def test_the_file_that_only_says_where_it_went_is_not_taken(card: Card) -> None:
    card.config.unlink()
    (card.boot / "config.txt").write_text(
        "DO NOT EDIT THIS FILE\n\nThe file you are looking for has moved to\n"
        "/boot/firmware/config.txt\n"
    )
    with pytest.raises(InputError, match="mount the boot partition"):
        card.plan(strict_gpio=True)


def test_a_link_is_followed_and_stays(card: Card) -> None:
    real = card.folder / "real.txt"
    card.config.rename(real)
    card.config.symlink_to("real.txt")
    card.set(strict_gpio=True)
    assert card.config.is_symlink()
    assert STRICT in real.read_text()


def test_the_board_is_named_as_the_firmware_names_it(card: Card) -> None:
    assert boot.model(card.proc) == PI_4
    (card.proc / "device-tree" / "model").write_text("Pine64 Rock64\0")
    assert boot.model(card.proc) is None
    assert boot.model(card.proc / "nothing") is None
