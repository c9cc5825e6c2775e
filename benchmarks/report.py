"""Figures to people: percentiles, plain-text tables, one JSON file."""

import json
import math
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of `values` lie under, interpolated; nan for none."""
    if not values:
        return math.nan
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return quantile(values, 0.5)


def table(title: str, rows: Sequence[Row]) -> str:
    """Rows that share their keys, under those keys, in columns."""
    heads = list(rows[0])
    cells = [heads] + [[_text(row[head]) for head in heads] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(heads))]
    wordy = [isinstance(rows[0][head], str) for head in heads]
    lines = [
        "  ".join(
            cell.ljust(width) if left else cell.rjust(width)
            for cell, width, left in zip(line, widths, wordy, strict=True)
        ).rstrip()
        for line in cells
    ]
    return "\n".join([title, "", lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def where() -> Row:
    """What the figures depend on besides the code."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "gpiozero": version("gpiozero"),
        "rearguard": version("rearguard"),
    }


def write_json(path: Path | None, **content: object) -> None:
    """Everything measured, for a machine."""
    if path is not None:
        whole = _finite({"where": where(), **content})
        path.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


def _finite(value: Any) -> Any:
    """JSON has no nan: null."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _text(value: object) -> str:
    if isinstance(value, float):
        if math.isnan(value):
            return "-"
        return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"
    return str(value)
