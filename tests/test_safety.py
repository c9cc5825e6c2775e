"""The questions before a walk: only yes goes on, and whoever leaves has said no."""

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from device.walks import safety
from tests.conftest import Command

SOON_S = 20.0
EVERY = [*safety.QUESTIONS, safety.CHIRP, safety.BALANCE]
NAMES = [question.name for question in EVERY]


def asked(
    answers: dict[str, bool], leaves: str = "", on: bool = True
) -> tuple[safety.Result, list[str], list[str]]:
    """(the result, what was asked, what was told); yes to all that is not in `answers`."""
    heard: list[str] = []
    told: list[str] = []
    names = {question.text: question.name for question in (*EVERY, safety.HELP)}

    def ask(text: str) -> bool:
        heard.append(names[text])
        if names[text] == leaves:
            raise KeyboardInterrupt
        return answers.get(names[text], True)

    return safety.check(ask, told.append, on), heard, told


def test_yes_to_all_is_a_walk() -> None:
    result, heard, told = asked({})
    assert result == safety.Result(True)
    assert heard == NAMES
    assert told == [safety.LAST]


def test_a_device_that_is_not_on_has_not_chirped_yet() -> None:
    result, heard, told = asked({"chirp": False}, on=False)
    assert result.good
    assert heard == [name for name in NAMES if name != "chirp"]
    assert told == [safety.LAST, safety.WAIT]
    assert "chirp" in safety.WAIT
    assert "pulse" in safety.WAIT


@pytest.mark.parametrize("question", EVERY[:-1])
def test_a_no_ends_it_with_what_to_do(question: safety.Question) -> None:
    result, heard, told = asked({question.name: False})
    assert result == safety.Result(False, question.name, question.remedy)
    assert heard[-1] == question.name
    assert told == [f"NOT NOW: {question.remedy}"]
    assert question.remedy


def test_who_is_not_steady_needs_somebody() -> None:
    result, heard, _ = asked({"balance": False})
    assert result.good
    assert heard[-1] == "help"
    result, _, told = asked({"balance": False, "help": False})
    assert (result.good, result.no) == (False, "help")
    assert "physiotherapist" in told[0]
    assert "doctor or physiotherapist say that you may" in safety.HELP.text


def test_who_is_steady_is_not_asked_for_help() -> None:
    assert "help" not in asked({})[1]


@pytest.mark.parametrize("name", NAMES)
def test_leaving_is_a_no(name: str) -> None:
    result, _, told = asked({}, leaves=name)
    assert (result.good, result.no) == (False, "left")
    assert told[0].startswith("NOT NOW")


def test_it_asks_of_what_the_guidance_names() -> None:
    everything = " ".join(question.text for question in (*EVERY, safety.HELP)).lower()
    for word in ("flat", "drop", "few people", "shoes", "upright", "small steps", "eye", "twist"):
        assert word in everything
    for word in ("balance", "osteoporosis", "sensor", "chirp"):
        assert word in everything


def test_each_line_fits_a_terminal() -> None:
    for question in (*EVERY, safety.HELP, safety.LEFT):
        said = [*f"{question.text} [y/n] ".splitlines(), f"NOT NOW: {question.remedy}"]
        assert max(map(len, said)) <= 80, said
    assert len(safety.LAST) <= 80
    assert len(safety.WAIT) <= 80


# ------------------------------------------------------------------ on a terminal

ON_THIS_TERMINAL = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # Ctrl-C typed there is for this process
"""
CHECK = """
from device.selftest import asked
from device.walks import safety
sys.exit(0 if safety.check(asked, print, True).good else 1)
"""
COMMAND = """
import runpy
sys.argv = ["rearguard", "walk"]
runpy.run_module("device", run_name="__main__")
"""


class Terminal:
    """A process on a real pseudo-terminal."""

    def __init__(self, script: str, state: Path) -> None:
        self.near, self.far = pty.openpty()
        self.seen = ""
        self.popen = subprocess.Popen(
            [sys.executable, "-c", ON_THIS_TERMINAL + script],
            stdin=self.far,
            stdout=self.far,
            stderr=self.far,
            start_new_session=True,
            env={
                **os.environ,
                "REARGUARD_CONFIG": os.devnull,
                "XDG_STATE_HOME": str(state),
            },
        )

    def until(self, words: str) -> str:
        """What is shown up to these words."""
        until_s = time.monotonic() + SOON_S
        while words not in self.seen:
            ready, _, _ = select.select([self.near], [], [], until_s - time.monotonic())
            assert ready, f"{words!r} did not come; {self.seen!r} did"
            self.seen += os.read(self.near, 4096).decode()
        shown, _, self.seen = self.seen.partition(words)
        return shown + words

    def type(self, keys: bytes) -> None:
        os.write(self.near, keys)

    def status(self) -> int:
        return self.popen.wait(SOON_S)

    def close(self) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()
        os.close(self.near)
        os.close(self.far)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[[str], Terminal]]:
    opened: list[Terminal] = []

    def open_terminal(script: str = CHECK) -> Terminal:
        opened.append(Terminal(script, tmp_path))
        return opened[-1]

    yield open_terminal
    for each in opened:
        each.close()


def answer(of: Terminal, keys: Sequence[bytes]) -> None:
    for key in keys:
        of.until("[y/n] ")
        of.type(key)


def test_yes_answers_each(terminal: Callable[..., Terminal]) -> None:
    on = terminal()
    answer(on, [b"y\n"] * len(EVERY))
    on.until(safety.LAST)
    assert on.status() == 0


def test_a_no_is_status_1(terminal: Callable[..., Terminal]) -> None:
    on = terminal()
    answer(on, [b"Y\n", b"No\n"])
    on.until("NOT NOW: choose a quieter place")
    assert on.status() == 1


@pytest.mark.parametrize("keys", [b"\n", b"xyz\n", b"yyyy\n", b"ny\n"])
def test_only_a_clear_word_is_an_answer(terminal: Callable[..., Terminal], keys: bytes) -> None:
    on = terminal()
    answer(on, [keys, b"n\n"])
    on.until("NOT NOW: it sees none of these")
    assert on.status() == 1


@pytest.mark.parametrize(
    ("keys", "said"),
    [(b"\x03", "nobody answered to the end"), (b"\x04", "choose a quieter place")],
    ids=["Ctrl-C", "Ctrl-D"],
)
def test_leaving_by_key_is_status_1(
    terminal: Callable[..., Terminal], keys: bytes, said: str
) -> None:
    on = terminal()
    answer(on, [b"y\n", keys])
    on.until(f"NOT NOW: {said}")
    assert on.status() == 1


def test_the_command_ends_at_a_no(terminal: Callable[..., Terminal]) -> None:
    on = terminal(COMMAND)
    answer(on, [b"y\n", b"y\n", b"n\n"])
    on.until("NOT NOW: change them")
    assert on.status() == 1


def test_without_a_terminal_nothing_is_asked(
    rearguard: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open(os.devnull) as nothing:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdin", nothing)
        ran = rearguard("walk")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.count("\n") == 1
    assert "terminal" in ran.err
