"""What stands in the way of a walk, one line each, with the remedy.

Whoever wears this has a soldering iron or a phone in hand and no system log before them. So each
thing that has ever kept such a device silent is looked at by itself: the settings, the GPIO chip
and who may open it, lines that others hold, what the kernel does with the outputs of a program
that died, power, heat, the card, the serial port, the service. Nothing is opened to be driven and
nothing is changed, so it may be asked beside a running daemon. Only what keeps the device from
warning, or may at any moment, is BAD. Elsewhere than on a Raspberry Pi, what only a Pi has is
left out.
"""

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import metadata, util
from pathlib import Path
from typing import Literal

from msgspec import Struct

from device import boot, check, config, procs, sensors
from device.errors import HardwareError, RearguardError
from device.pins import chip
from device.settings import Settings

State = Literal["ok", "note", "warn", "bad"]
MARKS: dict[State, str] = {"ok": "ok", "note": "note", "warn": "warn", "bad": "BAD"}
UNIT = "rearguard.service"
GROUP = "rearguard"
HOT_C = 80.0
"""From here on a Pi slows itself down."""
MB = 1_000_000
LONGEST_COMMAND_S = 5.0
NOW = {1: "too little voltage", 2: "frequency capped", 4: "throttled", 8: "soft limit of heat"}
"""The firmware's bits; the same, 16 places up, for what has been since the start."""
EARLIER = 16


class Finding(Struct, frozen=True):
    """One thing that was looked at, and what mends it where something is to mend."""

    name: str
    state: State
    what: str
    remedy: str = ""


class User(Struct, frozen=True):
    """Who asks."""

    name: str
    root: bool
    groups: frozenset[str]


class Space(Struct, frozen=True):
    """Of a file system."""

    free_bytes: int
    read_only: bool


