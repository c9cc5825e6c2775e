"""Scenarios: a walk, what stands in its way, the air, and what breaks, as TOML.

Everything is in SI units. A scenario says what happens in the world and what a good
device does about it (`expect`), never how. The notes beside the fields here are the
reference for writing one; `scenarios/wall.toml` is a commented example.
"""

from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from device import toml
from device.errors import InputError
from device.failures import Failure

Seconds = Annotated[float, Meta(ge=0.0, le=86_400.0)]
Metres = Annotated[float, Meta(ge=0.0, le=1000.0)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]


class Table(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of a scenario; a key it does not have is an error."""


class Leg(Table, frozen=True):
    """A stretch of the walk."""

    for_s: Seconds
    """How long it lasts."""
    speed_mps: Annotated[float, Meta(ge=-3.0, le=3.0)]
    """Backward speed; negative walks forward, away from what is behind."""
    turn_dps: Annotated[float, Meta(ge=-360.0, le=360.0)] = 0.0
    """Turning on the spot, degrees a second."""


class Walker(Table, frozen=True):
    """The person: how they walk, and what they do when the device tells them."""

    legs: tuple[Leg, ...] = (Leg(for_s=86_400.0, speed_mps=1.0),)
    heeds: bool = True
    """Stops when warned, and stands there for the rest of the walk, whatever legs are left;
    otherwise walks on, as if the device were off."""
    reaction_s: Seconds = 0.6
    """From feeling an urgent signal to braking (median of a stop's 0.46-0.57 s, rounded up)."""
    braking_mps2: Annotated[float, Meta(gt=0.0, le=20.0)] = 2.5
    bob_m: Metres = 0.02
    """Trunk's coming and going at each step, amplitude; 2 cm swings the speed by 0.23 m/s."""
    bob_hz: Annotated[float, Meta(ge=0.0, le=5.0)] = 1.8
    sway_deg: Annotated[float, Meta(ge=0.0, le=45.0)] = 4.0
    """Trunk's turning from side to side, amplitude."""
    sway_hz: Annotated[float, Meta(ge=0.0, le=5.0)] = 0.9


class Obstacle(Table, frozen=True):
    """Something that may return an echo.

    A wall is endless, through the point `along_m` on the way, turned by `angle_deg`
    from facing it. A pole or a person is a disc around (`along_m`, `across_m`), and may
    move or follow.
    """

    shape: Literal["wall", "pole", "person"]
    along_m: Annotated[float, Meta(ge=-1000.0, le=1000.0)] = 4.0
    """Where on the way, from the walker's start (before the walker, when following)."""
    across_m: Annotated[float, Meta(ge=-100.0, le=100.0)] = 0.0
    angle_deg: Annotated[float, Meta(ge=-80.0, le=80.0)] = 0.0
    radius_m: Annotated[float, Meta(gt=0.0, le=5.0)] = 0.25
    seen_to_m: Metres = 4.0
    """Farthest range at which it returns an echo."""
    loss: Share = 0.0
    """Share of pings that it swallows, beside the air's."""
    noise_m: Metres = 0.0
    """Its own fuzziness, standard deviation."""
    along_mps: Annotated[float, Meta(ge=-15.0, le=15.0)] = 0.0
    across_mps: Annotated[float, Meta(ge=-15.0, le=15.0)] = 0.0
    from_s: Seconds = 0.0
    """When it begins to move."""
    follows: bool = False
    """Keeps its distance from the walker instead of its place."""
    wander_m: Metres = 0.0
    """A follower's coming and going, amplitude."""
    wander_s: Annotated[float, Meta(gt=0.0, le=600.0)] = 8.0
    """And its period."""


class Air(Table, frozen=True):
    """What lies between."""

    temperature_c: Annotated[float, Meta(ge=-40.0, le=60.0)] = 20.0
    noise_m: Metres = 0.01
    """Standard deviation of a distance."""
    loss: Share = 0.02
    """Share of pings whose echo is lost."""
    ghosts: Share = 0.0
    """Share of pings that hear something that is not there."""
    ghost_near_m: Metres = 0.2
    ghost_far_m: Metres = 1.0


class Part(Table, frozen=True):
    """Which clone is fitted, as far as the world is concerned."""

    no_echo_ms: Annotated[float, Meta(ge=25.0, le=200.0)] = 38.0
    """Pulse with which it says "nothing there"."""
    never_ends: bool = False
    """Says it by holding the line high until its power is cut."""
    beam_half_angle_deg: Annotated[float, Meta(gt=0.0, le=90.0)] = 15.0


class Breakage(Table, frozen=True):
    """From `at_s` on the sensor fails in this way ("ok" mends it)."""

    at_s: Seconds
    failure: Failure


class Scenario(Table, frozen=True):
    """One walk, whole."""

    title: str
    duration_s: Annotated[float, Meta(gt=0.0, le=86_400.0)]
    expect: Literal["warning", "fault", "quiet", "any"]
    """What a good device does: warns in time; announces a fault; stays under WARNING."""
    walker: Walker = Walker()
    obstacles: tuple[Obstacle, ...] = ()
    air: Air = Air()
    part: Part = Part()
    breakages: tuple[Breakage, ...] = ()


_HINTS = {
    "shape: Invalid enum": " (wall, pole or person)",
    "expect: Invalid enum": " (warning, fault, quiet or any)",
    "failure: Invalid enum": f" ({', '.join(Failure)})",
    "Expected `array`, got `object`": " (a list of tables is written [[obstacles]])",
}


def shipped() -> list[str]:
    """Names of the scenarios that come with rearguard."""
    folder = resources.files("device.sim") / "scenarios"
    names = (entry.name for entry in folder.iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def load(name: str) -> Scenario:
    """A shipped scenario by name, or one from a TOML file. Raises InputError."""
    path = Path(name)
    if name in shipped():
        text = (resources.files("device.sim") / "scenarios" / f"{name}.toml").read_text("utf-8")
    elif path.suffix == ".toml" or "/" in name:
        text = toml.read(path, InputError)
    else:
        raise InputError(
            f'scenario "{name}": not shipped; choose one of {", ".join(shipped())}, or a TOML file'
        )
    return parse(text, name)


def shortened(scenario: Scenario, duration_s: float) -> Scenario:
    """The same walk, ended (or gone on) at `duration_s`."""
    return msgspec.structs.replace(scenario, duration_s=duration_s)


def parse(text: str, source: str) -> Scenario:
    """A scenario from TOML text. Raises InputError."""
    raw = toml.decode(text, source, InputError)
    try:
        return msgspec.convert(raw, Scenario)
    except msgspec.ValidationError as error:
        what, path, value = toml.complaint(error, raw)
        where = f"{path} = {toml.show(value)}: "
        if "field" in what:  # a key that is not known, or one that is missing
            where = f"[{path}]: " if path else ""
        hint = next((hint for sign, hint in _HINTS.items() if sign in f"{path}: {what}"), "")
        raise InputError(
            f"{source}: {where}{what}{hint}; device/sim/scenario.py explains every key"
        ) from error
