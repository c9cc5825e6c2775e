"""`rearguard run` with each driver, in real time, through a real terminal and pyserial."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple, Self

import pytest

from device import config, sensors
from device.clock import VirtualClock
from device.sim import scenario
from device.sim.run import Walk

SOON_S = 40.0
LEVELS = ("clear", "caution", "warning", "danger", "stop")
WALKED_S = 4.3
COUNTS = "rearguard: the sensor: "

BACKING = """
title = "Backing to a wall, heedless"
duration_s = 5.0
expect = "any"

[walker]
legs = [{ for_s = 100.0, speed_mps = 1.2 }]
heeds = false

[[obstacles]]
shape = "wall"
along_m = 4.0
"""
STANDING = """
title = "Standing before a wall"
duration_s = 60.0
expect = "any"

[walker]
legs = []

[[obstacles]]
shape = "wall"
along_m = 1.5

[[breakages]]
at_s = 1.0
failure = "pulled"

[[breakages]]
at_s = 2.2
failure = "ok"
"""
NOISE = "[cable]\ngarbled = 0.01\nlost = 0.01\nrepeated = 0.05\n"


ALL_COUNTS = {"frames", "overtaken", "bad form", "bad checksum", "bad range", "port lost"}


class Line(NamedTuple):
    t_s: float
    level: int
    fault: str | None
    reading: dict[str, Any] | None


class Run:
    """One `rearguard run`, ended with the test whatever happens."""

    def __init__(self, folder: Path, driver: str, world: str) -> None:
        folder.mkdir()
        self.world, self.journal = folder / "world.toml", folder / "walk.jsonl"
        self.world.write_text(world, encoding="utf-8")
        text = (
            f'[gpio]\nfactory = "mock"\n[simulation]\nscenario = "{self.world}"\nseed = 3\n'
            f'[sensor]\ndriver = "{driver}"\n'
        )
        self.config = folder / "config.toml"
        self.config.write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "device", "run", "--config", str(self.config)]
        unwanted = ("REARGUARD", "GPIOZERO")
        self.said = (folder / "said").open("w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [*command, "--journal", str(self.journal)],
            stdin=subprocess.DEVNULL,
            stdout=self.said,
            stderr=self.said,
            env={k: v for k, v in os.environ.items() if not k.startswith(unwanted)},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.said.close()

    def lines(self) -> list[Line]:
        """What the journal holds by now: whole lines only."""
        if not self.journal.exists():
            return []
        whole = self.journal.read_text("utf-8").rpartition("\n")[0].splitlines()[1:]
        found = [json.loads(row) for row in whole]
        return [
            Line(row["t_s"], LEVELS.index(row["level"]), row["fault"], row["reading"])
            for row in found
        ]

    def heard(self) -> str:
        self.said.flush()
        return Path(self.said.name).read_text("utf-8")

    def wait_for(self, words: str) -> None:
        deadline = time.monotonic() + SOON_S
        while words not in self.heard():
            assert self.process.poll() is None, self.heard()
            assert time.monotonic() < deadline, f"never said {words!r}: {self.heard()}"
            time.sleep(0.05)

    def wait_until(self, t_s: float) -> None:
        deadline = time.monotonic() + SOON_S
        while not (lines := self.lines()) or lines[-1].t_s < t_s:
            assert self.process.poll() is None, self.heard()
            assert time.monotonic() < deadline, f"never walked to {t_s} s: {self.heard()}"
            time.sleep(0.2)

    def end(self) -> dict[str, int]:
        """Told to; what it then says that the sensor's port came to, by name."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(SOON_S) == 0, self.heard()
        assert "Traceback" not in self.heard()
        *_, before, last = self.heard().splitlines()
        assert last.startswith("rearguard: stopped, outputs low")
        if not before.startswith(COUNTS):
            assert COUNTS not in self.heard()
            return {}
        assert self.heard().count(COUNTS) == 1
        counted = (part.rpartition(" ") for part in before.removeprefix(COUNTS).split(", "))
        return {name: int(count) for name, _, count in counted}

    def virtual(self) -> dict[int, float]:
        """When each level was first reached on the virtual clock, with the same seed."""
        settings = config.load(self.config)
        first: dict[int, float] = {}

        def note(step: Any) -> None:
            for level in range(1, LEVELS.index(step.alert.level) + 1):
                first.setdefault(level, step.t_s)

        world = scenario.load(str(self.world))
        Walk(world, settings, settings.simulation.seed, VirtualClock()).go([note])
        return first


