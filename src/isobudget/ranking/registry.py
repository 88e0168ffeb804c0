"""The rankers by name: each is handed what it needs, and what is missing is computed first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from isobudget.backends.base import Backend
from isobudget.errors import InputError
from isobudget.pipeline.progress import Progress
from isobudget.rankers.agreement import Agreement, Votes
from isobudget.rankers.base import FREE, Floats, Pool, Ranker, Spending
from isobudget.rankers.dual import GeneratedTests, MajorityTests, pass_matrix
from isobudget.rankers.filters import Filtered, kept_by
from isobudget.rankers.inputs import Inputs, choose_inputs
from isobudget.rankers.likelihood import Likelihood, LogProbs, Order, Reduce, Reviewer, recorded
from isobudget.rankers.verifier import Classifier, Verifier
from isobudget.ranking.classifier import KIND, classify_pool
from isobudget.ranking.observations import Observed, compiles, observe, stated_text
from isobudget.ranking.options import RankOptions
from isobudget.ranking.run_samples import RankingInput
from isobudget.ranking.scores import Scorer, logprobs_of, score_pool, scoring_cost
from isobudget.ranking.written_tests import Writer, WrittenTests, read_tests, write_tests
from isobudget.records.ranking_rows import BACKWARD, FORWARD


@dataclass(slots=True)
class Needs:
    """What rankers of one model's samples may ask for.

    Attributes:
        samples: of one model.
        folder: where tables are kept; None keeps none.
        scorer: the model that scores or writes tests.
        options: as the user gave them.
        train: pools for the verifier to learn from.
        progress: told how far it is.
    """

    samples: RankingInput
    folder: Path | None
    scorer: Scorer | None
    options: RankOptions
    train: tuple[Pool, ...]
    progress: Progress

    @property
    def pool(self) -> Pool:
        """The samples."""
        return self.samples.pool

    def model(self, ranker: str) -> Scorer:
        """The scoring model.

        Raises:
            InputError: none was named.
        """
        if self.scorer is None:
            raise InputError(f"the ranker {ranker!r} needs a model that scores the samples: --model NAME")
        return self.scorer

    def table(self, name: str) -> Path | None:
        """The folder of a table."""
        return None if self.folder is None else self.folder / name


@dataclass(slots=True)
class Kinds:
    """Makes rankers for the samples of one model; what several of them need is computed once."""

    needs: Needs
    _inputs: dict[str, Inputs] = field(default_factory=dict)
    _observed: Observed | None = None

    def ranker(self, name: str) -> Ranker:
        """The ranker of that name, behind the filter if one was asked for."""
        self._check_texts(name)
        base, _, how = name.partition("-")
        makers: dict[str, Callable[[str], Ranker]] = {
            "own": lambda how: self._own(name, "sum" if how else "mean"),
            "likelihood": lambda how: self._likelihood(name, "sum" if how else "mean"),
            "reviewer": lambda how: self._reviewer(name, "sum" if how else "mean"),
            "verifier": lambda how: self._verifier(alone=bool(how)),
            "classifier": lambda _: self._classifier(),
            "agreement": lambda _: self._agreement(Agreement, name),
            "votes": lambda _: self._agreement(Votes, name),
            "tests": lambda _: self._tests(),
            "order": lambda _: Order(),
        }
        made = makers[base](how)
        return made if self.needs.options.filter is None else self._filtered(made, self.needs.options.filter)

    def _check_texts(self, name: str) -> None:
        """Lists of verdicts have no texts: they can be ranked by what is in the list alone."""
        if name == "order" and self.needs.options.filter is None:
            return
        pool = self.needs.pool
        if not any(sample.text or sample.program for one in pool.problems for sample in one.samples):
            what = f"the ranker {name!r}" if name != "order" else f"the filter {self.needs.options.filter!r}"
            raise InputError(
                f"{pool.model}: there are no texts of the samples, which {what} needs; verdicts alone can be ranked in "
                "the order of the file: --ranker order"
            )

    # by a model's log-probabilities

    def _own(self, name: str, how: Reduce) -> Ranker:
        pool = self.needs.pool
        if not _known(recorded(pool, how)):
            raise InputError(
                f"{pool.model}: no log-probabilities were recorded with these samples; score them by a model: "
                f"--ranker {name.replace('own', 'likelihood')} --model NAME"
            )
        return Likelihood(name, None, how)

    def _likelihood(self, name: str, how: Reduce) -> Ranker:
        scorer = self.needs.model(name)
        logprobs, spending = self._scores(FORWARD, scorer)
        return Likelihood(f"{name} by {scorer.name}", logprobs, how, spending)

    def _reviewer(self, name: str, how: Reduce) -> Ranker:
        scorer = self.needs.model(name)
        forward, cost = self._scores(FORWARD, scorer)
        backward, more = self._scores(BACKWARD, scorer)
        return Reviewer(f"{name} by {scorer.name}", forward, backward, how, cost.plus(more))

    def _scores(self, kind: str, scorer: Scorer) -> tuple[LogProbs, Spending]:
        needs = self.needs
        rows = score_pool(needs.pool, scorer, kind, needs.table("scores"), needs.progress)
        return logprobs_of(needs.pool, rows), scoring_cost(needs.pool, rows, scorer, kind)

    def _verifier(self, alone: bool) -> Ranker:
        needs = self.needs
        own = recorded(needs.pool, "mean")
        if alone:
            return Verifier("verifier-alone", None, needs.train)
        if needs.scorer is not None:
            logprobs, spending = self._scores(FORWARD, needs.scorer)
            return Verifier(
                f"verifier + likelihood by {needs.scorer.name}",
                logprobs.reduced("mean"),
                needs.train,
                spending=spending,
            )
        if _known(own):
            return Verifier("verifier + own", own, needs.train)
        return Verifier("verifier, no likelihood known", None, needs.train)

    def _classifier(self) -> Ranker:
        needs = self.needs
        if needs.options.model is None:
            raise InputError(
                "the ranker 'classifier' needs a sequence classifier of the Hugging Face hub: --model NAME"
            )
        name = needs.options.model.name
        rows = classify_pool(needs.pool, name, needs.table("scores"), needs.progress)
        own = recorded(needs.pool, "mean")
        cost = scoring_cost(needs.pool, rows, Scorer(name, _no_backend), KIND)
        likelihood = own if _known(own) else None
        return Classifier(f"classifier {name}", logprobs_of(needs.pool, rows).sums, likelihood, cost)

    # by execution

    def _agreement(self, kind: type[Agreement] | type[Votes], name: str) -> Ranker:
        observed = self._observations()
        notes = self._input_notes(observed)
        return kind(name, self._tie_break(), observed.spending, notes, observed=observed.texts)

    def _tests(self) -> Ranker:
        needs = self.needs
        if needs.options.tests is not None:
            return self._by_tests(read_tests(needs.options.tests, needs.pool), "tests")
        if needs.scorer is not None:
            chat = needs.options.model is not None and bool(needs.options.model.settings.refuses("text"))
            writer = Writer(needs.scorer.name, needs.scorer.open, needs.scorer.architecture, chat)
            written = write_tests(needs.pool, writer, needs.table("tests"), needs.progress, seed=needs.options.seed)
            return self._by_tests(written, f"tests by {writer.name}")
        observed = self._observations()
        stated = {task: [stated_text(value) for value in one.stated] for task, one in self._chosen().items()}
        notes = (
            "tests: no model wrote any. They are the prompt's examples with the values stated there, and for every "
            "other input the value that most of the drawn samples return",
            *self._input_notes(observed),
        )
        return MajorityTests(
            "tests of the samples' majority",
            self._tie_break(),
            observed.spending,
            notes,
            observed=observed.texts,
            stated=stated,
            power=needs.options.power,
        )

    def _by_tests(self, written: WrittenTests, name: str) -> Ranker:
        needs = self.needs
        arguments = {task_id: written.arguments(task_id) for task_id in needs.pool.task_ids}
        if not any(arguments.values()):
            raise InputError(f"{written.source}: none is a call with literal arguments and a literal value")
        ran = self._run(arguments)
        passes = {task: pass_matrix(ran.texts[task], written.expected(task)) for task in needs.pool.task_ids}
        counts = [matrix.shape[1] for matrix in passes.values()]
        without = sum(not count for count in counts)
        notes = (f"{written.source}: {np.mean(counts):.1f} literal tests a problem, none for {without} problems",)
        spending = ran.spending if written.spending is None else ran.spending.plus(written.spending)
        return GeneratedTests(name, self._tie_break(), spending, notes, passes=passes, power=needs.options.power)

    def _filtered(self, inner: Ranker, kind: str) -> Ranker:
        needs, chosen = self.needs, self._chosen()
        shown = {task: one.arguments[: len(one.examples)] for task, one in chosen.items()}
        ran = self._observed
        if ran is None and any(shown.values()):
            ran = self._run(shown)
        kept = {}
        for one in needs.pool.problems:
            task = one.problem.task_id
            stated = [stated_text(example.value) for example in chosen[task].examples]
            texts = [] if ran is None else [row[: len(stated)] for row in ran.texts[task]]
            whole = np.array([compiles(sample.program) for sample in one.samples], dtype=bool)
            kept[task] = whole & kept_by(texts, stated, kind == "examples") if stated else whole
        dropped, total = sum(int((~row).sum()) for row in kept.values()), int(needs.pool.sizes.sum())
        note = f"filter {kind}: {dropped:,} of {total:,} samples dropped"
        # what ranking runs anyway is not charged twice
        spending = FREE if self._observed is not None or ran is None else ran.spending
        return Filtered(inner, kind, kept, spending, (note,))

    def _observations(self) -> Observed:
        if self._observed is None:
            self._observed = self._run({task: one.arguments for task, one in self._chosen().items()})
        return self._observed

    def _run(self, arguments: Mapping[str, Sequence[str]]) -> Observed:
        needs = self.needs
        if not any(arguments.values()):
            raise InputError(
                f"{needs.pool.benchmark or needs.pool.model}: no problem has a function to call with inputs; use "
                "another ranker (outputs of whole programs are not compared)"
            )
        options = needs.options
        table = needs.table("observations")
        return observe(needs.pool, arguments, table, needs.progress, workers=options.workers, unsafe=options.unsafe)

    def _chosen(self) -> dict[str, Inputs]:
        if not self._inputs:
            options = self.needs.options
            for one in self.needs.pool.problems:
                text = one.head if options.examples == "given" else None
                shown = options.examples != "none"
                found = choose_inputs(one.problem, options.inputs, options.seed, text, shown=shown)
                self._inputs[one.problem.task_id] = found
        return self._inputs

    def _tie_break(self) -> Sequence[Floats] | None:
        own = recorded(self.needs.pool, "mean")
        return own if _known(own) else None

    def _input_notes(self, observed: Observed) -> tuple[str, ...]:
        chosen = self._chosen().values()
        shown = sum(bool(one.examples) for one in chosen)
        total, of_prompt = sum(len(one.arguments) for one in chosen), sum(len(one.examples) for one in chosen)
        whose = {"benchmark": "the benchmark's prompts", "given": "the prompts as given", "none": "no prompt"}
        notes = [
            f"inputs: {total / len(chosen):.1f} a problem, {of_prompt / len(chosen):.1f} of them examples of "
            f"{whose[self.needs.options.examples]} ({shown} of {len(chosen)} problems show some), the others changed "
            "or made up; hidden tests are not used"
        ]
        if self._tie_break() is None:
            notes.append("ties within the largest groups are broken at random: no likelihood is known")
        if observed.unknown:
            notes.append(f"{observed.unknown} samples could not be observed; they rank last")
        return tuple(notes)


def _no_backend() -> Backend:
    raise InputError("a sequence classifier does not generate")


def _known(rows: Sequence[Floats]) -> bool:
    return any(np.isfinite(row).any() for row in rows)
