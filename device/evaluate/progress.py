"""How far the suite has come: a bar on a terminal, silence elsewhere."""

import contextlib
import sys
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def bar(walks: int, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Yields what is to be told of each few walks done."""
    if quiet or not sys.stderr.isatty():
        yield lambda _walks: None
        return
    try:
        from rich import progress  # noqa: PLC0415 - the figures need no bar, nor its library
        from rich.console import Console  # noqa: PLC0415
    except ImportError:
        yield lambda _walks: None
        return
    columns = (
        progress.TextColumn("walking the suite"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("", total=walks)
        yield lambda done: shown.advance(task, done)
