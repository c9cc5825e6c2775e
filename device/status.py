"""What the running device says of itself, to whoever may ask.

A UNIX socket, since a file's permissions then say who may ask, and nothing is written
to the card: who connects is sent a JSON object as a line at once, and another each
quarter of a second until they leave. The server reads nothing, waits for nobody (a
client that does not listen is dropped) and sleeps without a timeout while nobody is
there. It shares a process, and a real-time priority, with the loop, so whatever fails
in it ends as a word in `failed`, and neither an error nor a flood of clients makes it spin.
"""

import contextlib
import errno
import math
import os
import select
import shutil
import socket
import stat
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import BinaryIO, Self, TextIO

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from device import __version__, keeper
from device.core.pipeline import Step
from device.errors import HardwareError, InputError
from device.history import scribe

PATH = Path("/run/rearguard/status.sock")
SIMULATED = "simulated, no pin is driven"
PERIOD_S = 0.25
WINDOW_S = 2.0
LEAST_WINDOW_S = 0.5
"""The first two pings alone would make a rate that nobody would believe."""
MOST_CLIENTS = 8
MOST_WAITING = 64
"""At the door: the last of them is heard before its patience ends."""
PAUSE_S = 0.025
"""Between two clients: one who connects in a loop must not cost the walk its processor."""
TROUBLE_S = 1.0
"""No new client for so long after an error: what cannot be accepted would be offered again."""
BUFFER_BYTES = 8192
"""About three seconds for a client that does not read."""
CLOSE_S = 0.5
PATIENCE_S = 2.0
"""A line comes each quarter of a second; without one for so long nobody is at home."""
MOST_LINE_BYTES = 65536


class Snapshot(Struct, frozen=True):
    """One moment of the running device.

    `up_s`: since its start. `fault`: the sensor's, or the device's own, by its name. `proven`: the
    sensor has answered. `muted_s`: seconds of mute that are left. `overruns` of `cycles` steps
    were late, by `worst_late_ms` at worst. `config`: where the settings came from; `kept`: why
    newer ones were refused. `safe`: on the defaults after so many crashes. `missing`: what is
    fitted and cannot be had. `restarts`: after an unclean end. `walk_s`, `target_s`: how long the
    walk has been going on, and was to; None where there is none. `forward`: asked to go forward.
    `journal`, `history`: None where none is kept.
    """

    version: str = __version__
    pid: int = 0
    up_s: float = 0.0
    level: str = "unknown"
    fault: str | None = None
    cue: str = "silence"
    distance_m: float | None = None
    closing_mps: float | None = None
    ttc_s: float | None = None
    proven: bool = False
    muted_s: float = 0.0
    pings_per_s: float = 0.0
    cycles: int = 0
    overruns: int = 0
    worst_late_ms: float = 0.0
    config: str = ""
    kept: str | None = None
    safe: bool = False
    missing: list[str] = []
    restarts: int = 0
    factory: str = ""
    sensor: str = ""
    walk_s: float | None = None
    target_s: float | None = None
    forward: bool = False
    journal: keeper.State | None = None
    history: scribe.State | None = None

    @property
    def good(self) -> bool:
        """The wearer is protected as they set it."""
        doubts = self.fault is not None or self.kept is not None or self.safe
        return self.proven and not doubts and not self.missing


class NotRunningError(HardwareError):
    """There is no device to ask."""


