"""The suite over many seeds: walks in parallel processes, tallies summed in order.

Every walk is told by its name and its seed alone, so the sums do not depend on how many
processes there were, and any one of them can be walked again.
"""

import concurrent.futures
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from device.errors import InputError
from device.evaluate.peers import OURS, PEERS
from device.evaluate.record import Record, Say, record
from device.evaluate.score import Tally, score
from device.settings import Settings
from device.sim import scenario as scenarios
from device.sim.scenario import VARIANT

BATCH = 5
"""Walks handed to a process at a time."""


class Job(Struct, frozen=True):
    """Some seeds of one walk."""

    name: str
    seeds: range
    settings: Settings
    peers: bool


class Done(Struct):
    """A scenario's tallies, by contender."""

    name: str
    tallies: dict[str, Tally]
    counted: bool = True
    """In the sums; not when it is beyond any device of this kind."""


def walk(job: Job) -> Done:
    """Walk one job's seeds; runs in a process of its own."""
    contenders = [OURS, *PEERS] if job.peers else [OURS]
    tallies = {contender: Tally() for contender in contenders}
    for seed in job.seeds:
        walked = record(job.name, job.settings, seed)
        for contender, tally in tallies.items():
            says = walked.says if contender == OURS else heard_by(contender, walked)
            one = score(job.name, seed, walked, says)
            if contender != OURS:
                one.cases = []
            tally.add(one)
    return Done(job.name, tallies)


def heard_by(contender: str, walked: Record) -> list[Say]:
    """What a peer says to the readings of a walk."""
    decide = PEERS[contender]()
    says = [Say(0.0, 0)]
    for reading in walked.readings:
        level = decide(reading)
        if level != says[-1].level:
            says.append(Say(reading.t_s, level))
    return says


def chosen(only: Sequence[str]) -> list[str]:
    """The suite's walks, or those that `only` names (a bare name: all variants)."""
    names = scenarios.suite()
    for wanted in only:
        if not any(_is(name, wanted) for name in names):
            have = ", ".join(dict.fromkeys(name.partition(VARIANT)[0] for name in names))
            raise InputError(f'scenario "{wanted}": not in the suite; choose one of {have}')
    return [name for name in names if not only or any(_is(name, wanted) for wanted in only)]


def _is(name: str, wanted: str) -> bool:
    return wanted in (name, name.partition(VARIANT)[0])


def evaluate(
    names: Sequence[str],
    seeds: range,
    settings: Settings,
    jobs: int,
    *,
    peers: bool = True,
    progress: Callable[[int], None] = lambda _walks: None,
) -> list[Done]:
    """Every scenario of `names` at every seed; `progress` is told of each few walks done."""
    todo = [
        Job(name, seeds[i : i + BATCH], settings, peers)
        for name in names
        for i in range(0, len(seeds), BATCH)
    ]
    done = {name: Done(name, {}, not scenarios.load(name).beyond) for name in names}
    for job, part in zip(todo, _walked(todo, jobs), strict=True):
        for contender, tally in part.tallies.items():
            done[part.name].tallies.setdefault(contender, Tally()).add(tally)
        progress(len(job.seeds))
    return list(done.values())


def _walked(todo: Sequence[Job], jobs: int) -> Iterator[Done]:
    """The jobs' results, in the jobs' order."""
    if jobs <= 1 or not todo:
        yield from map(walk, todo)
        return
    # Forked children of a process with threads (a progress bar has one) may hang.
    context = multiprocessing.get_context("spawn")
    pool = concurrent.futures.ProcessPoolExecutor(
        min(jobs, len(todo)), mp_context=context, initializer=_child
    )
    try:
        yield from pool.map(walk, todo)
    except BaseException:
        heeded = signal.signal(signal.SIGINT, signal.SIG_IGN)  # impatience must not break this
        for process in list(pool._processes.values()):  # noqa: SLF001 - public only from 3.14 on
            process.terminate()
        pool.shutdown(cancel_futures=True)
        signal.signal(signal.SIGINT, heeded)
        raise
    pool.shutdown()


def _child() -> None:
    """Ctrl-C is the parent's to answer, once; and without a parent there is nothing to do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def total(done: Sequence[Done], contender: str = OURS) -> Tally:
    """All scenarios summed, but for those that are beyond any device of this kind."""
    tally = Tally()
    for part in done:
        if part.counted:
            tally.add(part.tallies.get(contender, Tally()))
    return tally
