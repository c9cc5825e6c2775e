"""The board: gpiozero's factories by name, and a mock board that gpiozero itself believes."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from gpiozero import Button, Device, DistanceSensor
from gpiozero.exc import PinPWMUnsupported, PinSetInput, PinUnknownPi, PWMSoftwareFallback
from gpiozero.pins.mock import MockFactory

from device.clock import PacedClock, VirtualClock
from device.errors import HardwareError, RearguardError
from device.pins import chip, claim, kernel_stamps, open_board
from device.pins.mock import MockBoard, MockPin
from device.settings import Settings
from device.sim.rig import Rig
from device.sim.scenario import Air, Obstacle, Scenario, Walker
from tests.test_chip import HEADER_4, Kernel

WALL_M = 2.0
GPIOZEROS_SOUND_MPS = 343.26
"""What gpiozero takes the speed of sound to be."""


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def board(clock: VirtualClock) -> Iterator[MockBoard]:
    board = MockBoard(clock)
    yield board
    board.close()


@pytest.fixture
def no_default_factory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """gpiozero as it is in a fresh process, with nothing chosen in the environment, and no chip."""
    monkeypatch.setattr(Device, "pin_factory", None)
    monkeypatch.setattr(chip, "DEV", tmp_path / "none")
    for name in ("GPIOZERO_PIN_FACTORY", "RPI_LGPIO_CHIP"):
        monkeypatch.setenv(name, "")  # so that what is set meanwhile is taken back
        monkeypatch.delenv(name)
    return monkeypatch


class Ear:
    """Hears edges; kept by whoever hangs it on a pin, which only holds it weakly."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, bool]] = []

    def on_edge(self, ticks: float, level: bool) -> None:
        self.heard.append((ticks, level))


# ---------------------------------------------------------------- the mock board


def test_ticks_come_from_the_injected_clock(clock: VirtualClock, board: MockBoard) -> None:
    assert board.ticks() == 0.0
    clock.wait_until(12.345678)
    assert board.ticks() == 12.345678
    assert board.ticks_diff(12.5, 12.0) == 0.5


def test_edges_are_stamped_by_the_injected_clock(clock: VirtualClock, board: MockBoard) -> None:
    line, ear = board.line(24), Ear()
    line.input_with_pull("down")
    line.when_changed = ear.on_edge
    clock.at(0.0105, lambda: line.drive(True))
    clock.at(0.0222, lambda: line.drive(False))
    clock.wait_until(1.0)
    assert ear.heard == [(0.0105, True), (0.0222, False)]


def test_there_is_one_callback_for_each_edge_and_none_without_one(board: MockBoard) -> None:
    line, ear = board.line(24), Ear()
    line.input_with_pull("down")
    line.when_changed = ear.on_edge
    for high in (True, True, False, False, False, True):
        line.drive(high)
    assert [level for _, level in ear.heard] == [True, False, True]


def test_edges_while_there_is_no_callback_are_gone(board: MockBoard) -> None:
    line, ear = board.line(24), Ear()
    line.input_with_pull("down")
    line.drive(True)
    line.when_changed = ear.on_edge
    assert ear.heard == []
    assert line.state
    line.drive(False)
    line.when_changed = None
    line.drive(True)
    line.drive(False)
    assert [level for _, level in ear.heard] == [False]


def test_a_callback_whose_owner_is_gone_is_dropped(board: MockBoard) -> None:
    line, ear = board.line(24), Ear()
    line.when_changed = ear.on_edge
    del ear
    line.drive(not line.state)
    assert line.when_changed is None


@pytest.mark.parametrize(
    ("edges", "heard"),
    [("both", [True, False]), ("none", []), ("rising", [True]), ("falling", [False])],
)
def test_only_the_edges_that_are_wanted_are_heard(
    board: MockBoard, edges: str, heard: list[bool]
) -> None:
    line, ear = board.line(24), Ear()
    line.input_with_pull("down")
    line.edges = edges
    line.when_changed = ear.on_edge
    line.drive(True)
    line.drive(False)
    assert [level for _, level in ear.heard] == heard


