"""What the parts bear and draw: the figures behind the drawings and the guide's arithmetic.

Ohms, volts, amperes in mA, watts. The figures are typical ones from data sheets, from Raspberry
Pi's documentation (power supplies; GPIO; pad controls) or, where a line says so, assumed. None was
measured on a bench. The guide's tables are held against these functions by its test.
"""

import math
from typing import NamedTuple

PIN_MOST_MA = 16.0
ALL_PINS_MOST_MA = 50.0
"""Pad controls: 16 mA a pin is safe. Power supplies: 50 mA in all. Both of the chips before the
Pi 4; for the 4 and the 5 nothing is documented, whose pins default to a drive of 4 mA."""
DEFAULT_DRIVE_MA = 4.0
PIN_MOST_V = 3.3
HIGH_V = {"Zero 2 W": 1.6, "3": 1.6, "4": 2.0}
"""From here a pin surely reads high. Of the 5 nothing was found."""
LEAK_UA = 10.0
"""What a Pi 4's pin may leak; the older ones 5."""
PIN_V = 3.3
PIN_LEAST_V = 2.6
"""What a Pi 4's pin is guaranteed to give at 4 mA."""

SUPPLIES_V = (5.0, 5.1, 5.25)
"""A bank's, the official supplies', and the most that USB allows."""
DIVIDER = (1000, 1500)
"""In series and to ground. Both are in every set of resistors (E12)."""
DIVIDERS = (DIVIDER, (330, 470), (1000, 2000))
BASE_OHM = 1000
PULL_DOWN_OHM = 10_000
INVERTER_OHM = 10_000
LED_OHM = 1000
COIL_OHM, PIEZO_OHM = 100, 1000
"""In series with a passive buzzer's coil; across a piezo disc, to discharge it."""
CAPACITOR_UF = 100

BASE_V = 0.7
"""Base to emitter, switched on."""
BASE_BEGINS_V = 0.6
SATURATED_V = 0.2
DROP_V = 0.75
"""One 1N4001 at a motor's current."""
DROPS = 2
LED_V = 2.0
"""A red one's."""
INPUT_MA = 1.0
"""More than a sensor's input takes (assumed: a pull-up of 4.7 k or more)."""

BUZZER_MA = 30.0
MOTOR_MA = 100.0
MOTOR_START_MA = 150.0
"""The most of a 10 mm coin motor, running and in its first moment."""

SENSOR_MA = {
    "HC-SR04": 15.0,
    "A02YYUW": 15.0,
    "A01NYUB": None,
    "JSN-SR04T": 30.0,
    "AJ-SR04M": 30.0,
    "US-100": 10.0,
    "HRXL-MaxSonar-WR (5 m)": 100.0,
    "HRXL-MaxSonar-WR (10 m)": 100.0,
    "XL-MaxSonar-WR": 100.0,
    "XL-MaxSonar-WR (MB7066)": 100.0,
    "TF-Luna": 150.0,
    "TFmini Plus": 140.0,
}
"""The most at any moment. The US-100's and MaxBotix's are assumed; the A01NYUB's was not found."""


class Board(NamedTuple):
    """A Raspberry Pi: what it draws by itself at 5 V, and the supply it is to have."""

    typical_ma: float
    supply_a: float


BOARDS = {
    "Zero 2 W": Board(350, 2.0),
    "3B": Board(400, 2.5),
    "3B+": Board(500, 2.5),
    "4B": Board(600, 3.0),
    "5": Board(800, 5.0),
}
"""Typical bare-board active current and recommended supply, from Raspberry Pi's documentation (the
Pi 5's current from others who quote it). An idle board draws about half."""

CELL_V = 3.7
EFFICIENCY = 0.84
"""Of a bank's own energy what comes out at 5 V; makers' rated capacities come to 81 to 88 %."""
OUTPUTS_SHARE = 0.1
"""Buzzer and motor sound so much of a walk (assumed)."""
MEAN_MA = {"HC-SR04": 15.0, "TF-Luna": 70.0, "TFmini Plus": 110.0}


def divided_v(supply_v: float, divider: tuple[int, int] = DIVIDER) -> float:
    """What arrives at the Pi."""
    series, ground = divider
    return supply_v * ground / (series + ground)


def divider_ma(supply_v: float, divider: tuple[int, int] = DIVIDER) -> float:
    """What the sensor has to give for it."""
    return supply_v / sum(divider) * 1000


def pin_ma(pin_v: float = PIN_V) -> float:
    """What an output's pin gives to a transistor with its pull-down."""
    return (pin_v - BASE_V) / BASE_OHM * 1000


def base_ma(pin_v: float = PIN_V) -> float:
    """The part of that which reaches the base; the pull-down has the rest."""
    return pin_ma(pin_v) - BASE_V / PULL_DOWN_OHM * 1000


def gain(load_ma: float, pin_v: float = PIN_V) -> float:
    """How much a transistor has to amplify for that load."""
    return load_ma / base_ma(pin_v)


def led_ma() -> float:
    """Through the LED."""
    return (PIN_V - LED_V) / LED_OHM * 1000


def pins_ma() -> dict[str, float]:
    """What the Pi's pins give at most, by what hangs on them, with an LED fitted."""
    return {"buzzer": pin_ma(), "motor": pin_ma(), "LED": led_ma(), "trigger or TX": INPUT_MA}


def leak_v() -> float:
    """What a leaking pin makes of the pull-down."""
    return LEAK_UA * 1e-6 * PULL_DOWN_OHM


def motor_v(supply_v: float) -> float:
    """Across the motor, after the diodes and the transistor."""
    return supply_v - DROPS * DROP_V - SATURATED_V


def peak_ma(sensor: str) -> float | None:
    """The supply's most beside the Pi: sensor, buzzer and a starting motor."""
    sensor_ma = SENSOR_MA[sensor]
    return None if sensor_ma is None else sensor_ma + BUZZER_MA + MOTOR_START_MA


def watts(board: str, sensor: str = "HC-SR04") -> float:
    """What the whole device draws on a walk."""
    outputs_ma = OUTPUTS_SHARE * (BUZZER_MA + MOTOR_MA)
    return 5.0 * (BOARDS[board].typical_ma + MEAN_MA[sensor] + outputs_ma) / 1000


def bank_wh(bank_mah: float) -> float:
    """What a bank gives at 5 V."""
    return bank_mah / 1000 * CELL_V * EFFICIENCY


def hours(bank_mah: float, board: str, sensor: str = "HC-SR04") -> int:
    """Whole hours of walking from a full bank."""
    return math.floor(bank_wh(bank_mah) / watts(board, sensor))


def ohms(value: int) -> str:
    """`1 k`, `1.5 k`, `470 ohm`."""
    return f"{value / 1000:g} k" if value >= 1000 else f"{value} ohm"
