"""The rankers by name: what is registered is what the files hold."""

from __future__ import annotations

from importlib import import_module

import pytest

from isobudget.errors import InputError
from isobudget.rankers.ranker import EXECUTION
from isobudget.rankers.registry import FILES, NAMES, find_ranker


def test_every_ranker_of_a_registered_file_has_its_name_there() -> None:
    for file, names in FILES.items():
        assert tuple(one.name for one in import_module(f"isobudget.rankers.{file}").RANKERS) == names
    assert len(set(NAMES)) == len(NAMES)


def test_a_ranker_says_which_options_it_uses() -> None:
    known = {*EXECUTION, "--model", "--tests", "--power", "--train"}
    for name in NAMES:
        ranker = find_ranker(name)
        assert set(ranker.options) <= known
    assert [name for name in NAMES if find_ranker(name).runs_samples] == ["agreement", "votes", "tests"]
    with pytest.raises(InputError, match=r"unknown ranker 'best'\. Did you mean 'tests'\? Known rankers: own, own-sum"):
        find_ranker("best")