def test_a_watcher_sees_each_change_of_an_output_with_its_time(
    clock: VirtualClock, board: MockBoard
) -> None:
    line = board.line(13)
    seen: list[tuple[float, float]] = []
    line.watch(lambda t_s, level: seen.append((t_s, level)))
    line.output_with_state(0)
    line.frequency = 200
    for t_s, level in ((0.1, 1.0), (0.16, 0.8), (0.2, 0.8), (0.3, 0.0), (0.4, 1)):
        clock.wait_until(t_s)
        line.state = level
    clock.wait_until(0.5)
    line.frequency = None
    assert seen == [(0.1, 1.0), (0.16, 0.8), (0.3, 0.0), (0.4, 1.0), (0.5, 0.0)]


def test_every_watcher_is_told_and_none_hears_the_far_end_drive_an_input(board: MockBoard) -> None:
    line = board.line(13)
    first: list[float] = []
    second: list[float] = []
    line.watch(lambda _t_s, level: first.append(level))
    line.watch(lambda _t_s, level: second.append(level))
    line.drive(True)
    line.drive(False)
    line.function = "output"
    line.state = 1
    assert first == second == [1.0]


def test_driving_an_output_from_the_far_end_does_nothing(board: MockBoard) -> None:
    line = board.line(18)
    line.output_with_state(0)
    line.drive(True)
    assert line.level == 0.0


def test_an_input_cannot_be_written(board: MockBoard) -> None:
    line = board.line(24)
    with pytest.raises(PinSetInput):
        line.state = 1


@pytest.mark.parametrize("number", range(2, 28))
def test_every_line_of_the_header_has_pwm(board: MockBoard, number: int) -> None:
    line = board.line(number)
    assert isinstance(line, MockPin)
    line.output_with_state(0)
    line.frequency = 440
    line.state = 0.25
    assert (line.frequency, line.level) == (440, 0.25)
    line.frequency = None
    assert (line.frequency, line.level) == (None, 0.0)


@pytest.mark.parametrize(("pull", "level"), [("up", 1.0), ("down", 0.0)])
def test_a_pull_sets_an_input_that_nothing_drives(
    board: MockBoard, pull: str, level: float
) -> None:
    line = board.line(24)
    line.input_with_pull(pull)
    assert (line.pull, line.level) == (pull, level)
    assert bool(line.state) is bool(level)


def test_the_far_end_overrides_a_pull(board: MockBoard) -> None:
    line = board.line(24)
    line.input_with_pull("down")
    line.drive(True)
    assert line.level == 1.0


def test_the_far_end_and_the_device_have_the_same_line(board: MockBoard) -> None:
    assert board.line(24) is board.pin("GPIO24")
    assert board.line(24) is not board.line(23)


def test_a_line_given_back_is_an_input_without_callback_or_pwm(board: MockBoard) -> None:
    line, ear = board.line(13), Ear()
    line.when_changed = ear.on_edge
    line.output_with_state(0)
    line.frequency = 200
    line.state = 0.8
    line.close()
    assert (line.function, line.frequency, line.level) == ("input", None, 0.0)
    assert line.when_changed is None


def test_closing_the_board_drives_low_what_was_left_on(clock: VirtualClock) -> None:
    board = MockBoard(clock)
    line = board.line(18)
    seen: list[float] = []
    line.watch(lambda _t_s, level: seen.append(level))
    line.output_with_state(1)
    board.close()
    assert seen == [1.0, 0.0]


