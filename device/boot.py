"""What the Raspberry Pi's boot files say, and what they would have to say for rearguard.

Three things can only be had at boot. Strict GPIO: the kernel lets go of a pin when its process
dies, so that a killed daemon leaves no buzzer on. The serial port on the header, with no login
console on it. A shutdown button in the kernel's hands. The firmware reads `config.txt` line by
line; `[pi4]` and its like hold for what follows them until `[all]`, so our lines go to the very
end, under `[all]`. What is there already, in any spelling that counts on this board, is left as
it is. Nothing is written unless told; then a copy is kept beside the file, and the file is
replaced as a whole, since a Pi with half of one does not boot.
"""

import contextlib
import difflib
import errno
import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from device import files, sensors
from device.errors import InputError
from device.settings import Settings

BACKUP = ".rearguard-bak"
COMMENT = "# Set by rearguard setup"
WAKES = 3
"""The GPIO that also wakes a Pi that was shut down."""
HEADER_PORT = re.compile(r"/dev/(serial[01]|ttyAMA[0-9]|ttyS0)$")
UART_PINS = (14, 15)
I2C_PINS = (2, 3)
MOST_INCLUDES = 8
PI_5 = re.compile(r"Raspberry Pi (5\b|500|Compute Module 5)")
_CONSOLE = re.compile(r"[ \t]*(?<!\S)console=(?:serial0|ttyAMA0|ttyS0)(?:,\S*)?(?!\S)")
_PERSIST = re.compile(r"(?<!\S)pinctrl[_-]\w+\.persist_gpio_outputs=([nN0]|off)(?!\S)")
_MODELS = {
    "pi0": r"Zero", "pi0w": r"Zero (2 )?W", "pi02": r"Zero 2", "pi1": r"(Model|Compute Module Rev)",
    "pi2": r"2 ", "pi3": r"(3 |Compute Module 3)", "pi3+": r"3 Model [AB] Plus",
    "pi4": r"(4 |400|Compute Module 4)", "pi400": r"400", "cm4": r"Compute Module 4( |$)",
    "cm4s": r"Compute Module 4S", "pi5": r"(5 |500|Compute Module 5)", "pi500": r"500",
    "cm5": r"Compute Module 5",
}  # fmt: skip
"""Which boards a section is for, by what follows "Raspberry Pi " in their name."""
_OFF = ("off", "0", "no", "n", "false")
_PARAMETERS = ("dtparam", "dtparams", "device_tree_param", "device_tree_params")
_OVERLAYS = ("dtoverlay", "device_tree_overlay")
_FREE_UART = ("disable-bt", "pi3-disable-bt", "miniuart-bt", "pi3-miniuart-bt")
"""With these the good port is on the header, and on unless switched off."""


class Wanted(Struct, frozen=True, kw_only=True):
    """What to set. `shutdown_button` is its GPIO, None for no button."""

    strict_gpio: bool = False
    serial: bool = False
    shutdown_button: int | None = None

    def __bool__(self) -> bool:
        """Whether anything is."""
        return self.strict_gpio or self.serial or self.shutdown_button is not None

    def options(self) -> str:
        """As they are written on the command line."""
        options = ["--strict-gpio"] if self.strict_gpio else []
        options += ["--serial"] if self.serial else []
        if self.shutdown_button is not None:
            options.append(f"--shutdown-button {self.shutdown_button}")
        return " ".join(options)


class Change(Struct, frozen=True):
    """One file, as it is and as it would be."""

    path: Path
    before: str
    after: str


class Plan(Struct, frozen=True):
    """What there is, and what would change; `proposed` when nobody asked for it."""

    config: Path
    states: dict[str, str]
    wanted: Wanted
    changes: list[Change]
    notes: list[str]
    proposed: bool


class Button(Struct):
    """A shutdown button that is there already; `counts` is None where that cannot be told."""

    gpio: int
    counts: bool | None


class Found(Struct):
    """What `config.txt` says to this board."""

    strict: bool = False
    uart: bool | None = None
    uart0: bool = False
    freed: bool = False
    i2c: bool = False
    buttons: list[Button] = []
    prefix: str = ""
    cmdline: str = "cmdline.txt"
    ends_in_all: bool = True

    def port_is_on(self, model: str | None) -> bool:
        """The serial port on the header's pins; another one on a Pi 5."""
        if model is not None and PI_5.match(model):
            return self.uart0
        return self.freed if self.uart is None else self.uart