def command(words: Sequence[str]) -> str | None:
    """What the command `words` says; None when there is no such command, or it takes too long."""
    try:
        done = subprocess.run(  # noqa: S603 - ours, word for word
            words, capture_output=True, text=True, timeout=LONGEST_COMMAND_S, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def version(package: str) -> str | None:
    """The installed version of a distribution's package."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def usable(module: str) -> bool:
    """Whether `module` could drive the pins, found out without side effects."""
    if module != "gpiod":
        return util.find_spec(module) is not None  # importing lgpio writes where it stands
    try:
        # Debian 12's python3-libgpiod is of another generation, under the same name.
        return hasattr(importlib.import_module("gpiod"), "LineSettings")
    except ImportError:
        return False


def space(path: Path) -> Space:
    """Of the file system that `path` is on. Raises OSError."""
    found = os.statvfs(path)
    return Space(found.f_bavail * found.f_frsize, bool(found.f_flag & os.ST_RDONLY))


def user() -> User:
    """Who runs this, with the groups of this very session."""
    import grp  # noqa: PLC0415
    import pwd  # noqa: PLC0415

    names = {group.gr_gid: group.gr_name for group in grp.getgrall()}
    groups = {*os.getgroups(), os.getegid()}
    number = os.geteuid()
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:
        name = str(number)
    return User(name, number == 0, frozenset(names.get(gid, str(gid)) for gid in groups))


def may_open(path: Path) -> bool:
    """Whether this user may read and write `path`."""
    return os.access(path, os.R_OK | os.W_OK)


class Places(Struct, frozen=True, kw_only=True):
    """Where everything is looked up."""

    sys: Path = Path("/sys")
    proc: Path = Path("/proc")
    dev: Path = Path("/dev")
    run: Path = Path("/run")
    etc: Path = Path("/etc")
    state: Path = Path("/var/lib/rearguard")
    environ: Mapping[str, str] = os.environ
    command: Callable[[Sequence[str]], str | None] = command
    version: Callable[[str], str | None] = version
    usable: Callable[[str], bool] = usable
    space: Callable[[Path], Space] = space
    user: Callable[[], User] = user
    may_open: Callable[[Path], bool] = may_open


Unit = dict[str, str]
"""Properties as systemctl shows them; none where there is no service."""


def examine(
    settings: Settings | RearguardError, path: Path | None, places: Places | None = None
) -> list[Finding]:
    """Look at everything. `settings` are those of the file at `path`, or why it has none."""
    places = places or Places()
    model, unit = boot.model(places.proc), _unit(places)
    mine = settings if isinstance(settings, Settings) else None
    mock = mine is not None and mine.gpio.factory == "mock"
    found = [_board(model), *_configuration(settings, path)]
    if mock:
        what = 'gpio.factory = "mock": all is simulated, no pin is driven'
        found.append(Finding("GPIO chip", "warn", what, 'on a Pi set gpio.factory = "auto"'))
    elif mine is not None or model is not None:
        header, looked = _chip(places, unit)
        found.append(looked)
        if header and mine is not None:
            found += _lines(mine, unit)
        if mine is not None and (header or model is not None):
            found.append(_factory(mine, places))
    found.append(_packages(mine, places))
    if mine is not None and sensors.model(mine.sensor).serial and not mock:
        found += _serial(mine.sensor.port, model, places, unit)
    if model is not None:
        found += _outputs(places)
        found += _power(model, places)
        found += _temperature(places)
        found += _watchdog(places)
    found += _clock(places)
    found.append(_history(mine, places))
    found += _service(unit, places)
    return found


def lines(found: Iterable[Finding]) -> Iterator[str]:
    """A line for each, for a person."""
    for one in found:
        remedy = f"; {one.remedy}" if one.remedy else ""
        yield f"{MARKS[one.state]:5} {one.name:14} {one.what}{remedy}"


def good(found: Iterable[Finding]) -> bool:
    """Whether nothing is bad."""
    return all(one.state != "bad" for one in found)


# ---------------------------------------------------------------- settings and board


def _board(model: str | None) -> Finding:
    if model is None:
        what = "this is no Raspberry Pi; what only a Pi has is left out"
        return Finding("board", "note", what)
    return Finding("board", "ok", model)


def _configuration(settings: Settings | RearguardError, path: Path | None) -> Iterator[Finding]:
    name = "configuration"
    if isinstance(settings, Settings):
        yield Finding(name, "ok", check.source_name(path))
    else:
        yield Finding(name, "bad", " ".join(str(settings).split()))
    for place in config.PLACES:
        if path is not None and place != path and place.exists():
            what = f"{place} is there too and does not count: {path} comes first"
            yield Finding(name, "note", what, "keep one of them")


# ---------------------------------------------------------------- pins


def _chip(places: Places, unit: Unit) -> tuple[bool, Finding]:
    """Whether the header can be asked, and what there is to say of it."""
    name = "GPIO chip"
    try:
        return True, Finding(name, "ok", f"{chip.header_chip()} is the header")
    except HardwareError as error:
        if not isinstance(error.__cause__, PermissionError):
            return False, Finding(name, "bad", str(error))
        return False, _closed(name, error.__cause__.filename or "its chip", "gpio", places, unit)


def _closed(name: str, what: object, group: str, places: Places, unit: Unit) -> Finding:
    """This user may not open `what`. The service has a permission of its own."""
    said, remedy = f"{what}: {places.user().name} may not open it", _join(group, places)
    if unit.get("LoadState") == "loaded":
        return Finding(name, "note", f"{said}; the service may", remedy)
    return Finding(name, "bad", said, remedy)


def _lines(settings: Settings, unit: Unit) -> Iterator[Finding]:
    name, pins, ours, busy = "GPIO lines", boot.pins(settings), False, False
    for setting, number in pins.items():
        holder = chip.line_holder(number)
        if holder is None:
            continue
        if _is_ours(holder, unit):
            ours = True
            continue
        busy = True
        yield Finding(
            name,
            "bad",
            f"{setting} = {number}: GPIO{number} is held by {holder}",
            "end that program, or choose another pin",
        )
    if not busy:
        numbers = ", ".join(str(number) for number in pins.values())
        whose = "held by the running rearguard" if ours else "nobody else holds one"
        yield Finding(name, "ok", f"GPIO {numbers}: {whose}")


def _is_ours(holder: str, unit: Unit) -> bool:
    """Whether a line's holder, in line_holder's words, is a rearguard that runs."""
    if (who := re.search(r"(\S+) \(process (\d+)\)", holder)) is not None:
        return who[1] == "rearguard" or who[2] == unit.get("MainPID") or '"rearguard"' in holder
    # Another user's programs are not seen; a service that runs has its lines itself.
    return '"rearguard"' in holder or unit.get("ActiveState") == "active"


def _factory(settings: Settings, places: Places) -> Finding:
    name, wanted = "pin factory", settings.gpio.factory
    if wanted != "auto":
        module = {"gpiod": "gpiod", "lgpio": "lgpio", "rpigpio": "RPi", "pigpio": "pigpio"}
        if wanted in module and not places.usable(module[wanted]):
            what = f'gpio.factory = "{wanted}": its library is not installed'
            return Finding(name, "bad", what, 'install it, or set factory = "auto"')
        return Finding(name, "ok", f"{wanted}, as set")
    if (told := places.environ.get("GPIOZERO_PIN_FACTORY")) is not None:
        return Finding(name, "note", f"auto: {told}, by GPIOZERO_PIN_FACTORY in the environment")
    for module_name in ("gpiod", "lgpio"):
        if places.usable(module_name):
            return Finding(name, "ok", f"auto: {module_name}")
    return Finding(
        name,
        "warn",
        "auto: gpiozero's own choice, as neither gpiod nor lgpio is installed",
        "apt install python3-lgpio, or pip install gpiod",
    )


def _outputs(places: Places) -> Iterator[Finding]:
    name = "GPIO outputs"
    parameters = places.sys.glob("module/pinctrl_*/parameters/persist_gpio_outputs")
    told = [text for path in sorted(parameters) if (text := _text(path)) is not None]
    if not told:
        what = "whether the kernel keeps those of a program that died cannot be told"
        yield Finding(name, "note", what, "kernels from spring 2024 on can say")
    elif "Y" in told:
        what = "the kernel keeps those of a program that was killed: a buzz may stay on"
        yield Finding(name, "warn", what, "sudo rearguard setup --strict-gpio --write, and reboot")
    else:
        yield Finding(name, "ok", "the kernel lets go of those of a program that died")


# ---------------------------------------------------------------- software


def _packages(settings: Settings | None, places: Places) -> Finding:
    needed = {"gpiozero": "python3-gpiozero", "msgspec": "python3-msgspec"}
    if settings is not None and sensors.model(settings.sensor).serial:
        needed["pyserial"] = "python3-serial"
    names = ("gpiozero", "msgspec", "pyserial", "gpiod", "lgpio", "rpi-lgpio", "RPi.GPIO")
    found = {name: said for name in names if (said := places.version(name)) is not None}
    python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    what = ", ".join((python, *(f"{name} {said}" for name, said in found.items())))
    missing = [name for name in needed if name not in found]
    if missing:
        remedy = "apt install " + " ".join(needed[name] for name in missing)
        return Finding("packages", "bad", f"{what}; missing: {', '.join(missing)}", remedy)
    if re.match(r"[01]\.", found["gpiozero"]):
        return Finding("packages", "bad", what, "gpiozero must be 2.0 or newer")
    return Finding("packages", "ok", what)


# ---------------------------------------------------------------- the serial port


def _serial(port: str, model: str | None, places: Places, unit: Unit) -> Iterator[Finding]:
    name = "serial port"
    path = places.dev / port.removeprefix("/dev/") if port.startswith("/dev/") else Path(port)
    if model is not None and boot.PI_5.match(model) and port == "/dev/serial0":
        what = f"sensor.port = {port} is not on the header of a Pi 5"
        yield Finding(name, "warn", what, 'set sensor.port = "/dev/ttyAMA0"')
    if not path.exists():
        on_header = model is not None and boot.HEADER_PORT.match(port)
        remedy = "sudo rearguard setup --serial --write, and reboot" if on_header else "plug it in"
        yield Finding(name, "bad", f"sensor.port = {port}: no such port", remedy)
        return
    real = path.resolve()
    complaints = list(_port_complaints(port, real, places, unit))
    yield from complaints
    if not complaints:
        also = "" if real.name == Path(port).name else f", which is {real.name}"
        yield Finding(name, "ok", f"{port}{also}: no console on it, and it may be opened")


def _port_complaints(port: str, real: Path, places: Places, unit: Unit) -> Iterator[Finding]:
    name = "serial port"
    words = (_text(places.proc / "cmdline") or "").split()
    told = {
        word.removeprefix("console=").split(",")[0] for word in words if word.startswith("console=")
    }
    used = {
        line.split()[0]
        for line in (_text(places.proc / "consoles") or "").splitlines()
        if line.strip()
    }
    if {real.name, Path(port).name} & (told | used):
        what = f"{port}: the kernel's console is on it"
        yield Finding(name, "bad", what, "sudo rearguard setup --serial --write, and reboot")
    getty = f"serial-getty@{real.name}.service"
    shown = places.command(["systemctl", "show", getty, "-p", "ActiveState"])
    if shown is not None and shown.strip() == "ActiveState=active":
        remedy = f"sudo systemctl disable --now {getty.removesuffix('.service')}"
        yield Finding(name, "bad", f"{port}: a login prompt is on it", remedy)
    else:
        for holder in procs.holders(lambda link: _leads_to(link, real)):
            if not _is_ours(holder, unit):
                yield Finding(name, "bad", f"{port}: held by {holder}", "end that program")
    if not places.may_open(real):
        yield _closed(name, port, "dialout", places, unit)


def _leads_to(link: Path, device: Path) -> bool:
    try:
        return link.readlink() == device
    except OSError:  # closed since
        return False


# ---------------------------------------------------------------- power and heat


def _power(model: str, places: Places) -> Iterator[Finding]:
    name = "voltage"
    alarm = _alarm(places)
    bits = _throttled(places)
    if "Zero" in model:
        yield Finding(name, "note", "whether it is too low cannot be told on this model")
        bits = None if bits is None else bits & ~(1 | 1 << EARLIER)
    elif alarm or (bits or 0) & 1:
        remedy = "a stronger supply, a shorter cable, a charged battery"
        yield Finding(name, "bad", "too low at this moment", remedy)
    elif (bits or 0) & 1 << EARLIER:
        remedy = "a stronger supply, a shorter cable, a charged battery"
        yield Finding(name, "warn", "has been too low since the start", remedy)
    elif alarm is None and bits is None:
        yield Finding(name, "note", "this kernel does not tell")
    else:
        yield Finding(name, "ok", "enough")
    yield from _throttling(bits)


def _throttling(bits: int | None) -> Iterator[Finding]:
    name = "throttling"
    if bits is None:
        yield Finding(name, "note", "this kernel does not tell", "try: vcgencmd get_throttled")
        return
    now = [what for bit, what in NOW.items() if bits & bit and bit != 1]
    before = [what for bit, what in NOW.items() if bits & bit << EARLIER and bit != 1]
    remedy = "cool it, and see to its power"
    if now:
        yield Finding(name, "warn", f"at this moment: {', '.join(now)}", remedy)
    elif before:
        yield Finding(name, "note", f"since the start: {', '.join(before)}", remedy)
    else:
        yield Finding(name, "ok", "none")


def _alarm(places: Places) -> bool | None:
    """The kernel's alarm of undervoltage; None where it has none."""
    for folder in sorted(places.sys.glob("class/hwmon/hwmon*")):
        if _text(folder / "name") == "rpi_volt":
            text = _text(folder / "in0_lcrit_alarm")
            return None if text is None else text != "0"
    return None


def _throttled(places: Places) -> int | None:
    """The firmware's bits, from the kernel or else from its own command; None where neither is."""
    for path in sorted(places.sys.glob("devices/platform/soc*/soc*:firmware/get_throttled")):
        if (text := _text(path)) is not None:
            return _hexadecimal(text)
    said = places.command(["vcgencmd", "get_throttled"])
    return None if said is None else _hexadecimal(said.strip().removeprefix("throttled="))


def _hexadecimal(text: str) -> int | None:
    try:
        return int(text, 16)
    except ValueError:
        return None


def _temperature(places: Places) -> Iterator[Finding]:
    text = _text(places.sys / "class/thermal/thermal_zone0/temp")
    if text is None or not re.fullmatch(r"-?\d+", text):
        return
    warmth_c = int(text) / 1000
    if warmth_c < HOT_C:
        yield Finding("temperature", "ok", f"{warmth_c:.0f} °C")
    else:
        yield Finding("temperature", "warn", f"{warmth_c:.0f} °C", "out of the sun, and air to it")


# ---------------------------------------------------------------- around it


def _watchdog(places: Places) -> Iterator[Finding]:
    shown = places.command(["systemctl", "show", "-p", "RuntimeWatchdogUSec"])
    if not shown or "=" not in shown:
        return
    span = shown.strip().partition("=")[2]
    if span in ("0", "infinity"):
        what = "the hardware watchdog is off: a Pi whose kernel hangs stays as it is"
        remedy = "RuntimeWatchdogSec=15s in /etc/systemd/system.conf, and reboot"
        yield Finding("watchdog", "note", what, remedy)
    else:
        yield Finding("watchdog", "ok", f"a Pi whose kernel hangs starts anew after {span}")


def _clock(places: Places) -> Iterator[Finding]:
    name = "clock"
    if (places.run / "systemd/timesync/synchronized").exists():
        yield Finding(name, "ok", "synchronised")
        return
    shown = places.command(["timedatectl", "show", "-p", "NTPSynchronized", "--value"])
    if shown and shown.strip() == "yes":
        yield Finding(name, "ok", "synchronised")
    elif shown and shown.strip() == "no":
        yield Finding(name, "note", "not synchronised; rearguard does not go by the time of day")
    else:
        yield Finding(name, "note", "whether it is synchronised cannot be told; no matter")


def _history(settings: Settings | None, places: Places) -> Finding:
    """Room for journals. Want of it costs the history, never a warning."""
    name = "history"
    if settings is not None and not settings.journal.enabled:
        return Finding(name, "ok", "no journals are kept: journal.enabled = false")
    most_mb = (settings or Settings()).journal.most_mb
    journals = places.state / "journals"
    try:
        found = places.space(_nearest(journals))
        kept = sum(path.stat().st_size for path in journals.glob("*"))
    except OSError as error:
        return Finding(name, "note", f"{journals}: cannot be looked at ({error.strerror})")
    what = f"{found.free_bytes / MB:,.0f} MB free for {journals}"
    if found.read_only:
        what = f"{journals} is on a read-only file system: warnings go on, no journal is kept"
        return Finding(name, "warn", what, "make it writable, or set journal.enabled = false")
    if found.free_bytes + kept < most_mb * MB:
        remedy = "free space, or set journal.most_mb lower"
        return Finding(name, "warn", f"only {what}, which may take {most_mb} MB", remedy)
    return Finding(name, "ok", what)


def _nearest(path: Path) -> Path:
    """`path`, or what is there of it."""
    return next(place for place in (path, *path.parents) if place.exists())


def _unit(places: Places) -> Unit:
    keys = "LoadState,ActiveState,SubState,Result,NRestarts,UnitFileState,StatusText,MainPID"
    shown = places.command(["systemctl", "show", UNIT, "-p", keys])
    pairs = (line.partition("=") for line in (shown or "").splitlines())
    return {key: value for key, mark, value in pairs if mark}


def _service(unit: Unit, places: Places) -> Iterator[Finding]:
    name = "service"
    if not unit:
        yield Finding(name, "note", "no systemd here: rearguard runs when it is started by hand")
        return
    if unit.get("LoadState") != "loaded":
        what = f"no {UNIT} is installed: rearguard runs when it is started by hand"
        yield Finding(name, "note", what)
        return
    yield _standing(unit)
    if unit.get("UnitFileState") == "disabled":
        remedy = "sudo systemctl enable rearguard"
        yield Finding(name, "warn", "does not start by itself when the Pi does", remedy)
    me, members = places.user(), _members(places)
    if not me.root and GROUP in members and GROUP not in me.groups:
        what = f"{me.name} may not ask it: rearguard status is for group {GROUP}"
        yield Finding("status", "note", what, _join(GROUP, places))


def _standing(unit: Unit) -> Finding:
    name = "service"
    active, sub, result = (unit.get(key, "") for key in ("ActiveState", "SubState", "Result"))
    restarts = int(unit["NRestarts"]) if unit.get("NRestarts", "").isdecimal() else 0
    again = f", restarted {restarts} time{'s' * (restarts > 1)}" if restarts else ""
    log = "see journalctl -u rearguard"
    said = f": {unit['StatusText']}" if unit.get("StatusText") else ""
    if active == "active":
        if "FAULT" in said:
            return Finding(name, "bad", f"running{again}{said}", "rearguard status says more")
        if "refused" in said or "without" in said or "safe settings" in said:
            return Finding(name, "warn", f"running{again}{said}", "rearguard status says why")
        if restarts:
            return Finding(name, "warn", f"running{again}{said}", log)
        return Finding(name, "ok", f"running{said}")
    if active == "activating" and sub != "auto-restart":
        return Finding(name, "note", f"starting{again}{said}", "ask again in a few seconds")
    if active == "failed" or sub == "auto-restart" or result not in ("", "success"):
        return Finding(name, "bad", f"{active}, {sub} ({result}){again}", log)
    return Finding(name, "note", f"stopped ({active})", "sudo systemctl start rearguard")


# ---------------------------------------------------------------- looking things up


def _members(places: Places) -> dict[str, list[str]]:
    """The groups there are, and who is in them from the next login on."""
    fields = (line.split(":") for line in (_text(places.etc / "group") or "").splitlines())
    return {field[0]: field[3].split(",") for field in fields if len(field) == 4}


def _join(group: str, places: Places) -> str:
    """How this user comes into `group`."""
    name = places.user().name
    if name in _members(places).get(group, []):
        return f"{name} is in group {group} from the next login on: log in again"
    return f"sudo usermod -aG {group} {name}, and log in again"


def _text(path: Path) -> str | None:
    """What a file of the kernel's says; None where there is none or it may not be read."""
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return None
