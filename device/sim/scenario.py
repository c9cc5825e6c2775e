"""Scenarios: a walk, what stands in its way, the air, and what breaks, as TOML.

Everything is in SI units. A scenario says what happens in the world and what a good
device does about it (`expect`), never how. The notes beside the fields here are the
reference for writing one; `scenarios/wall.toml` is a commented example.

A file may hold variants: `[variants."1.4"]` repeats the keys in which `wall@1.4` differs
from `wall`; what is not repeated is the same. What differs from one seed to the next
(the step that is being taken, the pace, the reaction) is drawn in `chance.py`.
"""

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from device import toml
from device.errors import InputError
from device.failures import Failure
from device.ports.mock import Damage

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
    resumes_s: Seconds | None = None
    """Does not stand for the rest: after so long they step away from what is behind them, go
    round what stands in the way, and on."""
    follows_cues: bool = False
    """Does what the walk's cues ask for: goes forward, and backward again at the fastest leg's
    speed; slower; rests; stands when it is done. A leg ends with the first cue."""
    forward_mps: Annotated[float, Meta(gt=0.0, le=3.0)] = 1.2
    """How fast, when a cue asks for it or to step away."""
    reaction_s: Seconds | None = None
    """From feeling an urgent signal to braking; absent: drawn by the seed, as people differ."""
    braking_mps2: Annotated[float, Meta(gt=0.0, le=20.0)] = 2.5
    bob_m: Metres = 0.02
    """Trunk's coming and going at each step, amplitude; 2 cm swings the speed by 0.23 m/s."""
    bob_hz: Annotated[float, Meta(ge=0.0, le=5.0)] = 1.8
    sway_deg: Annotated[float, Meta(ge=0.0, le=45.0)] = 4.0
    """Trunk's turning from side to side, amplitude."""
    sway_hz: Annotated[float, Meta(ge=0.0, le=5.0)] = 0.9
    nod_deg: Annotated[float, Meta(ge=0.0, le=20.0)] = 2.0
    """Trunk's tipping at each step, amplitude; it matters to the ground's echo (assumed)."""
    phase: Share = 0.0
    """How much of a stride, two steps, is done when the walk begins."""
    speed_spread: Share = 0.0
    """A seed's speeds differ from those given by up to this share, all by the same."""
    start_spread_m: Metres = 0.0
    """A seed begins up to this much farther from everything."""


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
    """Farthest range at which it returns an echo; 0: it never does."""
    seen_to_least_m: Metres | None = None
    """When given, a seed draws `seen_to_m` from here to there."""
    half_angle_deg: Annotated[float, Meta(gt=0.0, le=90.0)] | None = None
    """How far off the beam's middle it still answers; absent: as far as the part hears."""
    light_to_m: Metres | None = None
    """The same as `seen_to_m` for a part that measures by light; absent: as far as it sees."""
    light_loss: Share = 0.0
    """Share of such a part's measurements that go through it."""
    depth_m: Metres = 0.0
    """Fuzzy edge: each echo comes from up to this far behind the front."""
    loss: Share = 0.0
    """Share of pings that it swallows, beside the air's."""
    noise_m: Metres = 0.0
    """Its own fuzziness, standard deviation."""
    along_mps: Annotated[float, Meta(ge=-15.0, le=15.0)] = 0.0
    across_mps: Annotated[float, Meta(ge=-15.0, le=15.0)] = 0.0
    from_s: Seconds = 0.0
    """When it begins to move."""
    every_s: Annotated[float, Meta(gt=0.0, le=3600.0)] | None = None
    """After so long it is back where it began: the next of many passers-by."""
    every_m: Annotated[float, Meta(ge=4.0, le=1000.0)] | None = None
    """So far on, and so far back, stands another: a row of trees without end. Of a row only the
    next behind the walker is there to be heard or met."""
    follows: bool = False
    """Keeps its distance from the walker instead of its place."""
    wander_m: Metres = 0.0
    """A follower's coming and going, amplitude."""
    wander_s: Annotated[float, Meta(gt=0.0, le=600.0)] = 8.0
    """And its period."""


class Ground(Table, frozen=True):
    """Rough ground, where the lower edge of the beam meets it."""

    mount_m: Annotated[float, Meta(gt=0.0, le=2.0)] = 1.0
    """The sensor's height."""
    slope_deg: Annotated[float, Meta(ge=-20.0, le=20.0)] = 0.0
    """Positive: it rises behind the walker."""
    loss: Share = 0.7
    """Smooth ground mirrors all of the sound away; grass and gravel give some back (assumed)."""
    depth_m: Metres = 0.3


class Phantom(Table, frozen=True):
    """Something at the sensor itself, or nothing at all, that is heard for a while."""

    from_s: Seconds
    for_s: Seconds
    near_m: Metres
    far_m: Metres
    """Each echo lies between these two; the same twice is a thing that keeps its place."""
    every_s: Annotated[float, Meta(gt=0.0, le=3600.0)] | None = None
    """And again after so long."""
    blinds: bool = False
    """Nothing behind it can be heard, so it is the sensor that is out of order."""