def reached(lines: list[Line]) -> dict[int, float]:
    """When each level, or a higher one, was first reached."""
    first: dict[int, float] = {}
    for line in lines:
        for level in range(1, line.level + 1):
            first.setdefault(level, line.t_s)
    return first


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """All drivers walk at once: most of the time they wait."""
    folder = tmp_path_factory.mktemp("runs")
    started = {name: Run(folder / name, name, BACKING) for name in sensors.names()}
    yield started
    for run in started.values():
        run.__exit__()


def test_every_driver_warns_where_the_virtual_run_says(runs: dict[str, Run]) -> None:
    """One test, so that they need not walk one after the other on several workers."""
    for driver, run in runs.items():
        run.wait_until(WALKED_S)
        counts = run.end()
        lines = run.lines()
        told = f"{driver}: {run.heard()}"
        serial = sensors.model(config.load(run.config).sensor).serial
        assert set(counts) >= (ALL_COUNTS if serial else set()), told
        assert set(counts) - ALL_COUNTS == ({"air °C"} if driver == "us100" else set()), told
        if serial:
            assert counts["frames"] >= 0.5 * len([x for x in lines if x.reading]), told
            assert counts["port lost"] == 0, told
        period_s = sensors.pace(config.load(run.config).sensor).period_s
        real, virtual = reached(lines), run.virtual()
        assert set(virtual) == {1, 2, 3, 4}, told
        assert set(real) == {1, 2, 3, 4}, told
        for level, t_s in virtual.items():
            off_s = real[level] - t_s
            assert abs(off_s) <= 0.35 + period_s, f"{LEVELS[level]} {off_s:+.2f} s, {told}"
        readings = [line for line in lines if line.reading is not None]
        assert len(readings) >= 0.5 * WALKED_S / period_s, told
        kinds = [line.reading["kind"] for line in readings if line.reading]
        assert kinds.count("fault") <= 0.1 * len(kinds) + 1, told
        assert not any(line.fault for line in lines), told


def test_a_cable_that_is_pulled_and_put_back_is_announced_and_trusted_again(tmp_path: Path) -> None:
    with Run(tmp_path / "pulled", "a02yyuw", STANDING) as run:
        run.wait_for("sensor fault: port-gone")
        run.wait_for("the sensor answers again")
        assert run.end()["port lost"] == 1
        lines = run.lines()
        faults = [line for line in lines if line.fault]
        assert {line.fault for line in faults} == {"port-gone"}
        assert 1.0 <= faults[0].t_s <= 2.4
        assert all(line.level >= 1 for line in faults)
        assert {r["fault"] for line in faults if (r := line.reading) and r["kind"] == "fault"} <= {
            "port-gone",
            "no-answer",
        }
        assert lines[-1].fault is None
        assert run.heard().count("port-gone") == 1


def test_a_noisy_cable_does_not_keep_it_from_warning(tmp_path: Path) -> None:
    with Run(tmp_path / "noisy", "a02yyuw", BACKING + NOISE) as run:
        run.wait_until(WALKED_S)
        counts = run.end()
        assert counts["bad form"] + counts["bad checksum"] > 0
        real, virtual = reached(run.lines()), run.virtual()
        assert set(real) == {1, 2, 3, 4}
        for level in (3, 4):
            assert abs(real[level] - virtual[level]) <= 1.0
        far = [r["distance_m"] for line in run.lines() if (r := line.reading) and "distance_m" in r]
        assert max(far) < 4.1
