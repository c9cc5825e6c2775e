"""Debian packages of what Raspberry Pi OS has and Debian has not.

Raspberry Pi OS carries gpiozero 2 and lgpio; Debian stops at gpiozero 1.6, and Bookworm (of
either kind) has no msgspec. Here the releases on PyPI become small packages under the names that
rearguard depends on: the files of the wheel, an honest version, the Python they fit. With them
our package can be installed, and tested, in a clean Debian.

lgpio has no wheel for Trixie's Python 3.13: it is compiled from its source, against the headers
of the suite's own Python, which mmdebstrap fetches.
"""

import argparse
import dataclasses
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from email.parser import Parser
from pathlib import Path

HERE = Path(__file__).resolve().parent
LOCK = HERE / "local.txt"
SITE = "usr/lib/python3/dist-packages"


@dataclasses.dataclass(frozen=True)
class Suite:
    """A Debian release: the Python it has, and what it lacks."""

    python: str
    lacks: tuple[str, ...]
    compiled: tuple[str, ...] = ()


SUITES = {
    "bookworm": Suite("3.11", ("gpiozero", "lgpio", "msgspec")),
    "trixie": Suite("3.13", ("gpiozero", "lgpio"), compiled=("lgpio",)),
}
NEEDS = {"gpiozero": ", python3-colorzero"}
POSTINST = """#!/bin/sh
set -e
if [ "$1" = configure ] && command -v py3compile >/dev/null; then py3compile -p {name}; fi
"""
PRERM = """#!/bin/sh
set -e
if command -v py3clean >/dev/null; then py3clean -p {name}; fi
"""


def main() -> int:
    """Write the packages and print their paths."""
    parser = argparse.ArgumentParser(description="Debian packages of what Debian has not.")
    parser.add_argument("suite", choices=SUITES)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these; all by default")
    parser.add_argument("--out", type=Path, default=Path("dist"), help="a folder (dist/SUITE)")
    parser.add_argument("--mirror", action="append", default=[], help="of Debian, for mmdebstrap")
    options = parser.parse_args()
    suite = SUITES[options.suite]
    out = options.out / options.suite
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in options.names or suite.lacks:
            work = Path(folder) / name
            work.mkdir()
            if name in suite.compiled:
                wheel = compile_lgpio(work, options.suite, options.mirror)
            else:
                wheel = download(name, work, python=suite.python)
            print(package(wheel, work / "package", out, suite))
    return 0


def download(name: str, work: Path, *, python: str | None = None) -> Path:
    """The locked release of `name`: its wheel for `python`, this machine's, or its source.

    The source with `python` None. pip runs the setup.py of a source for its name alone: with the
    setuptools that is here, not with the newest.
    """
    blocks = re.split(r"^(?=\S)", LOCK.read_text(encoding="utf-8"), flags=re.MULTILINE)
    wanted = [block for block in blocks if block.startswith(f"{name}==")]
    if not wanted:
        sys.exit(
            f"local: {name} is not in {LOCK.name}; known: {', '.join(SUITES['bookworm'].lacks)}"
        )
    requirements = work / "requirements.txt"
    requirements.write_text(wanted[0], encoding="utf-8")
    kind = (
        ["--no-binary", ":all:", "--no-build-isolation"]
        if python is None
        else ["--only-binary", ":all:", "--python-version", python, "--implementation", "cp"]
    )
    run(
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"),
        *(*kind, "--dest", work / "download", "--requirement", requirements),
    )
    return next((work / "download").iterdir())