def model(proc: Path = Path("/proc")) -> str | None:
    """As the firmware tells it, "Raspberry Pi Zero 2 W Rev 1.0"; None on anything else."""
    try:
        name = (proc / "device-tree" / "model").read_text("utf-8", "replace").strip("\0\n ")
    except OSError:
        return None
    return name if name.startswith("Raspberry Pi") else None


def pins(settings: Settings) -> dict[str, int]:
    """Every GPIO that rearguard drives or hears, by its setting."""
    serial = sensors.model(settings.sensor).serial
    found = {}
    for table in Settings.__struct_fields__:
        section = getattr(settings, table)
        if not getattr(section, "enabled", True) or (table == "sensor" and serial):
            continue
        for key in section.__struct_fields__:
            if key == "pin" or key.endswith("_pin"):
                found[f"{table}.{key}"] = getattr(section, key)
    return found


def on_the_header(settings: Settings) -> bool:
    """Whether the sensor is on the serial port of the header, and not on pins or an adapter."""
    sensor = settings.sensor
    return sensors.model(sensor).serial and HEADER_PORT.match(sensor.port) is not None


def plan(
    settings: Settings,
    wanted: Wanted,
    boot: Path = Path("/boot"),
    proc: Path = Path("/proc"),
) -> Plan:
    """What would change for `wanted`; for nothing, what is proposed. Raises InputError."""
    config, board = _config(boot), model(proc)
    text = _read(config)
    found = read(text, config.parent, board)
    cmdline = config.parent / f"{found.prefix}{found.cmdline}"
    arguments = _read(cmdline) if cmdline.is_file() else ""
    strict = found.strict or _PERSIST.search(_first(arguments)) is not None
    port, console = found.port_is_on(board), _CONSOLE.search(_first(arguments)) is not None
    proposed = not wanted
    if proposed:
        serial = on_the_header(settings) and (console or not port)
        wanted = Wanted(strict_gpio=not strict, serial=serial)
    _refuse(settings, wanted, found)
    add = []
    if wanted.strict_gpio and not strict:
        add.append("dtparam=strict_gpiod")
    if wanted.serial and not port:
        add.append("dtparam=uart0=on" if board and PI_5.match(board) else "enable_uart=1")
    button = wanted.shutdown_button
    if button is not None and not any(known.counts for known in found.buttons):
        add.append(f"dtoverlay=gpio-shutdown,gpio_pin={button}")
    changes = [Change(config, text, _added(text, add, found.ends_in_all))] if add else []
    if wanted.serial and console:
        changes.append(Change(cmdline, arguments, _without_console(arguments)))
    states = {
        "strict GPIO": "on" if strict else "off: a daemon that is killed may leave an output on",
        "serial port": ("on" if port else "off") + (", with a console on it" if console else ""),
        "shutdown button": ", ".join(
            f"GPIO{known.gpio}{'' if known.counts else ' (on some boards)'}"
            for known in found.buttons
            if known.counts is not False
        )
        or "none",
    }
    notes = list(_notes(settings, wanted, found, board))
    return Plan(config, states, wanted, changes, notes, proposed)


def lines(made: Plan) -> Iterator[str]:
    """The plan for a person: what there is, what would change, and how to have it done."""
    yield f"{'boot files':15} {made.config}"
    for name, state in made.states.items():
        yield f"{name:15} {state}"
    yield ""
    for change in made.changes:
        yield from _diff(change)
        yield ""
    for note in made.notes:
        yield f"note: {note}"
    if not made.changes:
        yield "nothing to change" if made.wanted else "nothing to propose"
    else:
        yield f"nothing was changed. To do it: sudo rearguard setup {made.wanted.options()} --write"


def write(made: Plan) -> Iterator[str]:
    """Do it, a line for each file that was replaced. Raises InputError."""
    if made.proposed:
        raise InputError(
            "setup --write: say what to set: --strict-gpio, --serial or --shutdown-button"
        )
    for change in made.changes:
        path = change.path
        if _read(path) != change.before:
            raise InputError(f"{path}: somebody else changed it just now; run setup again")
        backup = path.with_name(path.name + BACKUP)
        try:
            was = path.stat()
            if not backup.exists():  # the first is of what was there before rearguard
                files.replace(backup, _encoded(change.before), was)
            files.replace(path, _encoded(change.after), was)
        except OSError as error:
            raise InputError(_refusal(path, error, made.wanted)) from error
        yield f"{path}: changed; as it first was: {backup}"
    for note in made.notes:
        yield f"note: {note}"
    yield "reboot for it to count" if made.changes else "nothing to change"


