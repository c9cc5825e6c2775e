"""One walk, walked once: what was heard, what rearguard said, and what was true.

The device is assembled as on a Pi and run on the virtual clock; observers keep the
readings, for the peers to hear, and each change of what was said.
"""

from collections.abc import Callable
from typing import NamedTuple

from msgspec import Struct

from device import loop
from device.clock import VirtualClock
from device.core.alert import State
from device.core.pipeline import Step
from device.core.reading import Reading
from device.evaluate.human import Need, Person
from device.evaluate.spans import Span, stretches
from device.evaluate.truth import Fact, Truth, blind_spans
from device.failures import Failure
from device.settings import Settings
from device.sim import scenario as scenarios
from device.sim.rig import Rig
from device.sim.scenario import Scenario
from device.sim.world import World


class Say(NamedTuple):
    """From `t_s` on: the level that is shown, whether as a fault, whether hushed."""

    t_s: float
    level: int
    fault: bool = False
    hushed: bool = False

    @property
    def stops(self) -> bool:
        """Whether a wearer who obeys is standing by now."""
        return self.fault or (self.level >= State.DANGER and not self.hushed)


class Record(Struct, frozen=True):
    """Everything about one walk that judging it needs."""

    scenario: Scenario
    readings: list[Reading]
    says: list[Say]
    facts: list[Fact]
    dead: list[Span]
    """When the sensor was broken, (from, to) in seconds."""
    blind: list[Span]
    need: Need | None
    person: Person


def record(
    name: str,
    settings: Settings,
    seed: int,
    watch: Callable[[Step], None] = lambda _step: None,
) -> Record:
    """Walk `name` at `seed`, heedless; `watch` sees every step. Raises InputError, ConfigError."""
    scenario = scenarios.unheeded(scenarios.load(name))
    clock = VirtualClock()
    rig = Rig(scenario, settings, seed, clock)
    heard: list[Reading] = []
    says: list[Say] = [Say(0.0, 0)]

    def observe(step: Step) -> None:
        if step.reading is not None:
            heard.append(step.reading)
        alert = step.alert
        now = (min(int(alert.state), 4), alert.fault is not None, alert.hushed)
        if now != says[-1][1:]:
            says.append(Say(step.t_s, *now))
        watch(step)

    with loop.assemble(settings, clock, rig.board, rig.device_rng, rig.open_port) as device:
        device.run(device.ticker(scenario.duration_s), observe)
    profile = settings.alert.profile
    # The rig's walker was stopped by what they ran into; a fresh one walks on in thought.
    person = Person(World(rig.scenario, rig.device_rng, lambda _t, _call: None), profile)
    return Record(
        rig.scenario,
        heard,
        says,
        Truth(rig.world, profile).timeline(scenario.duration_s),
        _dead_spans(scenario),
        blind_spans(rig.world, scenario.duration_s),
        person.need(scenario.duration_s),
        person,
    )


def _dead_spans(scenario: Scenario) -> list[Span]:
    ordered = sorted(scenario.breakages, key=lambda breakage: breakage.at_s)
    marks = [(breakage.at_s, breakage.failure is not Failure.OK) for breakage in ordered]
    return stretches(marks, scenario.duration_s)
