"""What each sensor gives up: the suite walked with every part that there is a driver for.

Each has its own rate, filter, range, beam and way to say "nothing" (`MODELS` of its module), and
hears the same walks. What a walk needs is judged as for the usual part, an HC-SR04: a walk that
it could have told in time counts against every other. So a part that sees less, or later, gives up
walks; one that sees what sound does not gains some.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
from msgspec import Struct

from device import config, sensors
from device.errors import ConfigError
from device.evaluate import suite
from device.evaluate.peers import OURS
from device.evaluate.rows import Row, row
from device.evaluate.score import Tally
from device.evaluate.suite import Done
from device.settings import SensorSettings, Settings

USUAL = Settings().sensor.driver
LESS = 0.05
"""A scenario is given up when so much less of it is told in time; and gained likewise."""
MORE_PER_H = 2.0
"""And alarming when there are so many more false alarms an hour."""


class Fitted(NamedTuple):
    """A part in one of its modes, and a configuration with it."""

    name: str
    settings: Settings


class Part(Struct, frozen=True):
    """A part's figures. Shares from 0 to 1, by scenario; `alarms` are false WARNINGs an hour."""

    name: str
    period_s: float
    lag_s: float
    total: Row
    gives_up: dict[str, float] = {}
    gains: dict[str, float] = {}
    alarms: dict[str, float] = {}


def fitted(settings: Settings) -> list[Fitted]:
    """Every part in every mode, the usual one first; all else as in `settings`."""
    found = []
    for driver in sorted(sensors.names(), key=lambda name: (name != USUAL, name)):
        for model, part in sensors.models(driver).items():
            for mode in sensors.modes(part):
                sensor = SensorSettings(
                    driver=driver,
                    model=model,
                    realtime="realtime" in mode,
                    request="request" in mode,
                    temperature_c=settings.sensor.temperature_c,
                )
                with_it = msgspec.structs.replace(settings, sensor=sensor)
                found.append(Fitted(" ".join((part.title, *mode)), config.fitted(with_it)))
    return found


def named(settings: Settings) -> Settings:
    """The same, with the part's name written out, as `fitted` has it."""
    sensor = msgspec.structs.replace(settings.sensor, model=sensors.model_name(settings.sensor))
    return msgspec.structs.replace(settings, sensor=sensor)


def compare(
    only: Sequence[str],
    seeds: range,
    settings: Settings,
    jobs: int,
    walked: Sequence[Done] = (),
    progress: Callable[[int], None] = lambda _walks: None,
) -> list[Part]:
    """The suite with every part; the first is the usual one. Raises InputError, ConfigError.

    `walked`: what the suite came to with `settings` themselves, if that is known already.
    """
    names = suite.chosen(only)
    found: list[Part] = []
    usual: Sequence[Done] = ()
    for name, with_it in fitted(settings):
        try:
            config.judge(with_it, name)
        except ConfigError as error:
            raise ConfigError(f"{error}; --parts needs settings that suit every part") from error
        done = walked if with_it == named(settings) else ()
        done = done or suite.evaluate(names, seeds, with_it, jobs, peers=False, progress=progress)
        usual = usual or done
        found.append(_part(name, with_it, done, usual))
    return found


def _part(name: str, settings: Settings, done: Sequence[Done], usual: Sequence[Done]) -> Part:
    pace = sensors.pace(settings.sensor)
    gives_up, gains, alarms = {}, {}, {}
    for mine, theirs in zip(done, usual, strict=True):
        ours, reference = (part.tallies[OURS] for part in (mine, theirs))
        told, wanted = _told(ours), _told(reference)
        if told is not None and wanted is not None:
            if told <= wanted - LESS:
                gives_up[mine.name] = round(told, 3)
            elif told >= wanted + LESS:
                gains[mine.name] = round(told, 3)
        more = _alarms_per_h(ours) - _alarms_per_h(reference)
        if more >= MORE_PER_H:
            alarms[mine.name] = round(_alarms_per_h(ours), 1)
    return Part(
        name, pace.period_s, pace.lag_s, row(name, suite.total(done)), gives_up, gains, alarms
    )


def _told(tally: Tally) -> float | None:
    """Share of the walks that needed a stop, heard or not, that were told in time."""
    walks = tally.needs + tally.undetectable
    return (tally.met + tally.undetectable_met) / walks if walks else None


def _alarms_per_h(tally: Tally) -> float:
    return tally.false_warning * 3600.0 / tally.walked_s if tally.walked_s else 0.0