# ---------------------------------------------------------------- reading


def read(text: str, folder: Path, board: str | None) -> Found:
    """What a `config.txt` in `folder` says to `board`."""
    found = Found()
    held: dict[str, bool | None] = {}
    overlay = ""
    for line in _included(text, folder):
        if line.startswith("["):
            _hold(held, line.strip("[]"), board)
            continue
        counts = _all(held)
        key, _, value = line.partition("=")
        if key in _PARAMETERS:
            _parameters(found, value.split(","), overlay, counts)
        elif key in _OVERLAYS:
            overlay, *rest = value.split(",")
            if overlay == "gpio-shutdown":
                found.buttons = [*found.buttons, Button(WAKES, counts)]
            elif counts:
                found.freed = found.freed or overlay in _FREE_UART
                found.uart0 = found.uart0 or overlay == "uart0-pi5"
            _parameters(found, rest, overlay, counts)
        elif counts and key == "enable_uart":
            found.uart = value.isdecimal() and int(value) != 0
        elif counts and key == "os_prefix":
            found.prefix = value
        elif counts and key == "cmdline":
            found.cmdline = value
    found.ends_in_all = not held
    return found


def _included(text: str, folder: Path, depth: int = 0) -> Iterator[str]:
    """The lines that say something, those of included files in their place."""
    for raw in text.split("\n"):
        line = raw.strip().removeprefix("\ufeff")
        if not line or line.startswith("#"):
            continue
        name = re.match(r"include\s+(\S+)$", line)
        if name is None:
            yield line
        elif depth < MOST_INCLUDES:
            with contextlib.suppress(OSError, InputError):
                yield from _included(_read(folder / name[1]), folder, depth + 1)


def _parameters(found: Found, given: list[str], overlay: str, counts: bool | None) -> None:
    """After an overlay its own parameters come first, then the board's."""
    for parameter in given:
        name, _, value = parameter.partition("=")
        if overlay == "gpio-shutdown" and name == "gpio_pin" and value.isdecimal():
            found.buttons[-1].gpio = int(value)
        elif counts and name == "strict_gpiod":
            # The device tree takes it as given, whatever the value; who writes "off" means off.
            found.strict = value not in _OFF
        elif counts and name in ("uart0", "uart0_console"):
            found.uart0 = value not in _OFF
        elif counts and name in ("i2c_arm", "i2c", "i2c1"):
            found.i2c = value not in _OFF


def _hold(held: dict[str, bool | None], name: str, board: str | None) -> None:
    """A section begins: those of one kind replace each other, those of several add up."""
    if name == "all":
        held.clear()
    elif name == "none":
        held["model"] = False
    elif name in _MODELS:
        pattern = rf"Raspberry Pi {_MODELS[name]}"
        held["model"] = None if board is None else re.match(pattern, board) is not None
    else:
        held[re.split(r"[=\d]", name)[0]] = None


def _all(held: dict[str, bool | None]) -> bool | None:
    if False in held.values():
        return False
    return None if None in held.values() else True


def _config(boot: Path) -> Path:
    for path in (boot / "firmware" / "config.txt", boot / "config.txt"):
        if path.is_file():
            if "DO NOT EDIT THIS FILE" in _read(path)[:200]:
                raise InputError(
                    f"{path}: says that it has moved to {boot / 'firmware'}, and nothing is there;"
                    " mount the boot partition"
                )
            return path.resolve()
    raise InputError(
        f"no config.txt in {boot / 'firmware'} or {boot}: this is no Raspberry Pi, or its boot"
        " partition is not mounted; run setup on the Pi"
    )


def _read(path: Path) -> str:
    """Byte for byte; what is no UTF-8 survives a round trip."""
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; it must be readable") from error


def _first(arguments: str) -> str:
    """Only the first line of cmdline.txt counts."""
    return arguments.split("\n", 1)[0].removesuffix("\r")


# ---------------------------------------------------------------- judging


