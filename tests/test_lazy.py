"""Names that are loaded when they are first used are seen before: by `dir`, and so by Tab."""

from __future__ import annotations

import subprocess
import sys

import pytest

_SEEN = """
import importlib, sys
package = importlib.import_module(sys.argv[1])
seen = dir(package)
assert set(package.__all__) <= set(seen), set(package.__all__) - set(seen)
assert seen == sorted(seen)
assert "numpy" not in sys.modules
for name in package.__all__:
    getattr(package, name)
"""
PACKAGES = ("", ".api", ".judge", ".problems", ".remote", ".report", ".rewards")


@pytest.mark.parametrize("package", PACKAGES)
def test_dir_shows_the_public_names_and_loads_nothing(package: str) -> None:
    subprocess.run([sys.executable, "-c", _SEEN, f"isobudget{package}"], check=True)


def test_an_unknown_name_is_an_attribute_error() -> None:
    from isobudget import api

    with pytest.raises(AttributeError, match=r"module 'isobudget.api' has no attribute 'curvs'"):
        _ = api.curvs