class Stall(Table, frozen=True):
    """The device's processor does nothing at all for a while."""

    at_s: Seconds
    for_s: Seconds


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
    multipath: Share = 0.0
    """Share of echoes that come by way of a second reflection, from twice as far."""
    crosstalk: Share = 0.0
    """Share of pings at which another device is heard, anywhere in the range."""
    crosstalk_run: Annotated[int, Meta(ge=1, le=20)] = 2
    """And for how many pings in a row."""


class Part(Table, frozen=True):
    """Which clone is fitted, as far as the world is concerned."""

    no_echo_ms: Annotated[float, Meta(ge=25.0, le=200.0)] = 38.0
    """Pulse with which it says "nothing there"."""
    never_ends: bool = False
    """Says it by holding the line high until its power is cut."""


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
    number: Annotated[int, Meta(ge=1)] | None = None
    """Its place in the suite that `rearguard evaluate` runs; absent: not part of it."""
    beyond: str = ""
    """Why no device of this kind can do well here: it is reported, and not counted."""
    walker: Walker = Walker()
    obstacles: tuple[Obstacle, ...] = ()
    ground: Ground | None = None
    phantoms: tuple[Phantom, ...] = ()
    stalls: tuple[Stall, ...] = ()
    air: Air = Air()
    part: Part = Part()
    cable: Damage = Damage()
    """What the cable of a serial part does to its bytes; `device/ports/mock.py` has the keys."""
    breakages: tuple[Breakage, ...] = ()


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`base` with the keys of `over` in their place; tables are merged, lists replaced."""
    both = dict(base)
    for key, value in over.items():
        mine = both.get(key)
        nested = isinstance(mine, dict) and isinstance(value, dict)
        both[key] = _merged(dict(mine or {}), value) if nested else value
    return both


_HINTS = {
    "shape: Invalid enum": " (wall, pole or person)",
    "expect: Invalid enum": " (warning, fault, quiet or any)",
    "failure: Invalid enum": f" ({', '.join(Failure)})",
    "Expected `array`, got `object`": " (a list of tables is written [[obstacles]])",
}


def unheeded(scenario: Scenario) -> Scenario:
    """The same walk by someone who walks on as if the device were off."""
    manner = msgspec.structs.replace(scenario.walker, heeds=False)
    return msgspec.structs.replace(scenario, walker=manner)


VARIANT = "@"
"""Stands between a scenario's name and its variant's."""


def shipped() -> list[str]:
    """Names of the scenarios that come with rearguard, without their variants."""
    names = (entry.name for entry in _folder().iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def variants(name: str) -> list[str]:
    """Full names of a shipped scenario's variants; its own name when it has none."""
    raw = toml.decode(_shipped_text(name), name, InputError)
    return [f"{name}{VARIANT}{variant}" for variant in raw.get("variants", {})] or [name]


def suite() -> list[str]:
    """Full names of every walk in the suite, in its order."""
    numbered = [(load(name).number, name) for name in shipped()]
    ordered = sorted((number, name) for number, name in numbered if number is not None)
    return [full for _, name in ordered for full in variants(name)]


def load(name: str) -> Scenario:
    """A shipped scenario by name, or one from a TOML file. Raises InputError."""
    base, at, variant = name.partition(VARIANT)
    if base in shipped() and bool(at) == bool(variant):
        text = _shipped_text(base)
    elif Path(name).suffix == ".toml" or "/" in name:
        text, base, variant = toml.read(Path(name), InputError), name, ""
    else:
        raise InputError(
            f'scenario "{name}": not shipped; choose one of {", ".join(shipped())}, or a TOML file'
        )
    return parse(text, base, variant)


def _folder() -> Traversable:
    return resources.files("device.sim") / "scenarios"


def _shipped_text(name: str) -> str:
    return (_folder() / f"{name}.toml").read_text("utf-8")


def shortened(scenario: Scenario, duration_s: float) -> Scenario:
    """The same walk, ended (or gone on) at `duration_s`."""
    return msgspec.structs.replace(scenario, duration_s=duration_s)


def parse(text: str, source: str, variant: str = "") -> Scenario:
    """A scenario from TOML text, as it is or in one of its variants. Raises InputError."""
    raw = toml.decode(text, source, InputError)
    differing = raw.pop("variants", {})
    if not isinstance(differing, dict) or not all(isinstance(v, dict) for v in differing.values()):
        raise InputError(f"{source}: variants: give each a table, [variants.NAME]")
    if variant:
        if variant not in differing:
            have = ", ".join(f"{source}{VARIANT}{name}" for name in differing) or "none"
            raise InputError(f'scenario "{source}{VARIANT}{variant}": no such variant; have {have}')
        raw = _merged(raw, differing[variant])
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
