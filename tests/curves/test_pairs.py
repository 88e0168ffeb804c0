"""Very many models: crossings and flips of the pairs that matter, the same as where all are looked at."""

from __future__ import annotations

import numpy as np
import pytest

from isobudget.costs.cost import SampleCost, Unit
from isobudget.curves import Bootstrap, Comparison, compare, curve_from_matrix, pairs
from isobudget.errors import InputError


def compared(models: int) -> Comparison:
    rng = np.random.default_rng(0)
    tasks = tuple(f"t/{at}" for at in range(5))
    curves = [
        curve_from_matrix(
            f"m{at}",
            tasks,
            np.sort(rng.random((5, 3)), axis=1),
            SampleCost(Unit.TOKENS, 10.0 + at),
            selection="tests",
            bootstrap=Bootstrap(replicates=100),
        )
        for at in range(models)
    ]
    return compare(curves, bootstrap=Bootstrap(replicates=100))


def test_flips_and_crossings_of_many_models_are_a_part_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = compared(12)
    monkeypatch.setattr(pairs, "ALL", 11)
    part = compared(12)
    assert part.best == whole.best
    chosen = {(flip.cheap, flip.dear) for flip in part.flips}
    matter = {"m0", "m11", *(best.model for best in whole.best)}
    assert chosen == {pair for pair in whole.all_crossings() if matter.issuperset(pair)}
    assert repr(part.flips) == repr(tuple(flip for flip in whole.flips if (flip.cheap, flip.dear) in chosen))
    assert part.all_crossings() == {pair: whole.crossings(*pair) for pair in part.all_crossings()}
    assert whole.notes == ()
    assert f"{len(chosen)} of 66 pairs" in part.notes[0]


def test_too_many_models_are_refused_at_once() -> None:
    with pytest.raises(InputError, match=r"501 models make 125,250 pairs.* at most 500"):
        pairs.check_models(501)
    pairs.check_models(500)