def _refuse(settings: Settings, wanted: Wanted, found: Found) -> None:
    """Raise InputError for a button where it cannot be."""
    gpio = wanted.shutdown_button
    if gpio is None:
        return
    named = f"--shutdown-button {gpio}"
    if not 2 <= gpio <= 27:
        raise InputError(f"{named}: give a GPIO number, 2 to 27")
    for setting, pin in pins(settings).items():
        if pin == gpio and setting == "button.pin":
            raise InputError(
                f"{named}: button.pin has GPIO{gpio}, and that button shuts down when it is held;"
                " leave one of them out"
            )
        if pin == gpio:
            raise InputError(f"{named}: {setting} has GPIO{gpio}; choose another pin")
    if gpio in UART_PINS and (wanted.serial or found.uart or on_the_header(settings)):
        raise InputError(f"{named}: GPIO 14 and 15 are the serial port; choose another pin")
    if gpio in I2C_PINS and found.i2c:
        raise InputError(
            f"{named}: I2C is on in the boot configuration and has GPIO 2 and 3; choose another"
            " pin, or switch I2C off"
        )
    for known in found.buttons:
        if known.counts is not False and (known.gpio != gpio or known.counts is None):
            raise InputError(
                f"{named}: the boot configuration has a shutdown button on GPIO{known.gpio}"
                " already; take out its dtoverlay=gpio-shutdown line, or leave it at that"
            )


def _notes(settings: Settings, wanted: Wanted, found: Found, board: str | None) -> Iterator[str]:
    """What a boot file cannot do by itself."""
    if wanted.serial:
        yield from _serial_notes(settings, found, board)
    if wanted.shutdown_button is not None:
        where = f"GPIO{wanted.shutdown_button}"
        yield f"the button goes between {where} and ground and shuts the Pi down at once"
        if wanted.shutdown_button != WAKES:
            yield f"only GPIO{WAKES} also wakes a Pi that was shut down"


def _serial_notes(settings: Settings, found: Found, board: str | None) -> Iterator[str]:
    newest = board is not None and PI_5.match(board) is not None
    name = "ttyAMA0" if newest else "ttyS0"
    yield f"also: sudo systemctl disable --now serial-getty@{name}; a login types at the sensor"
    if newest and settings.sensor.port == "/dev/serial0":
        yield 'on a Pi 5 /dev/serial0 is not on the header: set sensor.port = "/dev/ttyAMA0"'
    if newest and found.uart:
        yield "enable_uart=1 may put a console on the header of a Pi 5: take it out of config.txt"
    if sensors.model(settings.sensor).serial and not on_the_header(settings):
        yield f"sensor.port = {settings.sensor.port} is an adapter, which needs none of this"


# ---------------------------------------------------------------- changing


def _added(text: str, add: list[str], ends_in_all: bool) -> str:
    """Our lines at the end, in an [all] section, with the file's own line ends."""
    end = "\r\n" if "\r\n" in text else "\n"
    gap = "" if not text or text.endswith("\n") else end
    section = [] if ends_in_all and re.search(r"^\s*\[all\]", text, re.MULTILINE) else ["", "[all]"]
    return text + gap + "".join(f"{line}{end}" for line in (*section, COMMENT, *add))


def _without_console(arguments: str) -> str:
    first = _first(arguments)
    return _CONSOLE.sub("", first).lstrip(" \t") + arguments[len(first) :]


def _diff(change: Change) -> Iterator[str]:
    before, after = (_shown(text) for text in (change.before, change.after))
    new = f"{change.path} (new)"
    for line in difflib.unified_diff(before, after, str(change.path), new, lineterm=""):
        yield line.rstrip("\r\n")


def _shown(text: str) -> list[str]:
    seen = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return seen.removesuffix("\n").split("\n")


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _refusal(path: Path, error: OSError, wanted: Wanted) -> str:
    remedies = {
        errno.EACCES: f"root only: sudo rearguard setup {wanted.options()} --write",
        errno.EPERM: f"root only: sudo rearguard setup {wanted.options()} --write",
        errno.EROFS: f"sudo mount -o remount,rw {path.parent}, then again",
        errno.ENOSPC: f"make room in {path.parent}, then again",
    }
    remedy = remedies.get(error.errno or 0, "see dmesg")
    return f"{path}: not changed ({error.strerror}); {remedy}"
