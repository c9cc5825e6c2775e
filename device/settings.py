"""Every knob: its type, unit, bound and default, and nothing that computes.

A setting earns its place when two sensible people would set it differently, or
when a part demands it. Units are in the names (`_m`, `_s`, `_c`, `_hz`). The
bounds are what the part or the person can bear, so that a slip of the decimal
point is an error and not a device that looks alive. What depends on more than
one setting (two pins alike, a re-trigger too short for the range) is judged in
`config.py`, where the message can name the file.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Pin = Annotated[int, Meta(ge=2, le=27, description="GPIO (BCM) number")]

Celsius = Annotated[float, Meta(ge=-40, le=60)]
Distance = Annotated[float, Meta(ge=0.3, le=6.0)]
TimeToTouch = Annotated[float, Meta(ge=0.0, le=8.0)]
Kilograms = Annotated[float, Meta(ge=20.0, le=300.0)]
TimeToStop = Annotated[float, Meta(ge=0.2, le=3.0)]

Factory = Literal["auto", "gpiod", "lgpio", "rpigpio", "pigpio", "native", "mock"]
Profile = Literal["fit", "default", "rehab"]
Mode = Literal["time", "intervals", "plan"]


class Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One table of the configuration file; a key it does not have is an error."""


class GpioSettings(Section, frozen=True):
    """The board."""

    factory: Annotated[
        Factory,
        Meta(description="who drives the pins; auto: gpiod, lgpio, else gpiozero's choice"),
    ] = "auto"


class SensorSettings(Section, frozen=True):
    """The distance sensor: its pins, its reach, and the timing its kind demands."""

    driver: Annotated[str, Meta(description="how the part that is fitted speaks")] = "hcsr04"
    model: Annotated[
        str | None, Meta(description="which part that is; absent: the driver's usual one")
    ] = None
    port: Annotated[str, Meta(description="serial port of a part that has one")] = "/dev/serial0"
    realtime: Annotated[
        bool, Meta(description="A02YYUW, A01NYUB: RX is tied to ground, for unfiltered values")
    ] = False
    request: Annotated[
        bool, Meta(description="JSN-SR04T, AJ-SR04M: set to speak only when asked")
    ] = False
    trigger_pin: Annotated[Pin, Meta(description="GPIO that starts a ping")] = 23
    echo_pin: Annotated[Pin, Meta(description="GPIO that hears it, through the divider")] = 24
    min_range_m: Annotated[
        float,
        Meta(ge=0.01, le=0.5, description="blind zone; absent: the part's own"),
    ] = 0.02
    max_range_m: Annotated[
        float, Meta(ge=0.5, le=12.0, description="farther is nothing; absent: the part's own")
    ] = 4.0
    temperature_c: Annotated[
        Celsius | None,
        Meta(description="air temperature; absent means assume cold"),
    ] = None
    trigger_pulse_s: Annotated[
        float, Meta(ge=10e-6, le=1e-3, description="length of the trigger pulse")
    ] = 20e-6
    rise_timeout_s: Annotated[
        float, Meta(ge=0.005, le=0.2, description="no echo pin rise by then: it did not answer")
    ] = 0.060
    fall_timeout_s: Annotated[
        float, Meta(ge=0.11, le=0.5, description="echo pin high for longer: it is stuck")
    ] = 0.250
    retrigger_s: Annotated[
        float, Meta(ge=0.02, le=0.06, description="least time from one trigger to the next")
    ] = 0.035
    quiet_s: Annotated[
        float, Meta(ge=0.0, le=0.03, description="least time from the echo pin's fall to a trigger")
    ] = 0.010
    jitter_s: Annotated[
        float,
        Meta(ge=0.0, le=0.05, description="random extra wait that breaks up repeated ghosts"),
    ] = 0.010
    idle_s: Annotated[
        float,
        Meta(ge=0.0, le=0.2, description="least time between triggers in an open field"),
    ] = 0.1


class AlertSettings(Section, frozen=True):
    """When to warn. A threshold that is absent comes from the profile."""

    profile: Annotated[Profile, Meta(description="who wears it: how long they need to stop")] = (
        "default"
    )
    reaction_s: Annotated[
        TimeToStop | None,
        Meta(description="the wearer's own time to stop, as measured; absent: the profile's"),
    ] = None
    caution_m: Annotated[
        Distance | None, Meta(description="CAUTION at or inside this distance")
    ] = None
    warning_m: Annotated[
        Distance | None, Meta(description="WARNING at or inside this distance")
    ] = None
    danger_m: Annotated[Distance | None, Meta(description="DANGER at or inside this distance")] = (
        None
    )
    stop_m: Annotated[Distance | None, Meta(description="STOP at or inside this distance")] = None
    caution_ttc_s: Annotated[
        TimeToTouch | None, Meta(description="CAUTION this long before touching; 0 = off")
    ] = None
    warning_ttc_s: Annotated[
        TimeToTouch | None, Meta(description="WARNING this long before touching; 0 = off")
    ] = None
    danger_ttc_s: Annotated[
        TimeToTouch | None, Meta(description="DANGER this long before touching; 0 = off")
    ] = None
    stop_ttc_s: Annotated[
        TimeToTouch | None, Meta(description="STOP this long before touching; 0 = off")
    ] = None
    new_object_pings: Annotated[
        int, Meta(ge=1, le=4, description="pings of the last five that must agree on a new object")
    ] = 3
    release_pings: Annotated[
        int, Meta(ge=2, le=20, description="readings in a row before a level is given up")
    ] = 5
    dwell_s: Annotated[
        float, Meta(ge=0.0, le=5.0, description="CAUTION and WARNING last at least this long")
    ] = 0.5
    danger_dwell_s: Annotated[
        float, Meta(ge=0.0, le=5.0, description="DANGER and STOP last at least this long")
    ] = 1.0
    hush_s: Annotated[
        float, Meta(ge=1.0, le=60.0, description="standing still for this long quietens alerts")
    ] = 3.0