class Meter:
    """An observer that counts readings, and keeps the latest step for whoever asks."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()
        self._first_s: float | None = None
        self._last: Step | None = None

    def __call__(self, step: Step) -> None:
        """Take in one step."""
        now_s, times = step.t_s, self._times
        if self._first_s is None:
            self._first_s = now_s
        if step.reading is not None:
            times.append(now_s)
        while times and times[0] <= now_s - WINDOW_S:
            times.popleft()
        self._last = step

    @property
    def pings_per_s(self) -> float:
        """Readings a second, over the last two seconds of the loop's time or since its start."""
        if self._last is None or self._first_s is None:
            return 0.0
        span_s = min(WINDOW_S, self._last.t_s - self._first_s)
        return len(self._times) / max(LEAST_WINDOW_S, span_s)

    def snapshot(self, rest: Snapshot) -> Snapshot:
        """`rest` with what the latest step says; safe from any thread."""
        step = self._last
        if step is None:
            return rest
        track, alert, walk = step.track, step.alert, step.walk
        if walk is not None and walk.ended is None:
            rest = replace(
                rest,
                walk_s=round(step.t_s - walk.began_s, 1),
                target_s=walk.dose.target_s,
                forward=walk.forward,
            )
        return replace(
            rest,
            level=alert.level,
            fault=alert.fault,
            cue=step.cue.name.lower().replace("_", "-"),
            distance_m=track.distance_m,
            closing_mps=track.closing_mps,
            ttc_s=track.ttc_s,
            proven=alert.proven,
            muted_s=round(step.muted_s, 1),
            pings_per_s=round(self.pings_per_s, 1),
        )


# ------------------------------------------------------------------ the server


class Server:
    """Tells whoever connects to `path`; a context manager with one daemon thread.

    `snapshot` is called from that thread. Neither entering nor leaving raises: what went
    wrong is in `failed`, in one line.
    """

    def __init__(
        self,
        path: Path,
        snapshot: Callable[[], Snapshot],
        mode: int = 0o660,
        *,
        period_s: float = PERIOD_S,
    ) -> None:
        """`mode`: who may connect, beside the directory's permissions."""
        self._path, self._snapshot, self._mode = path, snapshot, mode
        self._period_s = period_s
        self._encode = msgspec.json.Encoder().encode
        self._listener: socket.socket | None = None
        self._bell_read, self._bell = -1, -1
        self._inode = 0
        self._clients: list[socket.socket] = []
        self._thread: threading.Thread | None = None
        self.failed: str | None = None

    def __enter__(self) -> Self:
        """Listen, in the place of whoever listened there before."""
        try:
            self._listener = self._listen()
            self._bell_read, self._bell = os.pipe()
            self._thread = threading.Thread(target=self._serve, name="status", daemon=True)
            self._thread.start()
        except (OSError, RuntimeError) as error:
            self._fail(error)
            self._close()
        return self

    def __exit__(self, *_: object) -> None:
        """End, within half a second."""
        if self._thread is None:
            return
        with contextlib.suppress(OSError):
            os.write(self._bell, b"!")
        self._thread.join(CLOSE_S)
        with contextlib.suppress(OSError):
            if self._path.lstat().st_ino == self._inode:  # and not the next one's already
                self._path.unlink()
        if not self._thread.is_alive():
            self._close()

    def _listen(self) -> socket.socket:
        """Bound beside its place and then moved there: it is never there half made."""
        path = self._path
        if path.exists() and not stat.S_ISSOCK(path.lstat().st_mode):
            raise OSError(errno.EEXIST, "something that is no socket is there")
        new = path.with_name(f"{path.name}~")
        new.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.setblocking(False)
            listener.bind(str(new))
            new.chmod(self._mode)
            listener.listen(MOST_WAITING)
            self._inode = new.lstat().st_ino
            new.rename(path)
        except BaseException:
            listener.close()
            raise
        return listener

    def _close(self) -> None:
        for client in self._clients:
            client.close()
        self._clients.clear()
        if self._listener is not None:
            self._listener.close()
        for fd in (self._bell_read, self._bell):
            if fd >= 0:
                os.close(fd)
        self._listener, self._bell_read, self._bell = None, -1, -1

    def _fail(self, error: Exception) -> None:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        self.failed = f"{self._path}: no status: {why}"

    def _serve(self) -> None:
        listener, bell = self._listener, self._bell_read
        if listener is None:
            return
        next_s = accept_s = 0.0
        while True:
            now_s = time.monotonic()
            waits = [next_s - now_s] if self._clients else []
            if accept_s > now_s:
                waits.append(accept_s - now_s)
            heard = [bell] if accept_s > now_s else [bell, listener.fileno()]
            ready, _, _ = select.select(heard, [], [], max(0.0, min(waits)) if waits else None)
            if bell in ready:
                return
            now_s = time.monotonic()
            try:
                if listener.fileno() in ready:
                    accept_s = now_s + PAUSE_S
                    self._welcome(listener)
                    if len(self._clients) == 1:
                        next_s = now_s + self._period_s
                if self._clients and now_s >= next_s:
                    next_s = now_s + self._period_s
                    self._tell(self._clients, self._line())
            except Exception as error:  # noqa: BLE001 - whatever it is, it costs the status only
                self._fail(error)
                accept_s = now_s + TROUBLE_S
                for client in self._clients:
                    client.close()
                self._clients.clear()

    def _line(self) -> bytes:
        return self._encode(self._snapshot()) + b"\n"

    def _welcome(self, listener: socket.socket) -> None:
        try:
            client, _ = listener.accept()
        except BlockingIOError:  # it has gone already
            return
        client.setblocking(False)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        if len(self._clients) >= MOST_CLIENTS:
            refusal = {"refused": f"{MOST_CLIENTS} others are watching; end one of them"}
            with client, contextlib.suppress(OSError):
                client.send(self._encode(refusal) + b"\n")
            return
        self._clients.append(client)
        line = self._line()
        self.failed = None
        self._tell([client], line)

    def _tell(self, clients: list[socket.socket], line: bytes) -> None:
        for client in list(clients):
            try:
                whole = client.send(line) == len(line)
            except OSError:  # it has left, or does not listen
                whole = False
            if not whole:
                self._clients.remove(client)
                client.close()