def test_the_environment_does_not_change_the_mock_board(
    clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPIOZERO_MOCK_REVISION", "a02082")
    monkeypatch.setenv("GPIOZERO_MOCK_PIN_CLASS", "mockpin")
    board = MockBoard(clock)
    assert board.board_info.model == "Zero2W"
    assert isinstance(board.line(4), MockPin)


# ---------------------------------------------------------------- claiming


def test_a_claimed_pin_is_the_boards_own(board: MockBoard) -> None:
    assert claim(board, 18, "buzzer.pin") is board.line(18)


def test_a_pin_that_is_not_there_is_named_with_its_setting(board: MockBoard) -> None:
    with pytest.raises(HardwareError) as raised:
        claim(board, 40, "sensor.echo_pin")
    message = str(raised.value)
    assert message.startswith("sensor.echo_pin = 40: GPIO40 could not be opened (")
    assert "choose another pin" in message
    assert raised.value.__cause__ is not None


@pytest.mark.parametrize(
    ("used", "why"),
    [
        ({18: "button"}, 'is held by fred (process 77), as "button"; end that program or'),
        ({18: ""}, "is held by fred (process 77); end that program or"),
        ({17: "button"}, "could not be opened (GPIO busy); free it or"),
    ],
)
def test_a_pin_that_somebody_has_is_named_with_its_holder(
    kernel: Kernel, clock: VirtualClock, used: dict[int, str], why: str
) -> None:
    class Busy(MockBoard):
        def pin(self, name: str, pin_class: object = None, **kwargs: object) -> object:
            raise OSError("GPIO busy")

    kernel.add("gpiochip0", "pinctrl-bcm2835", used)
    kernel.runs(77, "fred", "anon_inode:gpio-line", "gpio-chip:\tgpiochip0\ngpio-line:\t18\n")
    with pytest.raises(HardwareError) as raised:
        claim(Busy(clock), 18, "buzzer.pin")
    assert str(raised.value).startswith(f"buzzer.pin = 18: GPIO18 {why}")


# ---------------------------------------------------------------- opening a board


class LgpioLibrary(ModuleType):
    """lgpio, as far as gpiozero's factory goes: which chips were opened and are open still."""

    SET_PULL_NONE = SET_PULL_UP = SET_PULL_DOWN = 0
    RISING_EDGE, FALLING_EDGE, BOTH_EDGES = 1, 2, 3

    def __init__(self) -> None:
        super().__init__("lgpio")
        self.open: list[int] = []

    def gpiochip_open(self, number: int) -> int:
        self.open.append(number)
        return 7

    def gpiochip_close(self, handle: int) -> None:
        assert handle == 7
        self.open.pop()


class RpiGpio(ModuleType):
    """rpi-lgpio in the guise of RPi.GPIO: takes the chip from the environment, or guesses."""

    BCM = 11

    def __init__(self) -> None:
        super().__init__("RPi.GPIO")
        self.chip: str | None = None

    def __getattr__(self, name: str) -> str:
        if not name.isupper():
            raise AttributeError(name)
        return name

    def setmode(self, mode: int) -> None:
        assert mode == self.BCM
        self.chip = os.environ.get("RPI_LGPIO_CHIP")

    def setwarnings(self, wanted: bool) -> None:
        """As it is told."""

    def cleanup(self) -> None:
        self.chip = None


class GpiodFactory:
    """What device.pins.gpiod offers, without the library: it insists on the header."""

    kernel_stamps = True

    def __init__(self, waiter: object, consumer: str) -> None:
        self.waiter, self.consumer = waiter, consumer
        self.path = chip.header_chip()


MISSING = "libof.so.3: cannot open shared object file"


class Machine:
    """What is installed on it."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.patch = patch
        for library in ("gpiod", "lgpio", "RPi", "pigpio"):
            patch.setitem(sys.modules, library, None)
        for name in ("lgpio", "rpigpio", "pigpio"):
            self.forget(f"gpiozero.pins.{name}")
        self.forget("device.pins.gpiod")

    def forget(self, name: str) -> None:
        """Import it anew; what is imported meanwhile is forgotten after the test."""
        self.patch.setitem(sys.modules, name, sys.modules.get(name, ModuleType(name)))
        self.patch.delitem(sys.modules, name)

    def install_gpiod(self, *, old: bool = False) -> None:
        library = ModuleType("gpiod")
        ours = ModuleType("device.pins.gpiod")
        if not old:
            setattr(library, "LineSettings", object)  # noqa: B010
        setattr(ours, "GpiodFactory", GpiodFactory)  # noqa: B010
        self.patch.setitem(sys.modules, "gpiod", library)
        self.patch.setitem(sys.modules, "device.pins.gpiod", ours)

    def install_broken(self, library: str, folder: Path) -> None:
        """It is there, and what it is linked with is not."""
        package = folder / library
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(f'raise ImportError("{MISSING}")\n', "utf-8")
        self.patch.syspath_prepend(folder)
        self.forget(library)

    def install_lgpio(self) -> LgpioLibrary:
        library = LgpioLibrary()
        self.patch.setitem(sys.modules, "lgpio", library)
        return library

    def install_rpigpio(self) -> RpiGpio:
        package, library = ModuleType("RPi"), RpiGpio()
        setattr(package, "GPIO", library)  # noqa: B010
        self.patch.setitem(sys.modules, "RPi", package)
        return library


@pytest.fixture
def machine(no_default_factory: pytest.MonkeyPatch) -> Machine:
    """No library is installed and this is no Pi, wherever the tests run."""

    def unknown() -> int:
        raise PinUnknownPi("unable to locate Pi revision")

    no_default_factory.setattr("gpiozero.pins.local.get_pi_revision", unknown)
    return Machine(no_default_factory)


@pytest.fixture
def kernel(no_default_factory: pytest.MonkeyPatch, tmp_path: Path) -> Kernel:
    """Its chips are there and can be asked."""
    return Kernel(tmp_path, no_default_factory)


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("gpiod", "its library is not installed (import of gpiod"),
        ("lgpio", "its library is not installed (import of lgpio"),
        ("rpigpio", "its library is not installed (import of RPi"),
        ("pigpio", "its library is not installed (import of pigpio"),
        ("native", "no GPIO could be opened (unable to locate Pi revision"),
        ("auto", "no library for pins works here (Unable to load any default pin factory"),
    ],
)
def test_each_factory_without_gpio_is_one_clear_line(
    clock: VirtualClock, name: str, why: str
) -> None:
    with pytest.raises(HardwareError) as raised:
        open_board(name, clock)
    message = str(raised.value)
    assert message.startswith(f'gpio.factory = "{name}": {why}')
    assert "\n" not in message
    assert "or choose another" in message or "rearguard simulate" in message
    assert isinstance(raised.value, RearguardError)


def test_a_factory_that_finds_no_pi_says_where_it_works(
    clock: VirtualClock, no_default_factory: pytest.MonkeyPatch
) -> None:
    def no_pi(_self: object) -> None:
        raise PermissionError(13, "Permission denied", "/dev/gpiochip0")

    no_default_factory.setattr("gpiozero.pins.native.NativeFactory.__init__", no_pi)
    with pytest.raises(HardwareError, match="gpiochip0") as raised:
        open_board("native", clock)
    assert "group gpio" in str(raised.value)
    assert "rearguard simulate" in str(raised.value)


def test_auto_takes_gpiozeros_own_mock_when_the_environment_says_so(
    clock: VirtualClock, kernel: Kernel, machine: Machine
) -> None:
    kernel.add("gpiochip4", HEADER_4)
    machine.install_gpiod()
    machine.install_lgpio()
    machine.patch.setenv("GPIOZERO_PIN_FACTORY", "mock")
    board = open_board("auto", clock)
    try:
        assert isinstance(board, MockFactory)
        pin = board.pin("GPIO18")
        pin.output_with_state(0)
        pin.state = 1
        assert pin.state
        with pytest.raises(PinPWMUnsupported):
            pin.frequency = 200
    finally:
        board.close()


def test_auto_with_a_factory_that_does_not_exist_is_one_clear_line(
    clock: VirtualClock, no_default_factory: pytest.MonkeyPatch
) -> None:
    no_default_factory.setenv("GPIOZERO_PIN_FACTORY", "abacus")
    with pytest.raises(HardwareError, match="abacus") as raised:
        open_board("auto", clock)
    assert "\n" not in str(raised.value)


def test_auto_falls_back_without_a_word_on_stderr() -> None:
    code = (
        "from device.clock import VirtualClock\n"
        "from device.pins import open_board\n"
        "from device.errors import HardwareError\n"
        "try: open_board('auto', VirtualClock()).close()\n"
        "except HardwareError as error: print(error)\n"
    )
    environ = {k: v for k, v in os.environ.items() if k != "GPIOZERO_PIN_FACTORY"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert done.stdout.count("\n") <= 1


@pytest.mark.parametrize("name", ["gpiod", "auto"])
def test_gpiod_is_given_the_clock_to_wait_and_a_name_to_show(
    clock: VirtualClock, kernel: Kernel, machine: Machine, name: str
) -> None:
    kernel.add("gpiochip4", HEADER_4)
    machine.install_gpiod()
    machine.install_lgpio()  # "auto" prefers the other
    board = open_board(name, clock)
    assert isinstance(board, GpiodFactory)
    assert board.waiter is clock
    assert board.consumer == "rearguard"


def test_gpiod_of_another_generation_is_said_to_be_too_old(
    clock: VirtualClock, kernel: Kernel, machine: Machine
) -> None:
    kernel.add("gpiochip4", HEADER_4)
    machine.install_gpiod(old=True)
    with pytest.raises(HardwareError, match=r"gpiod is older than 2\.0\); pip install") as raised:
        open_board("gpiod", clock)
    assert str(raised.value).startswith('gpio.factory = "gpiod": its library is not installed')


@pytest.mark.parametrize(
    ("name", "library"),
    [("gpiod", "gpiod"), ("lgpio", "lgpio"), ("rpigpio", "RPi"), ("pigpio", "pigpio")],
)
def test_a_library_that_cannot_be_loaded_is_one_clear_line(
    clock: VirtualClock, kernel: Kernel, machine: Machine, tmp_path: Path, name: str, library: str
) -> None:
    kernel.add("gpiochip4", HEADER_4)
    machine.install_broken(library, tmp_path / "site")
    with pytest.raises(HardwareError) as raised:
        open_board(name, clock)
    assert str(raised.value) == (
        f'gpio.factory = "{name}": its library cannot be loaded ({MISSING});'
        " install it anew or choose another"
    )


def test_auto_passes_over_libraries_that_cannot_be_loaded(
    clock: VirtualClock, kernel: Kernel, machine: Machine, tmp_path: Path
) -> None:
    kernel.add("gpiochip4", HEADER_4)
    machine.install_broken("gpiod", tmp_path / "site")
    library = machine.install_lgpio()
    board = open_board("auto", clock)
    assert type(board).__name__ == "LGPIOFactory"
    assert library.open == [4]
    board.close()


def test_auto_without_any_library_that_can_be_loaded_is_gpiozeros_own_choice(
    clock: VirtualClock, kernel: Kernel, machine: Machine, tmp_path: Path
) -> None:
    kernel.add("gpiochip4", HEADER_4)
    for library in ("gpiod", "lgpio"):
        machine.install_broken(library, tmp_path / "site")
    machine.install_rpigpio()
    board = open_board("auto", clock)
    assert type(board).__name__ == "RPiGPIOFactory"
    board.close()


@pytest.mark.parametrize("name", ["lgpio", "auto"])
@pytest.mark.parametrize("gpiod", ["none", "old"])
def test_lgpio_is_given_the_headers_chip_by_its_number(
    clock: VirtualClock, kernel: Kernel, machine: Machine, name: str, gpiod: str
) -> None:
    kernel.add("gpiochip0", "gpio-brcmstb@107d508500")
    kernel.add("gpiochip4", HEADER_4)
    if gpiod == "old":
        machine.install_gpiod(old=True)
    library = machine.install_lgpio()
    board = open_board(name, clock)
    assert type(board).__name__ == "LGPIOFactory"
    assert library.open == [4]
    assert kernel_stamps(board)
    board.close()
    assert library.open == []


@pytest.mark.parametrize(
    ("name", "named"), [("gpiod", "gpiod"), ("lgpio", "lgpio"), ("auto", "auto")]
)
def test_an_installed_library_on_a_machine_without_a_header_says_what_there_is(
    clock: VirtualClock, kernel: Kernel, machine: Machine, name: str, named: str
) -> None:
    kernel.add("gpiochip0", "INT33FF:00")
    machine.install_gpiod()
    library = machine.install_lgpio()
    with pytest.raises(HardwareError) as raised:
        open_board(name, clock)
    message = str(raised.value)
    assert message.startswith(f'gpio.factory = "{named}": none of')
    assert "(gpiochip0 is INT33FF:00)" in message
    assert "\n" not in message
    assert library.open == []


@pytest.mark.parametrize(
    ("label", "told", "chosen"),
    [
        (HEADER_4, None, "4"),
        (HEADER_4, "7", "7"),  # who set it knows why
        ("INT33FF:00", None, None),  # the original needs none
    ],
)
def test_rpi_lgpio_is_told_the_chip_unless_somebody_has(
    clock: VirtualClock,
    kernel: Kernel,
    machine: Machine,
    label: str,
    told: str | None,
    chosen: str | None,
) -> None:
    kernel.add("gpiochip4", label)
    library = machine.install_rpigpio()
    if told is not None:
        machine.patch.setenv("RPI_LGPIO_CHIP", told)
    board = open_board("rpigpio", clock)
    assert library.chip == chosen
    assert not kernel_stamps(board)
    board.close()


def test_auto_without_gpiod_and_lgpio_is_gpiozeros_own_choice(
    clock: VirtualClock, machine: Machine
) -> None:
    library = machine.install_rpigpio()
    board = open_board("auto", clock)
    assert type(board).__name__ == "RPiGPIOFactory"
    assert library.chip is None
    board.close()


def test_whether_the_kernel_stamps_edges_is_what_a_board_says_and_else_it_does_not(
    clock: VirtualClock, board: MockBoard
) -> None:
    class Untold(MockBoard):
        kernel_stamps = False

    assert kernel_stamps(board)
    assert not kernel_stamps(Untold(clock))
    assert not kernel_stamps(MockFactory())


# ---------------------------------------------------------------- gpiozero's own devices


def test_gpiozeros_button_works_on_the_mock_board(clock: VirtualClock, board: MockBoard) -> None:
    presses: list[str] = []
    with Button(17, pin_factory=board) as button:
        line = board.line(17)
        button.when_pressed = lambda: presses.append("pressed")
        button.when_released = lambda: presses.append("released")
        assert line.level == 1.0
        assert not button.is_pressed
        clock.at(1.0, lambda: line.drive(False))
        clock.wait_until(1.5)
        assert button.is_pressed
        assert button.active_time == pytest.approx(0.5)
        clock.at(2.0, lambda: line.drive(True))
        clock.wait_until(2.75)
        assert not button.is_pressed
        assert button.inactive_time == pytest.approx(0.75)
    assert presses == ["pressed", "released"]


def pump(clock: PacedClock, until: Callable[[], bool], for_s: float) -> None:
    """Let the simulated part live until it has answered or the time is up."""
    end_s = clock.now() + for_s
    while not until() and clock.now() < end_s:
        clock.wait_until(min(clock.now() + 0.02, end_s))


@pytest.mark.filterwarnings("ignore::gpiozero.exc.DistanceSensorNoEcho")  # a slow machine
def test_gpiozeros_distance_sensor_measures_the_twin_unmodified() -> None:
    """It pings from its own thread, in real time; the twin answers on this one."""
    clock = PacedClock()
    scenario = Scenario(
        title="Standing before a wall",
        duration_s=60.0,
        expect="any",
        walker=Walker(legs=()),
        obstacles=(Obstacle(shape="wall", along_m=WALL_M),),
        air=Air(noise_m=0.0, loss=0.0),
    )
    rig = Rig(scenario, Settings(), 1, clock)
    pins = Settings().sensor
    with pytest.warns(PWMSoftwareFallback):
        sensor = DistanceSensor(
            echo=pins.echo_pin,
            trigger=pins.trigger_pin,
            max_distance=4,
            queue_len=2,
            pin_factory=rig.board,
        )
    with sensor:
        pump(clock, sensor._queue.full.is_set, for_s=10.0)
        assert sensor._queue.full.is_set(), "it never had two answers"
        measured_m = sensor.distance
    expected_m = WALL_M * GPIOZEROS_SOUND_MPS / rig.world.sound_mps
    assert measured_m == pytest.approx(expected_m, abs=0.001)
    assert rig.twin.pings >= 2
