"""What is remembered of a walk: who it was asked of, each second, each thing that was said.

Times are seconds since the walk began, but for the beginning itself: that is a boot and the
monotonic clock's seconds since it, which are always true, and the wall clock's only once it is
known to have been set.
"""

from typing import Literal

from msgspec import Struct

from device import profiles

FILE = "walks.db"
"""The book's usual name."""
LEVELS = ("clear", *profiles.LEVELS)
"""The words for a second's level."""


class Beginning(Struct, frozen=True):
    """A walk begins.

    `number`: 1 for the first since the device's start. `began_s`: on the steps' clock, as the
    journal's t_s. `mode`, `week`, `target_s`, `most_s`: what was asked. `weight_kg`: the wearer's.
    `begun`: motion, button or command. `limits_m`: where CAUTION to STOP began by distance.
    """

    number: int
    began_s: float
    begun: str
    version: str
    sensor: str
    profile: str
    mode: str
    week: int | None
    target_s: float
    most_s: float
    weight_kg: float | None = None
    limits_m: tuple[float, ...] = ()


class Second(Struct, frozen=True):
    """One second of a walk: what was in view, what was said.

    `t_s`: whole, from 0. `distance_m`: the nearest that was tracked, and `closing_mps` the mean of
    what was known; None where there was none. `level`: the highest, 0 CLEAR to 4 STOP. `fault`: the
    last that stood. `buzzer`, `motor`: mean output, 0 to 1. `forward`: asked to go forward.
    `protected`: the share of it in which the sensor was believed.
    """

    t_s: int
    distance_m: float | None
    closing_mps: float | None
    level: int
    fault: str | None
    buzzer: float
    motor: float
    forward: bool
    protected: float


Kind = Literal["alert", "fault", "cue"]


class Event(Struct, frozen=True):
    """Something was said.

    `what`: the level that was risen to ("caution" to "stop"), the fault's name, or the cue's.
    `distance_m`, `closing_mps`, `ttc_s`: what was believed then. `cause`: why, in a sentence
    without its point. `reaction_s`: from the first alert of an
    approach to half the closing speed; inf where they were seen not to slow; None: not known.
    """

    t_s: float
    kind: Kind
    what: str
    cause: str = ""
    distance_m: float | None = None
    closing_mps: float | None = None
    ttc_s: float | None = None
    reaction_s: float | None = None


class Totals(Struct, frozen=True):
    """A walk in figures, up to now.

    `walked_s`: from its beginning to its end. `forward_s`: of that, asked to go forward.
    `protected_s`: of that, with a sensor that was believed. `backward_m` in `backward_seen_s`:
    walked backward where something in view showed how fast; `forward_m` likewise. `closest_m`: the
    nearest that was tracked. Counts are of risings to a level, and of faults that began.
    """

    walked_s: float = 0.0
    forward_s: float = 0.0
    protected_s: float = 0.0
    backward_m: float = 0.0
    backward_seen_s: float = 0.0
    forward_m: float = 0.0
    forward_seen_s: float = 0.0
    closest_m: float | None = None
    cautions: int = 0
    warnings: int = 0
    dangers: int = 0
    stops: int = 0
    faults: int = 0


class Reaction(Struct, frozen=True):
    """To the alert that was told at `t_s`; inf: they were seen not to slow."""

    t_s: float
    reaction_s: float


class Entry(Struct, frozen=True):
    """What is new of a walk: most often one second, with what was said in it.

    `reactions`: to events of this or an earlier entry. `totals`: up to now. `ended`: how, in the
    last.
    """

    beginning: Beginning
    seconds: list[Second]
    events: list[Event]
    reactions: list[Reaction]
    totals: Totals
    ended: str | None = None


class Walk(Struct, frozen=True):
    """A walk as it is kept.

    `boot_id`, `began_monotonic_s`: when it began, for certain. `began_wall_s`: seconds since 1970,
    None until known. `ended`: stood, unseen, button, or stopped with the device; None while it
    goes on, or where the power ended it.
    """

    id: int
    boot_id: str
    began_monotonic_s: float
    began_wall_s: float | None
    beginning: Beginning
    ended: str | None
    totals: Totals
