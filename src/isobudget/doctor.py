"""Checks what this machine can do, for `isobudget doctor`.

The checks download, install and change nothing, and use no network.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from isobudget.backends.llamacpp import usable_cores
from isobudget.errors import IsobudgetError
from isobudget.files.near import not_a_file
from isobudget.judge import layers_of_confinement
from isobudget.models.catalog import PathSource, load_catalog, user_catalog_path
from isobudget.models.weights import local_weights, weights_folder
from isobudget.records.facts import processor_name

#: what each extra is for; the extras and their packages are read from the package's metadata
PURPOSES = {
    "local": "models inside this process",
    "humaneval": "the HumanEval problems",
    "report": "figures and the report page",
    "hub": "weights and data from a model hub",
    "pytest": "problems with pytest files, and solve",
    "openai": "models behind servers",
    "verifier": "the ranker verifier",
    "sql": "isobudget sql",
    "mcp": "tools for coding agents",
    "serve": "the gateway",
    "transformers": "any causal model, on a GPU or the processor",
    "vllm": "models on GPUs by vLLM",
    "energy": "energy of NVIDIA cards",
    "s3": "runs in object stores",
    "ray": "studies on several machines",
}

_FOR_DEVELOPERS = {"all", "dev", "docs"}
#: parts of a requirement in the metadata: name and extras of the package, and the extra that requires it
_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[([^\]]*)\])?")
_EXTRA = re.compile(r"""extra\s*==\s*["']([^"']+)["']""")


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check.

    Attributes:
        area: part of the system: `machine`, `extras`, `judge` or `models`.
        name: what was checked.
        ok: whether it is available; None for plain information.
        found: what was found.
        hint: what to do if it is missing, or an empty string.
    """

    area: str
    name: str
    ok: bool | None
    found: str
    hint: str = ""


def doctor() -> list[Check]:
    """Check the machine, the extras, the judge's confinement and the models."""
    return [*_machine(), *_extras(), *_judge(), *_models()]


def _machine() -> list[Check]:
    python = platform.python_version()
    gpu, linux = shutil.which("nvidia-smi"), platform.system() == "Linux"
    return [
        Check("machine", "python", sys.version_info >= (3, 11), python, "isobudget needs Python 3.11 or newer"),
        Check("machine", "system", linux, platform.platform(), "the judge can confine samples on Linux only"),
        Check("machine", "processor", None, f"{processor_name()}, {usable_cores()} usable"),
        Check("machine", "memory", None, _memory()),
        Check("machine", "disk for models", None, _free(weights_folder())),
        Check("machine", "disk here", None, _free(Path.cwd())),
        Check("machine", "nvidia gpu", None, "driver installed" if gpu else "none"),
    ]


def _extras() -> list[Check]:
    checks = []
    for extra, packages in needed_packages().items():
        missing = [name for name in packages if not _installed(name)]
        state = f"not installed: {', '.join(missing)}" if missing else "installed"
        purpose = PURPOSES.get(extra, extra)
        checks.append(Check("extras", extra, not missing, f"{purpose}: {state}", f"pip install 'isobudget[{extra}]'"))
    engine = any(check.name == "local" and check.ok for check in checks)
    return [*checks, _engine()] if engine else checks


def needed_packages() -> dict[str, list[str]]:
    """The packages of each extra, with the packages of other extras that it includes. Not for developers' extras."""
    stated = importlib.metadata.requires("isobudget") or []
    direct: dict[str, list[str]] = {}
    for requirement in stated:
        for extra in _EXTRA.findall(requirement):
            direct.setdefault(extra, []).append(requirement)
    extras = [*filter(direct.__contains__, PURPOSES), *sorted(set(direct) - set(PURPOSES) - _FOR_DEVELOPERS)]
    return {extra: _packages(extra, direct) for extra in extras}


def _packages(extra: str, direct: dict[str, list[str]]) -> list[str]:
    packages: list[str] = []
    for requirement in direct.get(extra, []):
        name, included = _NAME.match(requirement).groups()  # type: ignore[union-attr]
        if name == "isobudget":
            packages += [one for other in included.split(",") for one in _packages(other.strip(), direct)]
        else:
            packages.append(name)
    return list(dict.fromkeys(packages))


def _installed(package: str) -> bool:
    try:
        importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _engine() -> Check:
    """Whether the embedded engine loads: it needs the system's OpenMP runtime."""
    from isobudget.backends.llamacpp import import_engine

    try:
        engine = import_engine()
    except IsobudgetError as error:
        return Check("extras", "engine", False, str(error), "on Debian: apt-get install libgomp1")
    return Check("extras", "engine", True, f"llama.cpp by xllamacpp {engine.__version__} loads")


def _judge() -> list[Check]:
    layers = layers_of_confinement()
    hint = "the judge refuses untrusted code with too few layers of confinement; see docs/judge.md"
    return [Check("judge", name, on, "active" if on else "unavailable", hint) for name, on in layers.items()]


def _models() -> list[Check]:
    checks = []
    for entry in load_catalog().values():
        here, hint = local_weights(entry), f"isobudget models fetch {entry.name}"
        paths = [source.path for source in entry.sources if isinstance(source, PathSource)]
        state = str(here) if here else "not fetched"
        if not here and len(paths) == len(entry.sources):
            state, hint = not_a_file(paths[0]), f"put the file there, or correct its path in {user_catalog_path()}"
        checks.append(Check("models", entry.name, here is not None, state, hint))
    return checks


def _memory() -> str:
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return "unknown"
    return f"{total / 2**30:.1f} GiB, {free / 2**30:.1f} GiB free"


def _free(folder: Path) -> str:
    while not folder.exists():
        folder = folder.parent
    return f"{shutil.disk_usage(folder).free / 2**30:.1f} GiB free"
