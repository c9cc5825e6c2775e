"""What a test holds in its hands inside the guest: the daemon, and the far end of its lines."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import msgspec

from device.settings import Settings
from lines.far_end import SOUND_MPS, Order, Seen
from lines.sim_chip import SimChip

BACKENDS = ("gpiod", "lgpio", "rpigpio")
FACTORIES = (*BACKENDS, "auto")
"""What may be asked for; "auto" is gpiod here, so it is enough to try it where that matters."""
ROOT = Path(__file__).resolve().parent.parent
PINS = Settings()
OUTPUTS = (PINS.buzzer.pin, PINS.motor.pin)
LINE = 5
"""A free one, for tests of pins by themselves."""
HERE_M = 1.0
LOOK_S = 0.005
AT_20_C = "[sensor]\ntemperature_c = 20.0\n"
"""The far end's air."""


class Far:
    """The process at the far end, and its log."""

    def __init__(self, folder: Path) -> None:
        """Starts it."""
        self._log = folder / "far.jsonl"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lines.far_end", str(self._log)],
            stdin=subprocess.PIPE,
            cwd=ROOT,
        )
        until(lambda: self._log.exists() and self.seen(), 30.0)

    def order(self, **order: Any) -> float:
        """Change the world or the part; returns when it was done."""
        assert self._process.stdin is not None
        before = len(self.seen("ordered"))
        self._process.stdin.write(msgspec.json.encode(Order(**order)) + b"\n")
        self._process.stdin.flush()
        until(lambda: len(self.seen("ordered")) > before, 5.0)
        return self.seen("ordered")[-1].t_s

    def seen(self, what: str = "", since_s: float = 0.0) -> list[Seen]:
        """What it wrote down."""
        lines = self._log.read_bytes().split(b"\n")[:-1]
        every = [msgspec.json.decode(line, type=Seen) for line in lines]
        return [each for each in every if what in ("", each.what) and each.t_s >= since_s]

    def pulses(self, what: str, since_s: float, gap_s: float = 0.0) -> list[tuple[float, float]]:
        """(rise, fall) of an output that began since then; PWM's gaps below `gap_s` are bridged."""
        found: list[tuple[float, float]] = []
        up_s = None
        for each in self.seen(what):
            if each.level:
                up_s = each.t_s
            elif up_s is not None:
                if found and up_s - found[-1][1] <= gap_s:
                    found[-1] = (found[-1][0], each.t_s)
                else:
                    found.append((up_s, each.t_s))
                up_s = None
        return [pulse for pulse in found if pulse[0] >= since_s]

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it; its log stays."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10.0)


class Daemon:
    """`rearguard run` as a black box: a configuration in; lines, a journal and a log out."""

    def __init__(
        self,
        folder: Path,
        factory: str,
        config: str = "",
        prefix: tuple[str, ...] = (),
        path: tuple[Path, ...] = (),
    ) -> None:
        """Starts it. `config` is more TOML; `prefix` a command to run it under; `path` Python's."""
        paths = (*path, ROOT, os.environ.get("PYTHONPATH", ""))
        self.environment = os.environ | {"PYTHONPATH": ":".join(map(str, paths))}
        self.journal = folder / "walk.jsonl"
        self._log = folder / "daemon.log"
        self.config = folder / "rearguard.toml"
        self.config.write_text(f'{config}\n[gpio]\nfactory = "{factory}"\n', encoding="utf-8")
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    *prefix,
                    *(sys.executable, "-m", "device", "run"),
                    *("--config", str(self.config), "--journal", str(self.journal)),
                ],
                stdout=log,
                stderr=log,
                cwd="/run",
                env=self.environment,
            )

    @property
    def said(self) -> str:
        """Its log so far."""
        return self._log.read_text("utf-8")

    def hears(self, words: str, within_s: float = 30.0) -> None:
        """Wait until it has said so."""
        until(lambda: words in self.said or self.process.poll() is not None, within_s)
        assert words in self.said, self.said

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Whatever became of it, it is gone; where nothing else did, SIGTERM ends it well."""
        try:
            if self.process.poll() is None and sys.exc_info()[0] is None:
                assert self.end() == 0, self.said
        finally:
            self.process.kill()
            self.process.wait(10.0)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send it a signal and wait; its exit status."""
        self.process.send_signal(number)
        return self.process.wait(20.0)

    def rows(self) -> list[dict[str, Any]]:
        """The journal's lines, without its header. Call after `end`."""
        with self.journal.open("rb") as file:
            return [msgspec.json.decode(line) for line in file][1:]


def until(true: Callable[[], Any], within_s: float, look_s: float = LOOK_S) -> None:
    """Wait for `true()`, asked each `look_s`. Fails after `within_s`."""
    end_s = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end_s, f"waited {within_s} s in vain"
        time.sleep(look_s)


def outputs_low() -> bool:
    """Both lines, from outside."""
    chip = SimChip()
    return not any(chip.level(line) for line in OUTPUTS)


@contextlib.contextmanager
def walk(
    folder: Path, factory: str, config: str = AT_20_C, **world: Any
) -> Iterator[tuple[Far, Daemon]]:
    """Far end and daemon together; ended by SIGTERM."""
    with Far(folder) as far:
        far.order(**world)
        with Daemon(folder, factory, config) as daemon:
            daemon.hears("watching")
            yield far, daemon


def echoes(far: Far, daemon: Daemon) -> list[tuple[float, float, float]]:
    """(fall on the guest's clock, true metres, metres in the journal) of each echo, in order.

    What is true is the pulse as it was put on the wire. Call after the daemon's end, of a run in
    which every ping had an answer.
    """
    rises, falls = far.seen("rise"), far.seen("fall")
    said = [row["reading"]["distance_m"] for row in daemon.rows() if row["reading"]]
    assert abs(len(said) - len(falls)) <= 1, daemon.said  # the last one may be cut off
    return [
        (fall.t_s, (fall.t_s - rise.t_s) * SOUND_MPS / 2.0, metres)
        for rise, fall, metres in zip(rises, falls, said, strict=False)
    ]


class Ear:
    """Hears edges; gpiozero keeps callbacks by weak reference only."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, int]] = []

    def on_edge(self, ticks: float, level: int) -> None:
        self.heard.append((ticks, level))