class BuzzerSettings(Section, frozen=True):
    """The buzzer, on the shoulder strap where it is heard."""

    enabled: Annotated[bool, Meta(description="fitted and wanted")] = True
    pin: Annotated[Pin, Meta(description="GPIO of the buzzer's transistor")] = 18
    kind: Annotated[
        Literal["active", "passive"],
        Meta(description="active sounds by itself; passive is given its tone"),
    ] = "active"
    tone_hz: Annotated[
        int, Meta(ge=200, le=5000, description="passive: the alerts' tone; 1-3 kHz carries")
    ] = 2300


class MotorSettings(Section, frozen=True):
    """The vibration motor, the signal that street noise cannot cover."""

    enabled: Annotated[bool, Meta(description="fitted and wanted")] = True
    pin: Annotated[Pin, Meta(description="GPIO of the motor's transistor")] = 13
    strength: Annotated[
        float, Meta(ge=0.2, le=1.0, description="share of full power once it spins")
    ] = 0.8
    overdrive_s: Annotated[
        float, Meta(ge=0.0, le=0.2, description="full power at each pulse's start, to spin up")
    ] = 0.06
    pwm_hz: Annotated[int, Meta(ge=50, le=1000, description="PWM frequency")] = 200


class ButtonSettings(Section, frozen=True):
    """A push-button to ground: a short press mutes the sound, a long one ends the walk."""

    enabled: Annotated[bool, Meta(description="fitted and wanted")] = False
    pin: Annotated[Pin, Meta(description="GPIO of the button; 3 also wakes a halted Pi")] = 3
    hold_s: Annotated[
        float, Meta(ge=1.0, le=10.0, description="held for this long: end the walk and shut down")
    ] = 3.0
    mute_s: Annotated[
        float, Meta(ge=10.0, le=600.0, description="a short press mutes the sound for this long")
    ] = 600.0


class LedSettings(Section, frozen=True):
    """A lamp for whoever walks along, or builds: its codes say how the device is."""

    enabled: Annotated[bool, Meta(description="fitted and wanted")] = False
    pin: Annotated[Pin, Meta(description="GPIO of the lamp, through its resistor")] = 25


class JournalSettings(Section, frozen=True):
    """What the service writes down of each walk, in its state directory."""

    enabled: Annotated[bool, Meta(description="keep journals (the service only)")] = True
    most_mb: Annotated[
        int, Meta(ge=1, le=100_000, description="all journals together; the oldest go first, MB")
    ] = 1024


class CoachSettings(Section, frozen=True):
    """The walk itself: how long, and in which stretches. Its cues wait for all that warns."""

    enabled: Annotated[bool, Meta(description="cue the walk, where nothing is to be warned of")] = (
        True
    )
    mode: Annotated[
        Mode,
        Meta(description="time: one stretch; intervals: backward, forward; plan: the starter plan"),
    ] = "time"
    target_min: Annotated[
        float, Meta(ge=1.0, le=180.0, description="a good walk's length; plan: the week's own")
    ] = 15.0
    most_min: Annotated[
        float, Meta(ge=1.0, le=240.0, description="past this it says, firmly, that it is enough")
    ] = 20.0
    backward_s: Annotated[
        float, Meta(ge=10.0, le=3600.0, description="intervals: so long backward")
    ] = 60.0
    forward_s: Annotated[
        float, Meta(ge=10.0, le=3600.0, description="intervals: so long forward, brisk or jogging")
    ] = 60.0


class WalksSettings(Section, frozen=True):
    """What is kept of each walk: its times, alerts and distances, in a database."""

    enabled: Annotated[bool, Meta(description="the service keeps a history of walks")] = True
    weight_kg: Annotated[
        Kilograms | None, Meta(description="the wearer's, for the estimate of effort")
    ] = None


class SimulationSettings(Section, frozen=True):
    """What `rearguard run` simulates when gpio.factory is "mock"."""

    scenario: Annotated[str, Meta(description="a shipped scenario or a TOML file")] = "wall"
    seed: Annotated[int, Meta(ge=0, le=2**31, description="same seed, same world")] = 1


class Settings(Section, frozen=True):
    """The whole configuration, one field a table."""

    gpio: GpioSettings = GpioSettings()
    sensor: SensorSettings = SensorSettings()
    alert: AlertSettings = AlertSettings()
    buzzer: BuzzerSettings = BuzzerSettings()
    motor: MotorSettings = MotorSettings()
    button: ButtonSettings = ButtonSettings()
    led: LedSettings = LedSettings()
    journal: JournalSettings = JournalSettings()
    coach: CoachSettings = CoachSettings()
    walks: WalksSettings = WalksSettings()
    simulation: SimulationSettings = SimulationSettings()