# ------------------------------------------------------------------ who asks


def read(path: Path = PATH) -> Generator[Snapshot]:
    """What the device says, four times a second, until the caller has enough.

    Raises NotRunningError, also when it ends meanwhile, and InputError when it may not be asked.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asked:
        asked.settimeout(PATIENCE_S)
        try:
            asked.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NotRunningError(
                f"{path}: the service is not running; sudo systemctl start rearguard"
            ) from error
        except PermissionError as error:
            raise InputError(
                f"{path}: only group rearguard may read it: sudo usermod -aG rearguard {_user()},"
                " then log in again"
            ) from error
        except BlockingIOError as error:
            raise NotRunningError(f"{path}: too many ask at once; try again") from error
        except OSError as error:
            raise InputError(f"{path}: {error.strerror or error}; give its socket") from error
        with asked.makefile("rb") as stream:
            while True:
                yield _next(path, stream)


def _next(path: Path, stream: BinaryIO) -> Snapshot:
    try:
        line = stream.readline(MOST_LINE_BYTES)
    except TimeoutError as error:
        raise NotRunningError(
            f"{path}: no answer for {PATIENCE_S:g} s; sudo systemctl restart rearguard"
        ) from error
    except ConnectionError:
        line = b""
    if not line.endswith(b"\n"):
        raise NotRunningError(f"{path}: it has ended; see journalctl -u rearguard")
    try:
        said = msgspec.json.decode(line, type=_Said)
        if said.refused is None:
            return msgspec.json.decode(line, type=Snapshot)
    except msgspec.MsgspecError as error:
        raise InputError(f"{path}: not rearguard's status: {error}; give its socket") from error
    raise InputError(f"{path}: refused: {said.refused}")


class _Said(Struct):
    refused: str | None = None


def _user() -> str:
    import pwd  # noqa: PLC0415 - only an error needs it

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return "NAME"


def running(path: Path = PATH) -> bool:
    """Whether there is a device that watches; one that may not be asked does."""
    try:
        with contextlib.closing(read(path)) as snapshots:
            next(snapshots)
    except NotRunningError:
        return False
    except InputError:
        pass
    return True


def show(path: Path, follow: bool, as_json: bool, out: TextIO, say: Callable[[str], None]) -> int:
    """`rearguard status`; returns the exit status: 0 running and well, 1 not.

    `say` takes an error line. Raises InputError when refused, BrokenPipeError when nobody reads.
    """
    try:
        with contextlib.closing(read(path)) as snapshots:
            if follow:
                _follow(snapshots, as_json, out)
                return 0
            snapshot = next(snapshots)
    except NotRunningError as error:
        if as_json:
            print(msgspec.json.encode({"error": str(error)}).decode(), file=out, flush=True)
        else:
            say(f"rearguard: {error}")
        return 1
    print(_json(snapshot) if as_json else "\n".join(lines(snapshot)), file=out, flush=True)
    return 0 if snapshot.good else 1


def _follow(snapshots: Iterator[Snapshot], as_json: bool, out: TextIO) -> None:
    """Until nobody reads it, or nothing comes any more."""
    if not as_json and out.isatty() and os.environ.get("TERM") not in {None, "", "dumb"}:
        _in_place(snapshots, out)
        return
    last: object = None
    for snapshot in snapshots:
        if _unread(out):
            return
        if as_json:
            print(_json(snapshot), file=out, flush=True)
        elif (news := _news(snapshot)) != last:
            last = news
            print(_timed(snapshot), file=out, flush=True)


def _in_place(snapshots: Iterator[Snapshot], out: TextIO) -> None:
    try:
        for snapshot in snapshots:
            columns = shutil.get_terminal_size().columns
            out.write(f"\r{_timed(snapshot)[: columns - 1]}\x1b[K")
            out.flush()
    finally:
        with contextlib.suppress(OSError):
            out.write("\n")
            out.flush()


def _unread(out: TextIO) -> bool:
    """Whether the pipe's other end is closed: with nothing to write one would not notice."""
    poll = select.poll()
    try:
        poll.register(out, 0)
    except (OSError, ValueError):  # no file at all
        return False
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _json(snapshot: Snapshot) -> str:
    return msgspec.json.encode(snapshot).decode()