def compile_lgpio(work: Path, suite: str, mirrors: list[str]) -> Path:
    """lgpio's source as a wheel would hold it: what its setup.py does for PyPI, by hand."""
    python = SUITES[suite].python
    archive = download("lgpio", work)
    run("tar", "--extract", "--file", archive, "--directory", work)
    source = work / archive.name.removesuffix(".tar.gz")
    swig = work / "swig"
    swig.mkdir()
    with zipfile.ZipFile(download("swig", swig, python=python)) as wheel:
        wheel.extractall(swig)
    command = swig / "swig/data/bin/swig"
    command.chmod(0o755)
    library = next(swig.rglob("swig.swg")).parent
    headers = work / "headers"
    run(
        "mmdebstrap",
        "--quiet",
        "--variant=extract",
        f"--include=libpython{python}-dev",
        suite,
        headers,
        *mirrors,
    )
    # Python's headers without its suite's C library, whose compiler is not here.
    multiarch = run("gcc", "-print-multiarch").strip() or f"{platform.machine()}-linux-gnu"
    (headers / "only" / multiarch).mkdir(parents=True)
    (headers / "only" / multiarch / f"python{python}").symlink_to(
        headers / "usr/include" / multiarch / f"python{python}"
    )
    run(command, f"-I{library}/python", f"-I{library}", "-python", "lgpio.i", cwd=source)
    extension = f"_lgpio.cpython-{python.replace('.', '')}-{multiarch}.so"
    run(
        *("gcc", "-O2", "-pthread", "-shared", "-fPIC", "-w", "-Isrc"),
        *(f"-I{headers}/usr/include/python{python}", f"-I{headers}/only"),
        *("lgpio_wrap.c", *sorted(source.glob("src/lg*.c")), "src/rgpiod.c"),
        *("-lrt", "-ldl", "-o", extension),
        cwd=source,
    )
    version = re.search(r"-([0-9.]+)$", source.name)[1]
    made = work / f"lgpio-{version}-cp{python.replace('.', '')}-cp-local.whl"
    with zipfile.ZipFile(made, "w") as wheel:
        for name in ("lgpio.py", extension):
            wheel.write(source / name, name)
        wheel.write(source / "PKG-INFO", f"lgpio-{version}.dist-info/METADATA")
        wheel.write(source / "LICENSE", f"lgpio-{version}.dist-info/LICENSE")
    return made


def package(wheel: Path, tree: Path, out: Path, suite: Suite) -> Path:
    """A wheel's files as a Debian package in `out`."""
    site = tree / SITE
    site.mkdir(parents=True)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    info = next(site.glob("*.dist-info"))
    metadata = Parser().parsestr((info / "METADATA").read_text(encoding="utf-8"))
    upstream = metadata["Name"]
    name = f"python3-{upstream}"
    architecture, depends = "all", f"python3 (>= {suite.python})"
    if any(site.rglob("*.so")):
        major, minor = suite.python.split(".")
        depends += f", python3 (<< {major}.{int(minor) + 1})"
        architecture = run("dpkg", "--print-architecture").strip()
    documents = tree / "usr/share/doc" / name
    documents.mkdir(parents=True)
    for licence in info.rglob("LICENSE*"):
        shutil.copy(licence, documents / "copyright")
    (tree / "DEBIAN").mkdir()
    fields = {
        "Package": name,
        "Version": f"{metadata['Version']}-0local1",
        "Architecture": architecture,
        "Maintainer": "rearguard maintainers <maintainers@rearguard.invalid>",
        "Depends": depends + NEEDS.get(upstream, ""),
        "Section": "python",
        "Priority": "optional",
        "Description": f"{metadata['Summary']}\n Made from the release on PyPI, unchanged.",
    }
    control = "".join(f"{key}: {value}\n" for key, value in fields.items())
    (tree / "DEBIAN/control").write_text(control, encoding="utf-8")
    for script, text in (("postinst", POSTINST), ("prerm", PRERM)):
        path = tree / "DEBIAN" / script
        path.write_text(text.format(name=name), encoding="utf-8")
    for path in [tree, *tree.rglob("*")]:
        runs = path.is_dir() or path.name in {"postinst", "prerm"}
        path.chmod(0o755 if runs else 0o644)
    made = out / f"{name}_{fields['Version']}_{architecture}.deb"
    run("dpkg-deb", "--root-owner-group", "--build", tree, made)
    return made


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """What the command says; its error ends this program."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        sys.exit(f"local: {command[0]} is not installed; install it")
    if done.returncode:
        said = (done.stdout + done.stderr).splitlines()[-20:]
        sys.exit("\n".join([f"local: {command[0]} failed:", *said]))
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
