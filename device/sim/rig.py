"""The rig: a scenario, a mock board and a twin, ready for the device to be plugged in.

This is the other side of the pins from `loop.assemble`: it hangs the sensor's twin and
the walker's senses on the board's far end, books what is going to break, and keeps
the truth that the summary is judged by.
"""

import random

from device.clock import VirtualClock
from device.failures import Failure
from device.pins.mock import MockBoard
from device.ports.mock import Cable, PtyCable
from device.profiles import HEEL_LEAD_M
from device.sensors import Bench, Model, Twin, make_twin, model
from device.settings import Settings
from device.sim.chance import drawn
from device.sim.obstacles import Ear
from device.sim.scenario import Scenario, Stall
from device.sim.world import World

STRIDE_CHECK_S = 0.05


def ear(listener: Model) -> Ear:
    """What the world has to know of a sensor."""
    return Ear(listener.half_angle_deg, listener.light, listener.max_range_m)


class Rig:
    """Everything simulated in one run. The same seed gives the same run."""

    def __init__(
        self,
        scenario: Scenario,
        settings: Settings,
        seed: int,
        clock: VirtualClock,
        *,
        terminal: bool = False,
    ) -> None:
        """Build the world and solder it to a board on `clock`.

        `terminal`: a serial part speaks through a real pseudo-terminal (real time only).
        """
        chance = random.Random(f"{seed} chance")
        scenario = self.scenario = drawn(scenario, settings.alert.profile, chance)
        self._clock = clock
        self.board = MockBoard(clock)
        self.device_rng = random.Random(f"{seed} device")
        listener = model(settings.sensor)
        self.world = World(
            scenario,
            random.Random(f"{seed} world"),
            clock.at,
            ear(listener),
        )
        kind = PtyCable if terminal and listener.serial else Cable
        self._cable = kind(clock, scenario.cable, random.Random(f"{seed} cable"))
        self.open_port = self._cable.open
        self.close = self._cable.close
        self.contact_mps: float | None = None
        self.broken_s = 0.0
        """When the sensor last broke or was mended."""
        part = scenario.part
        bench = Bench(
            settings=settings.sensor,
            line=self.board.line,
            cable=self._cable,
            now=clock.now,
            at=clock.at,
            listen=self.world.listen,
            sound_mps=self.world.sound_mps,
            air_c=scenario.air.temperature_c,
            no_echo_s=None if part.never_ends else part.no_echo_ms / 1000.0,
            rng=random.Random(f"{seed} part"),
        )
        self.twin: Twin = make_twin(settings.sensor.driver, bench)
        for organ, fitted in (("buzzer", settings.buzzer), ("motor", settings.motor)):
            if fitted.enabled:
                self._attach(organ, fitted.pin)
        for breakage in scenario.breakages:
            self._book(breakage.at_s, breakage.failure)
        for stall in scenario.stalls:
            self._book_stall(stall)
        if scenario.obstacles:
            clock.at(0.0, self._feet, lazy=True)

    @property
    def dead(self) -> bool:
        """Whether the sensor is out of order at this moment."""
        return self.twin.failure is not Failure.OK

    def _feet(self) -> None:
        """Where nothing stops the walker, the obstacle does: looked at 20 times a second."""
        t_s = self._clock.now()
        walker = self.world.walker
        gap_m = self.world.gap_m(t_s)
        if gap_m is not None and gap_m <= HEEL_LEAD_M:
            speed_mps = walker.place(t_s)[1]
            if speed_mps > 0:
                self.contact_mps = self.contact_mps or speed_mps
                walker.stop(t_s)
        self._clock.at(t_s + STRIDE_CHECK_S, self._feet, lazy=True)

    def _attach(self, organ: str, pin: int) -> None:
        feel = self.world.walker.feel
        self.board.line(pin).watch(lambda t_s, level: feel(organ, t_s, level))

    def _book(self, at_s: float, failure: Failure) -> None:
        def breaks() -> None:
            self.twin.failure = failure
            self.broken_s = at_s

        self._clock.at(at_s, breaks)

    def _book_stall(self, stall: Stall) -> None:
        # The world goes on inside this sleep; the device, whose wait this runs in, does not.
        self._clock.at(stall.at_s, lambda: self._clock.sleep(stall.for_s))