def _timed(snapshot: Snapshot) -> str:
    return f"{snapshot.up_s:9.1f} s  {text(snapshot)}"


def _news(snapshot: Snapshot) -> object:
    """What makes a line worth printing."""
    kept = [state and state.failed for state in (snapshot.journal, snapshot.history)]
    well = (snapshot.proven, snapshot.safe, snapshot.kept, kept)
    walk = (snapshot.walk_s is not None, snapshot.forward)
    return snapshot.level, snapshot.fault, snapshot.muted_s > 0.0, well, walk


def text(snapshot: Snapshot) -> str:
    """All that matters, in one line: for systemd, for a log, for `--follow`."""
    parts = [_now(snapshot), f"{snapshot.pings_per_s:.1f} pings/s", f"{snapshot.overruns} late"]
    if snapshot.walk_s is not None:
        parts.append(f"walking {_walk(snapshot)}")
    if snapshot.muted_s > 0.0:
        parts.append(f"muted {_clock(snapshot.muted_s)}")
    if snapshot.safe:
        parts.append(f"safe settings after {snapshot.restarts} crashes")
    if snapshot.missing:
        parts.append(f"without {' and '.join(snapshot.missing)}")
    if snapshot.kept is not None:
        parts.append("new settings refused")
    if snapshot.factory == "mock":
        parts.append(SIMULATED)
    if snapshot.journal is not None and snapshot.journal.failed is not None:
        parts.append(f"journal off: {snapshot.journal.failed}")
    if snapshot.history is not None and snapshot.history.failed is not None:
        parts.append(f"history off: {snapshot.history.failed}")
    return "; ".join(parts)


