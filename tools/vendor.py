"""Fetch the JavaScript that the report's page contains, by exact version and checksum: `python tools/vendor.py`.

The files are in `src/isobudget/report/page/vendor` with their licences, and are inlined unchanged; there is no build
step. `--check` compares the files there with the checksums below, without a network. To move a package to another
version, change its lines here, run this, look at what changed, and run the browser tests.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import sys
import tarfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "src" / "isobudget" / "report" / "page" / "vendor"
REGISTRY = "https://registry.npmjs.org"


@dataclass(frozen=True)
class File:
    """A file of a package: where it is in the archive, its name here, its sha256."""

    member: str
    name: str
    sha256: str


@dataclass(frozen=True)
class Package:
    """A package, the sha256 of its archive, and the files that are taken."""

    name: str
    version: str
    sha256: str
    files: tuple[File, ...]


# htm's standalone file holds Preact as well: its version and licence stand in vendor/README.md
PACKAGES = (
    Package(
        "uplot",
        "1.6.32",
        "4b8a8191e425658e3ea8c8c1314b0fc679c861ee3a1af2b20c7b16ba50b5133d",
        (
            File(
                "dist/uPlot.iife.min.js",
                "uPlot.iife.min.js",
                "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
            ),
            File(
                "dist/uPlot.min.css",
                "uPlot.min.css",
                "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
            ),
            File(
                "LICENSE",
                "uPlot.LICENSE",
                "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
            ),
        ),
    ),
    Package(
        "htm",
        "3.1.1",
        "2425b9bee11409177bcabc7f32e319926fc6690c1701c0b257c88bdff2d5ba90",
        (
            File(
                "preact/standalone.umd.js",
                "htm-preact-standalone.umd.js",
                "62c4ffea400078c0eda7f435b22726b4961ebdf74c8506f188e92bec41d8ac51",
            ),
            File(
                "LICENSE",
                "htm.LICENSE",
                "740725f7252e750af735d0028cc534970772f513331e9f68150fede8fb3ce00f",
            ),
        ),
    ),
    Package(
        "preact",
        "10.5.14",
        "9e4baa5fbbba94c739361421f3cf84beda8d8b8db176de53e0d157be60ee9387",
        (
            File(
                "LICENSE",
                "preact.LICENSE",
                "1fe6958409c8c257a70c587a18b6f7f412b179b456630790d30b2ec9a8e4b7d4",
            ),
        ),
    ),
)


def fetch(package: Package) -> None:
    """Fetch a package and write its files; a wrong checksum ends the program before that file is written."""
    url = f"{REGISTRY}/{package.name}/-/{package.name}-{package.version}.tgz"
    with urllib.request.urlopen(url, timeout=60) as answer:
        archive = answer.read()
    _compare(f"{package.name} {package.version}", package.sha256, archive)
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        for one in package.files:
            file = members.extractfile(f"package/{one.member}")
            data = b"" if file is None else file.read()
            _compare(one.name, one.sha256, data)
            (FOLDER / one.name).write_bytes(data)


def _compare(what: str, expected: str, data: bytes) -> None:
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        sys.exit(f"{what}: the sha256 is {found}, not {expected}")


def main() -> None:
    """Fetch all packages, or compare the files that are there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare what is there; no network")
    check = parser.parse_args().check
    for package in PACKAGES:
        if check:
            for one in package.files:
                _compare(one.name, one.sha256, (FOLDER / one.name).read_bytes())
        else:
            fetch(package)


if __name__ == "__main__":
    main()
