"""What stands in the way of a walk: each thing on a Pi of files, whole and broken."""

import grp
import os
import pwd
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from device import config, doctor
from device.doctor import MB, Finding, Places, Space, User
from device.errors import ConfigError
from device.settings import Settings
from tests.test_chip import Kernel

ZERO, PI_4, PI_5 = (f"Raspberry Pi {name}" for name in (
    "Zero 2 W Rev 1.0", "4 Model B Rev 1.5", "5 Model B Rev 1.0",
))  # fmt: skip
RUNNING = {
    "LoadState": "loaded", "ActiveState": "active", "SubState": "running", "Result": "success",
    "NRestarts": "0", "UnitFileState": "enabled", "StatusText": "clear, 25 pings/s",
    "MainPID": "300",
}  # fmt: skip
INSTALLED = {"gpiozero": "2.0.1", "msgspec": "0.19.0", "pyserial": "3.5", "lgpio": "0.2.2"}


class Pi:
    """A Raspberry Pi that is in order, made of files; a test breaks one thing."""

    def __init__(self, folder: Path, kernel: Kernel) -> None:
        self.folder, self.kernel = folder, kernel
        for name in ("sys", "run", "etc", "state"):
            (folder / name).mkdir()
        self.unit = dict(RUNNING)
        self.commands: dict[str, str | None] = {
            "timedatectl show -p NTPSynchronized --value": "yes\n",
            "systemctl show -p RuntimeWatchdogUSec": "RuntimeWatchdogUSec=15s\n",
        }
        self.packages = dict(INSTALLED)
        self.modules = {"lgpio"}
        self.free = Space(20_000 * MB, read_only=False)
        self.user = User("ada", root=False, groups=frozenset({"gpio", "dialout", "rearguard"}))
        self.closed: set[str] = set()
        self.environ: dict[str, str] = {}
        self.is_a(PI_4)
        kernel.add("gpiochip0", "pinctrl-bcm2711")
        self.put("sys/module/pinctrl_bcm2835/parameters/persist_gpio_outputs", "N\n")
        self.put("sys/class/hwmon/hwmon0/name", "cpu_thermal\n")
        self.put("sys/class/hwmon/hwmon1/name", "rpi_volt\n")
        self.put("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "0\n")
        self.put("sys/devices/platform/soc/soc:firmware/get_throttled", "0\n")
        self.put("sys/class/thermal/thermal_zone0/temp", "48312\n")
        self.put("proc/cmdline", "console=tty1 root=PARTUUID=12-02 rootwait\n")
        self.put("proc/consoles", "tty1                 -WU (EC p  )    4:1\n")
        self.put("etc/group", "root:x:0:\ngpio:x:997:ada\nrearguard:x:990:ada\n")

    def put(self, path: str, text: str) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")

    def drop(self, path: str) -> None:
        (self.folder / path).unlink()

    def is_a(self, model: str) -> None:
        self.put("proc/device-tree/model", f"{model}\0")

    def port(self, name: str = "ttyS0", link: str | None = "serial0") -> None:
        (self.kernel.dev / name).touch()
        if link is not None:
            (self.kernel.dev / link).symlink_to(name)

    def command(self, words: Sequence[str]) -> str | None:
        if list(words[:3]) == ["systemctl", "show", "rearguard.service"]:
            asked = words[4].split(",")
            return "".join(f"{key}={value}\n" for key, value in self.unit.items() if key in asked)
        return self.commands.get(" ".join(words))

    def places(self) -> Places:
        return Places(
            sys=self.folder / "sys", proc=self.folder / "proc", dev=self.folder / "dev",
            run=self.folder / "run", etc=self.folder / "etc", state=self.folder / "state",
            environ=self.environ, command=self.command, version=self.packages.get,
            usable=self.modules.__contains__, space=lambda path: self.free,
            user=lambda: self.user, may_open=lambda path: path.name not in self.closed,
        )  # fmt: skip

    def examine(self, settings: Settings | ConfigError | None = None) -> list[Finding]:
        return doctor.examine(settings or Settings(), None, self.places())

    def one(self, name: str, settings: Settings | ConfigError | None = None) -> Finding:
        """The one finding of that name."""
        (found,) = [one for one in self.examine(settings) if one.name == name]
        return found

    def named(self, name: str, settings: Settings | None = None) -> list[Finding]:
        return [one for one in self.examine(settings) if one.name == name]


@pytest.fixture
def pi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pi:
    monkeypatch.setattr(config, "PLACES", ())
    return Pi(tmp_path, Kernel(tmp_path, monkeypatch))


def settings(**tables: dict[str, Any]) -> Settings:
    return config.parse(tables, "mine.toml")


SERIAL = settings(sensor={"driver": "a02yyuw"})


# ---------------------------------------------------------------- the whole


@pytest.mark.parametrize("model", [PI_4, PI_5])
def test_on_a_pi_that_is_in_order_everything_is_ok(pi: Pi, model: str) -> None:
    pi.is_a(model)
    found = pi.examine()
    assert {one.state for one in found} == {"ok"}
    assert [one.name for one in found] == [
        "board", "configuration", "GPIO chip", "GPIO lines", "pin factory", "packages",
        "GPIO outputs", "voltage", "throttling", "temperature", "watchdog", "clock", "history",
        "service",
    ]  # fmt: skip
    assert not any(one.remedy for one in found)
    assert doctor.good(found)


def test_each_finding_is_one_line_with_a_mark_and_the_remedy() -> None:
    found = [
        Finding("a", "ok", "fine"), Finding("b", "note", "so so"),
        Finding("c", "warn", "poor", "mend it"), Finding("d", "bad", "broken", "replace it"),
    ]  # fmt: skip
    assert [line.split(maxsplit=2) for line in doctor.lines(found)] == [
        ["ok", "a", "fine"],
        ["note", "b", "so so"],
        ["warn", "c", "poor; mend it"],
        ["BAD", "d", "broken; replace it"],
    ]


@pytest.mark.parametrize(("state", "good"), [("ok", 1), ("note", 1), ("warn", 1), ("bad", 0)])
def test_only_what_is_bad_is_not_good(state: doctor.State, good: bool) -> None:
    assert doctor.good([Finding("x", "ok", ""), Finding("y", state, "")]) == good


def test_findings_are_json(pi: Pi) -> None:
    found = pi.examine()
    assert msgspec.json.decode(msgspec.json.encode(found), type=list[Finding]) == found


def test_no_finding_spills_over_its_line(pi: Pi) -> None:
    pi.unit["StatusText"] = "clear"
    for line in doctor.lines(pi.examine(ConfigError("mine.toml:\n bad"))):
        assert "\n" not in line


def test_nothing_is_changed_by_looking(pi: Pi) -> None:
    pi.port()
    before = {path: path.lstat().st_mtime_ns for path in pi.folder.rglob("*")}
    pi.examine(SERIAL)
    assert {path: path.lstat().st_mtime_ns for path in pi.folder.rglob("*")} == before


@pytest.fixture
def laptop(pi: Pi) -> Pi:
    pi.drop("proc/device-tree/model")
    pi.kernel.chips.clear()
    (pi.kernel.dev / "gpiochip0").unlink()
    pi.unit = {"LoadState": "not-found", "ActiveState": "inactive"}
    pi.modules = set()
    del pi.packages["lgpio"]
    return pi


def test_a_laptop_with_the_mock_board_is_told_kindly(laptop: Pi) -> None:
    found = laptop.examine(settings(gpio={"factory": "mock"}))
    assert doctor.good(found)
    (warned,) = (one for one in found if one.state not in {"ok", "note"})
    assert (warned.name, warned.state) == ("GPIO chip", "warn")
    assert "no pin is driven" in warned.what
    assert "no Raspberry Pi" in found[0].what
    names = {one.name for one in found}
    assert names == {
        "board", "configuration", "GPIO chip", "packages", "clock", "history", "service",
    }  # fmt: skip


def test_a_laptop_without_it_has_one_thing_that_is_bad(laptop: Pi) -> None:
    bad = [one for one in laptop.examine() if one.state not in {"ok", "note"}]
    assert [one.name for one in bad] == ["GPIO chip"]
    assert "rearguard simulate" in bad[0].what


def test_a_serial_sensor_on_the_mock_board_needs_no_port(laptop: Pi) -> None:
    found = laptop.examine(settings(gpio={"factory": "mock"}, sensor={"driver": "a02yyuw"}))
    assert doctor.good(found)
    assert "serial port" not in {one.name for one in found}


def test_this_very_machine_can_be_examined(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the real look-ups, wherever this runs."""
    monkeypatch.setattr(config, "PLACES", ())
    found = doctor.examine(settings(gpio={"factory": "mock"}), None)
    packages = next(one for one in found if one.name == "packages")
    assert packages.state == "ok"
    assert f"msgspec {msgspec.__version__}" in packages.what
    assert next(one for one in found if one.name == "history").state in {"ok", "warn", "note"}


# ---------------------------------------------------------------- the configuration


def test_a_bad_file_is_bad_and_says_its_line(pi: Pi) -> None:
    error = ConfigError("mine.toml: motor.pin = 99: must be a whole number, 2 to 27")
    found = pi.examine(error)
    assert found[1] == Finding("configuration", "bad", str(error))
    assert not doctor.good(found)
    # What depends on the settings is not guessed at; the rest is looked at all the same.
    names = {one.name for one in found}
    assert "GPIO chip" in names
    assert "voltage" in names
    assert not names & {"GPIO lines", "serial port", "pin factory"}


def test_the_file_that_counts_is_named_and_the_one_that_does_not(
    pi: Pi, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = pi.folder / "boot.toml", pi.folder / "etc.toml"
    monkeypatch.setattr(config, "PLACES", (first, second))
    first.touch()
    second.touch()
    told, other = (
        one for one in doctor.examine(Settings(), first, pi.places()) if one.name == "configuration"
    )
    assert (told.state, told.what) == ("ok", str(first))
    assert other.state == "note"
    assert other.what.startswith(str(second))


# ---------------------------------------------------------------- pins


def test_a_pi_without_its_header_is_bad(pi: Pi) -> None:
    pi.kernel.chips["gpiochip0"] = "raspberrypi-exp-gpio", {}
    found = pi.one("GPIO chip")
    assert found.state == "bad"
    assert "raspberrypi-exp-gpio" in found.what
    assert not pi.named("GPIO lines")


@pytest.mark.parametrize(
    ("members", "remedy"),
    [
        ("", "sudo usermod -aG gpio ada, and log in again"),
        ("eve,ada", "ada is in group gpio from the next login on: log in again"),
    ],
)
def test_who_may_not_open_the_chip_is_told_the_group(pi: Pi, members: str, remedy: str) -> None:
    pi.kernel.forbidden.add("gpiochip0")
    pi.unit = {}
    pi.put("etc/group", f"gpio:x:997:{members}\n")
    found = pi.one("GPIO chip")
    assert found.state == "bad"
    assert "ada may not open it" in found.what
    assert found.remedy == remedy


def test_with_the_service_installed_that_is_only_a_note(pi: Pi) -> None:
    pi.kernel.forbidden.add("gpiochip0")
    assert pi.one("GPIO chip").state == "note"
    assert not pi.named("GPIO lines")


def hold(pi: Pi, gpio: int, consumer: str, pid: int | None = None, name: str = "fred") -> None:
    pi.kernel.chips["gpiochip0"][1][gpio] = consumer
    if pid is not None:
        fields = f"gpio-chip:\tgpiochip0\ngpio-line:\t{gpio}\n"
        pi.kernel.runs(pid, name, "anon_inode:gpio-line", fields)


def test_a_line_that_another_holds_is_bad_with_its_name(pi: Pi) -> None:
    hold(pi, 18, "buzz", 77)
    hold(pi, 4, "thermometer", 78, "owserver")  # none of ours
    found = pi.one("GPIO lines")
    assert found.state == "bad"
    assert found.what == 'buzzer.pin = 18: GPIO18 is held by fred (process 77), as "buzz"'
    assert found.remedy


@pytest.mark.parametrize(
    ("consumer", "pid", "name"),
    [
        ("rearguard", None, ""),  # another user's, and it says so itself
        ("lg", None, ""),  # nobody is seen, but the service runs and has its lines
        ("lg", 300, "python3"),  # the service's own process
        ("lg", 301, "rearguard"),  # started by hand
        ("rearguard", 302, "python3"),
    ],
)
def test_lines_that_rearguard_itself_holds_are_ok(
    pi: Pi, consumer: str, pid: int | None, name: str
) -> None:
    hold(pi, 18, consumer, pid, name)
    found = pi.one("GPIO lines")
    assert found.state == "ok"
    assert "running rearguard" in found.what


def test_while_no_service_runs_an_unseen_holder_is_not_ours(pi: Pi) -> None:
    pi.unit["ActiveState"] = "inactive"
    hold(pi, 18, "lg")
    assert pi.one("GPIO lines").state == "bad"


def test_a_visible_stranger_is_a_stranger_though_the_service_runs(pi: Pi) -> None:
    hold(pi, 13, "lg", 77)
    assert pi.one("GPIO lines").state == "bad"


def test_the_button_counts_only_when_it_is_fitted(pi: Pi) -> None:
    hold(pi, 3, "i2c", 77)
    assert pi.one("GPIO lines").state == "ok"
    assert pi.one("GPIO lines", settings(button={"enabled": True})).state == "bad"


@pytest.mark.parametrize(
    ("modules", "environ", "state", "said"),
    [
        ({"gpiod", "lgpio"}, {}, "ok", "auto: gpiod"),
        ({"lgpio"}, {}, "ok", "auto: lgpio"),
        (set(), {}, "warn", "gpiozero's own choice"),
        ({"gpiod"}, {"GPIOZERO_PIN_FACTORY": "pigpio"}, "note", "pigpio"),
    ],
)
def test_what_auto_would_take_is_said(
    pi: Pi, modules: set[str], environ: dict[str, str], state: str, said: str
) -> None:
    pi.modules, pi.environ = modules, environ
    found = pi.one("pin factory")
    assert found.state == state
    assert said in found.what


@pytest.mark.parametrize(
    ("factory", "state"), [("lgpio", "ok"), ("gpiod", "bad"), ("native", "ok")]
)
def test_a_factory_that_is_set_must_be_installed(pi: Pi, factory: str, state: str) -> None:
    found = pi.one("pin factory", settings(gpio={"factory": factory}))
    assert found.state == state
    assert factory in found.what


@pytest.mark.parametrize("module", ["pinctrl_bcm2835", "pinctrl_rp1"])
def test_outputs_that_outlive_their_program_are_warned_of(pi: Pi, module: str) -> None:
    pi.put(f"sys/module/{module}/parameters/persist_gpio_outputs", "Y\n")
    found = pi.one("GPIO outputs")
    assert found.state == "warn"
    assert "rearguard setup --strict-gpio" in found.remedy


def test_an_older_kernel_does_not_tell(pi: Pi) -> None:
    pi.drop("sys/module/pinctrl_bcm2835/parameters/persist_gpio_outputs")
    assert pi.one("GPIO outputs").state == "note"


# ---------------------------------------------------------------- software


@pytest.mark.parametrize("package", ["gpiozero", "msgspec"])
def test_a_package_that_is_missing_is_bad(pi: Pi, package: str) -> None:
    del pi.packages[package]
    found = pi.one("packages")
    assert found.state == "bad"
    assert found.remedy == f"apt install python3-{package}"


def test_pyserial_is_needed_by_a_serial_sensor_only(pi: Pi) -> None:
    pi.port()
    del pi.packages["pyserial"]
    assert pi.one("packages").state == "ok"
    assert pi.one("packages", SERIAL).remedy == "apt install python3-serial"


@pytest.mark.parametrize(("version", "state"), [("1.6.2", "bad"), ("2.0", "ok"), ("10.1", "ok")])
def test_gpiozero_must_be_new_enough(pi: Pi, version: str, state: str) -> None:
    pi.packages["gpiozero"] = version
    assert pi.one("packages").state == state


def test_what_is_installed_is_found_on_this_machine() -> None:
    assert doctor.version("msgspec") == msgspec.__version__
    assert doctor.version("there-is-no-such-package") is None
    assert doctor.usable("json")
    assert not doctor.usable("there_is_no_such_module")


def test_who_asks_is_whoever_runs_this() -> None:
    found = doctor.user()
    assert found.root == (os.geteuid() == 0)
    assert found.name == pwd.getpwuid(os.geteuid()).pw_name
    assert grp.getgrgid(os.getegid()).gr_name in found.groups


@pytest.mark.parametrize(("text", "usable"), [("LineSettings = 2\n", True), ("Chip = 1\n", False)])
def test_an_old_gpiod_is_not_usable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, usable: bool
) -> None:
    (tmp_path / "gpiod.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "gpiod", raising=False)
    assert doctor.usable("gpiod") == usable
    monkeypatch.delitem(sys.modules, "gpiod")


def test_a_command_is_run_and_one_that_is_not_there_says_nothing() -> None:
    assert doctor.command(["echo", "a b"]) == "a b\n"
    assert doctor.command(["there-is-no-such-command"]) is None


# ---------------------------------------------------------------- the serial port


def test_a_port_that_is_free_is_ok_and_named_as_it_is(pi: Pi) -> None:
    pi.port()
    found = pi.one("serial port", SERIAL)
    assert found.state == "ok"
    assert "/dev/serial0, which is ttyS0" in found.what


def test_a_sensor_on_pins_needs_no_port(pi: Pi) -> None:
    assert not pi.named("serial port")


@pytest.mark.parametrize(
    ("port", "remedy"),
    [("/dev/serial0", "rearguard setup --serial"), ("/dev/ttyUSB0", "plug it in")],
)
def test_a_port_that_is_not_there_is_bad(pi: Pi, port: str, remedy: str) -> None:
    found = pi.one("serial port", settings(sensor={"driver": "a02yyuw", "port": port}))
    assert found.state == "bad"
    assert remedy in found.remedy


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("proc/cmdline", "console=ttyS0,115200 console=tty1 rootwait\n"),
        ("proc/cmdline", "console=serial0,115200 console=tty1 rootwait\n"),
        ("proc/consoles", "ttyS0                -W- (EC p a)    4:64\n"),
    ],
)
def test_the_kernels_console_on_it_is_bad(pi: Pi, path: str, text: str) -> None:
    pi.port()
    pi.put(path, text)
    found = pi.one("serial port", SERIAL)
    assert found.state == "bad"
    assert "console" in found.what
    assert "setup --serial" in found.remedy


def test_a_console_elsewhere_is_no_matter(pi: Pi) -> None:
    pi.port("ttyAMA0")
    pi.put("proc/cmdline", "console=ttyAMA10,115200 console=tty1 earlycon=ttyAMA0\n")
    assert pi.one("serial port", SERIAL).state == "ok"


def test_a_login_prompt_on_it_is_bad(pi: Pi) -> None:
    pi.port()
    pi.commands["systemctl show serial-getty@ttyS0.service -p ActiveState"] = "ActiveState=active\n"
    found = pi.one("serial port", SERIAL)
    assert found.state == "bad"
    assert found.remedy == "sudo systemctl disable --now serial-getty@ttyS0"


@pytest.mark.parametrize(("pid", "state"), [(77, "bad"), (300, "ok")])
def test_another_program_that_has_it_open_is_bad(pi: Pi, pid: int, state: str) -> None:
    pi.port()
    pi.kernel.runs(pid, "minicom", str(pi.kernel.dev / "ttyS0"), "")
    found = pi.one("serial port", SERIAL)
    assert found.state == state
    assert ("minicom (process 77)" in found.what) == (state == "bad")


def test_a_port_that_may_not_be_opened_names_the_group(pi: Pi) -> None:
    pi.port()
    pi.closed.add("ttyS0")
    assert pi.one("serial port", SERIAL).state == "note"
    pi.unit = {}
    found = pi.one("serial port", SERIAL)
    assert found.state == "bad"
    assert found.remedy == "sudo usermod -aG dialout ada, and log in again"


def test_serial0_of_a_pi_5_is_not_the_header(pi: Pi) -> None:
    pi.port("ttyAMA10")
    pi.port("ttyAMA0", None)
    pi.is_a(PI_5)
    warned, fine = pi.named("serial port", SERIAL)
    assert (warned.state, fine.state) == ("warn", "ok")
    assert "/dev/ttyAMA0" in warned.remedy
    rightly = settings(sensor={"driver": "a02yyuw", "port": "/dev/ttyAMA0"})
    assert pi.one("serial port", rightly).state == "ok"


# ---------------------------------------------------------------- power and heat


def test_undervoltage_now_is_bad_and_earlier_a_warning(pi: Pi) -> None:
    pi.put("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n")
    assert pi.one("voltage").state == "bad"
    pi.put("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "0\n")
    pi.put("sys/devices/platform/soc/soc:firmware/get_throttled", "10000\n")
    assert pi.one("voltage").state == "warn"
    assert pi.one("throttling").state == "ok"
    pi.put("sys/devices/platform/soc/soc:firmware/get_throttled", "10001\n")
    assert pi.one("voltage").state == "bad"
    assert pi.one("throttling").state == "ok"  # of the voltage there is a line already


def test_a_zero_cannot_tell_of_its_voltage(pi: Pi) -> None:
    pi.is_a(ZERO)
    pi.put("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n")
    found = pi.one("voltage")
    assert found.state == "note"
    assert "cannot be told on this model" in found.what


@pytest.mark.parametrize(
    ("bits", "state", "said"),
    [
        ("2", "warn", "at this moment: frequency capped"),
        ("4", "warn", "at this moment: throttled"),
        ("8", "warn", "at this moment: soft limit of heat"),
        ("e0006", "warn", "at this moment: frequency capped, throttled"),
        ("20000", "note", "since the start: frequency capped"),
        ("c0000", "note", "since the start: throttled, soft limit of heat"),
        ("0", "ok", "none"),
    ],
)
@pytest.mark.parametrize("soc", ["soc/soc:firmware", "soc@107c000000/soc@107c000000:firmware"])
def test_throttling_is_read_from_the_firmwares_bits(
    pi: Pi, bits: str, state: str, said: str, soc: str
) -> None:
    pi.drop("sys/devices/platform/soc/soc:firmware/get_throttled")
    pi.put(f"sys/devices/platform/{soc}/get_throttled", f"{bits}\n")
    found = pi.one("throttling")
    assert (found.state, found.what) == (state, said)


@pytest.mark.parametrize(
    ("said", "state"), [("throttled=0x4\n", "warn"), ("throttled=0x0\n", "ok"), ("VCHI\n", "note")]
)
def test_where_the_kernel_does_not_tell_the_firmware_is_asked(
    pi: Pi, said: str, state: str
) -> None:
    pi.drop("sys/devices/platform/soc/soc:firmware/get_throttled")
    assert pi.one("throttling").state == "note"
    pi.commands["vcgencmd get_throttled"] = said
    assert pi.one("throttling").state == state


def test_a_kernel_that_tells_nothing_of_power_is_a_note(pi: Pi) -> None:
    pi.drop("sys/devices/platform/soc/soc:firmware/get_throttled")
    pi.drop("sys/class/hwmon/hwmon1/name")
    assert pi.one("voltage").state == "note"


@pytest.mark.parametrize(
    ("text", "state", "said"),
    [("79900", "ok", "80 °C"), ("80000", "warn", "80 °C"), ("-3000", "ok", "-3 °C")],
)
def test_heat_is_warned_of(pi: Pi, text: str, state: str, said: str) -> None:
    pi.put("sys/class/thermal/thermal_zone0/temp", f"{text}\n")
    found = pi.one("temperature")
    assert (found.state, found.what) == (state, said)


# ---------------------------------------------------------------- around it


@pytest.mark.parametrize(("span", "state"), [("0", "note"), ("infinity", "note"), ("1min", "ok")])
def test_a_hardware_watchdog_that_is_off_is_a_note(pi: Pi, span: str, state: str) -> None:
    pi.commands["systemctl show -p RuntimeWatchdogUSec"] = f"RuntimeWatchdogUSec={span}\n"
    assert pi.one("watchdog").state == state


@pytest.mark.parametrize(
    ("file", "said", "state"),
    [(True, "no\n", "ok"), (False, "yes\n", "ok"), (False, "no\n", "note"), (False, None, "note")],
)
def test_the_clock_is_never_more_than_a_note(
    pi: Pi, file: bool, said: str | None, state: str
) -> None:
    pi.commands["timedatectl show -p NTPSynchronized --value"] = said
    if file:
        pi.put("run/systemd/timesync/synchronized", "")
    assert pi.one("clock").state == state


def test_want_of_room_for_journals_is_a_warning(pi: Pi) -> None:
    pi.free = Space(1023 * MB, read_only=False)
    assert pi.one("history").state == "warn"
    assert pi.one("history", settings(journal={"most_mb": 100})).state == "ok"
    assert pi.one("history", settings(journal={"enabled": False})).state == "ok"
    # What the journals have taken already is room that they have.
    pi.put("state/journals/000001.jsonl", "x" * MB)
    assert pi.one("history").state == "ok"


def test_a_read_only_card_costs_the_journal_and_nothing_else(pi: Pi) -> None:
    pi.free = Space(20_000 * MB, read_only=True)
    found = pi.one("history")
    assert found.state == "warn"
    assert "warnings go on" in found.what
    assert doctor.good(pi.examine())


def test_the_room_is_asked_for_where_the_journals_will_be(pi: Pi, tmp_path: Path) -> None:
    asked = []

    def space(path: Path) -> Space:
        asked.append(path)
        return pi.free

    for there in (tmp_path / "state", tmp_path / "state" / "journals"):
        there.mkdir(exist_ok=True)
        doctor.examine(Settings(), None, replace(pi.places(), space=space))
        assert asked.pop() == there


def test_space_is_that_of_the_real_file_system(tmp_path: Path) -> None:
    found = doctor.space(tmp_path)
    assert found.free_bytes > 0
    assert not found.read_only


def unit_as(**changed: str) -> dict[str, str]:
    return RUNNING | changed


@pytest.mark.parametrize(
    ("unit", "state", "said"),
    [
        (unit_as(), "ok", "running: clear, 25 pings/s"),
        (unit_as(NRestarts="3"), "warn", "restarted 3 times"),
        (unit_as(NRestarts="1"), "warn", "restarted 1 time"),
        (unit_as(StatusText="FAULT stopped-answering; 9.5 pings/s"), "bad", "FAULT stopped"),
        (unit_as(StatusText="CLEAR; new settings refused"), "warn", "new settings refused"),
        (unit_as(StatusText="CLEAR; without buzzer"), "warn", "without buzzer"),
        (unit_as(ActiveState="activating", SubState="start"), "note", "starting"),
        (unit_as(ActiveState="activating", SubState="auto-restart"), "bad", "auto-restart"),
        (unit_as(ActiveState="failed", SubState="failed", Result="watchdog"), "bad", "watchdog"),
        (unit_as(ActiveState="inactive", SubState="dead"), "note", "stopped"),
        (unit_as(ActiveState="inactive", SubState="dead", Result="exit-code"), "bad", "exit-code"),
        ({"LoadState": "not-found", "ActiveState": "inactive"}, "note", "by hand"),
        ({}, "note", "no systemd"),
    ],
)
def test_the_services_standing(pi: Pi, unit: dict[str, str], state: str, said: str) -> None:
    pi.unit = unit
    found = pi.one("service")
    assert found.state == state
    assert said in found.what


def test_a_service_that_does_not_start_by_itself_is_warned_of(pi: Pi) -> None:
    pi.unit["UnitFileState"] = "disabled"
    _, found = pi.named("service")
    assert found.state == "warn"
    assert found.remedy == "sudo systemctl enable rearguard"


@pytest.mark.parametrize(
    ("user", "told"),
    [
        (User("ada", root=False, groups=frozenset()), True),
        (User("ada", root=False, groups=frozenset({"rearguard"})), False),
        (User("root", root=True, groups=frozenset()), False),
    ],
)
def test_who_may_not_ask_the_service_is_told_the_group(pi: Pi, user: User, told: bool) -> None:
    pi.user = user
    assert [one.state for one in pi.named("status")] == ["note"] * told


def test_without_that_group_on_the_machine_nothing_is_said_of_it(pi: Pi) -> None:
    pi.user = User("ada", root=False, groups=frozenset())
    pi.put("etc/group", "root:x:0:\n")
    assert not pi.named("status")


Break = Callable[[Pi], object]
BROKEN: dict[str, Break] = {
    "group": lambda pi: pi.put("etc/group", "nonsense\n:::\nrearguard:x:1:\n"),
    "throttled": lambda pi: pi.put(
        "sys/devices/platform/soc/soc:firmware/get_throttled", "what?\n"
    ),
    "temperature": lambda pi: pi.put("sys/class/thermal/thermal_zone0/temp", "warm\n"),
    "hwmon": lambda pi: pi.drop("sys/class/hwmon/hwmon1/in0_lcrit_alarm"),
    "consoles": lambda pi: pi.drop("proc/consoles"),
    "cmdline": lambda pi: pi.drop("proc/cmdline"),
    "commands": lambda pi: pi.commands.clear(),
    "unit": lambda pi: pi.unit.update(NRestarts="many"),
    "model": lambda pi: pi.put("proc/device-tree/model", ""),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_the_system_says_wrongly_or_not_at_all_ends_nothing(pi: Pi, name: str) -> None:
    pi.port()
    BROKEN[name](pi)
    assert doctor.good(pi.examine(SERIAL))