def lines(snapshot: Snapshot) -> Iterator[str]:
    """The whole of it for a person."""
    simulated = f" ({SIMULATED})" if snapshot.factory == "mock" else ""
    yield f"{_now(snapshot)}{simulated}"
    yield ""
    if snapshot.pid == 0:
        return
    crashes = f"{snapshot.restarts} crash{'es' * (snapshot.restarts > 1)}"
    again = f", after {crashes}" if snapshot.restarts else ""
    yield f"running         {_long(snapshot.up_s)}, process {snapshot.pid}{again}"
    yield f"version         {snapshot.version}"
    yield f"level           {snapshot.level}"
    yield f"signal          {snapshot.cue}"
    yield f"distance        {_track(snapshot)}"
    answers = "" if snapshot.proven else ", has not answered yet"
    yield f"sensor          {snapshot.sensor}, {snapshot.pings_per_s:.1f} pings/s{answers}"
    yield f"fault           {snapshot.fault or 'none'}"
    muted = f"muted for {_clock(snapshot.muted_s)}" if snapshot.muted_s > 0.0 else "on"
    yield f"sound           {muted}"
    yield f"walk            {_walk(snapshot)}"
    late = f"{snapshot.overruns} late (worst {snapshot.worst_late_ms:.0f} ms)"
    yield f"loop            {snapshot.cycles} steps, {late}"
    yield f"board           {snapshot.factory}"
    yield f"configuration   {snapshot.config}"
    if snapshot.kept is not None:
        yield f"                refused: {snapshot.kept}"
    if snapshot.safe:
        yield f"                SAFE SETTINGS of it, after {crashes}"
    if snapshot.missing:
        yield f"                WITHOUT {', '.join(snapshot.missing)}: see the log"
    yield f"journal         {_kept(snapshot.journal)}"
    yield f"history         {_history(snapshot.history)}"


def _now(snapshot: Snapshot) -> str:
    if snapshot.pid == 0:
        return "STARTING, and not watching yet: see journalctl -u rearguard"
    if snapshot.fault is not None:
        return f"FAULT {snapshot.fault}"
    if not snapshot.proven:
        return "WAITING for the sensor"  # and never CLEAR, of which nothing is known
    distance = "" if snapshot.distance_m is None else f" {snapshot.distance_m:.2f} m"
    return f"{snapshot.level.upper()}{distance}"


def _track(snapshot: Snapshot) -> str:
    if snapshot.distance_m is None:
        return "-"
    said = f"{snapshot.distance_m:.2f} m"
    if snapshot.closing_mps is not None:
        said += f", closing {snapshot.closing_mps:+.2f} m/s"
    if snapshot.ttc_s is not None:
        said += f", {snapshot.ttc_s:.1f} s until touching"
    return said


def _walk(snapshot: Snapshot) -> str:
    if snapshot.walk_s is None or snapshot.target_s is None:
        return "none"
    way = ", forward" if snapshot.forward else ""
    return f"{_clock(snapshot.walk_s)} of {_clock(snapshot.target_s)}{way}"


def _kept(state: keeper.State | None) -> str:
    if state is None:
        return "none"
    said = f"{state.path or 'nothing yet'}, {state.written_bytes / 1e6:.1f} MB since the start"
    if state.lost_lines:
        said += f", {state.lost_lines} lines lost"
    return said if state.failed is None else f"OFF: {state.failed}; {said}"


def _history(state: scribe.State | None) -> str:
    if state is None:
        return "none"
    said = f"{state.path}, walks since the start: {state.walks}"
    if state.lost:
        said += f", {state.lost} s lost"
    if state.aside is not None:
        said += f"; a broken one is at {state.aside}"
    return said if state.failed is None else f"OFF: {state.failed}; {said}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(math.ceil(seconds), 60)
    return f"{minutes}:{rest:02}"


def _long(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
