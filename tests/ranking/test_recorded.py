"""What a ranked run has recorded gives the figures of the ranking, without its model and without running a sample."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isobudget.costs.cost import Unit
from isobudget.curves import Bootstrap
from isobudget.ranking.options import RankOptions
from isobudget.ranking.rank import rank
from isobudget.ranking.recorded import recorded_ranking
from isobudget.ranking.scores import Scorer
from isobudget.records.run import load_run
from isobudget.study import StatedModel
from support.fake_scorer import FakeScorer
from support.synthetic_run import SMALL, FakeModel, synthetic_run

QUICK = Bootstrap(replicates=200)
MODELS = (FakeModel("small-135m", 6, -1.0, 0.004, 576, 30), FakeModel("large-1.5b", 3, 1.2, 0.022, 1536, 28))


def ranked(path: Path, *names: str, scorer: str | None = None, **fields: object) -> None:
    model = None if scorer is None else StatedModel(name=scorer)
    options = RankOptions(names, model, bootstrap=QUICK, **fields)  # type: ignore[arg-type]
    made = FakeScorer()
    rank(path, options, make_scorer=lambda *_: Scorer(scorer or "", lambda: made))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = synthetic_run(tmp_path_factory.mktemp("ranked") / "run", MODELS, {"own": 5}, text="    return 1\n").path
    ranked(made, "reviewer", "likelihood", scorer="codellama-7b")
    ranked(made, "agreement", workers=1, inputs=4)
    return made


def files(path: Path) -> dict[str, int]:
    return {str(one.relative_to(path)): one.stat().st_mtime_ns for one in path.rglob("*") if one.is_file()}


def test_the_figures_are_those_of_the_ranking(path: Path) -> None:
    before = files(path)
    found = recorded_ranking(load_run(path), "own", QUICK)
    assert found is not None
    assert files(path) == before
    names = ["random", "own", "likelihood by codellama-7b", "reviewer by codellama-7b", "agreement", "votes"]
    for model in found.models:
        assert [one.ranker for one in model.ranked] == [*names, "tests of the samples' majority"]
    options = RankOptions(("own", "agreement", "votes"), bootstrap=QUICK, inputs=4)
    for again, kept in zip(rank(path, options)[0].models, found.models, strict=True):
        for one in again.ranked:
            same = next(other for other in kept.ranked if other.ranker == one.ranker)
            assert np.array_equal(same.matrix, one.matrix)
            assert np.array_equal(same.low, one.low)
            assert {unit: curve.price for unit, curve in same.charged.items()} == {
                unit: curve.price for unit, curve in one.charged.items()
            }
    likelihood = found.models[0].ranked[2]
    assert likelihood.charged[Unit.FLOPS].price.cost(1) > likelihood.free[Unit.FLOPS].price.cost(1)


def test_what_was_never_ranked_or_not_to_its_end_is_left_out(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run", (SMALL,), {"own": 2}, text="    return 1\n")
    assert recorded_ranking(run, "own", QUICK) is None
    ranked(run.path, "likelihood", scorer="s")
    (part,) = (run.path / "scores").glob("*.parquet")
    part.unlink()
    assert recorded_ranking(load_run(run.path), "own", QUICK) is None
