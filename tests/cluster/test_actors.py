"""What runs on a cluster, without a cluster: the actors' classes in this process, and the judge over them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import chain
from typing import Any

import pytest

from isobudget.backends.base import Sampling
from isobudget.backends.llamacpp.settings import LlamaCppSettings
from isobudget.backends.server.settings import ServerSettings
from isobudget.cluster.actors import GenerationActor, JudgeActor, PromptCall, claim_core
from isobudget.cluster.fleet import WorkerLostError
from isobudget.cluster.generating import MOST_SAMPLES, next_batch
from isobudget.cluster.judging import FEWEST_PROGRAMS, ClusterJudge
from isobudget.cluster.ray_fleet import ActorKind
from isobudget.errors import JudgeError
from isobudget.judge import Judge, Limits
from isobudget.models.catalog import find_model
from isobudget.models.weights import local_weights
from isobudget.pipeline.work import Feed, Work
from isobudget.problems.problem import CheckFunction, Problem
from support.ray_judging import POISON, pairs, plain


class ThreadWorker:
    """An actor that is a thread; it ends over POISON, as a process would."""

    def __init__(self, kind: ActorKind) -> None:
        self.kind, self.pool, self.control = kind, ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        self.actor = self.pool.submit(kind.make, *kind.arguments)
        self.dead = False

    def hello(self) -> Future[Any]:
        return self.pool.submit(lambda: self.actor.result().hello())

    def pulse(self) -> Future[Any]:
        return self.control.submit(lambda: self.actor.result().pulse())

    def submit(self, items: Sequence[Any]) -> Future[Any]:
        return self.pool.submit(self._run, items)

    def _run(self, items: Sequence[Any]) -> Any:
        self.dead = self.dead or any(POISON in one[2] for one in items)
        if self.dead:
            raise WorkerLostError("it ended")
        return self.actor.result().run(*self.kind.pack(items))

    def stop(self) -> None:
        self.control.submit(lambda: self.actor.result().stop())

    def end(self) -> None:
        def close() -> None:
            self.actor.result()._judge.__exit__(None, None, None)
            if self.actor.result()._held >= 0:
                os.close(self.actor.result()._held)

        self.pool.submit(close).result()
        self.pool.shutdown()
        self.control.shutdown()


class ThreadFleet:
    def __init__(self, kind: ActorKind, count: int) -> None:
        self.kind, self.count = kind, count

    def start(self) -> ThreadWorker:
        return ThreadWorker(self.kind)

    def size(self) -> int:
        return self.count

    def wait(self, refs: Sequence[Future[Any]], seconds: float) -> list[Future[Any]]:
        return list(wait(refs, seconds, FIRST_COMPLETED).done) if refs else []

    def value(self, ref: Future[Any]) -> Any:
        return ref.result()


def of_threads(count: int) -> Callable[[ActorKind], ThreadFleet]:
    return lambda kind: ThreadFleet(kind, count)


def test_verdicts_are_the_local_judges_and_the_poison_is_alone() -> None:
    work = pairs(60)
    with Judge(2) as local:
        expected = plain(list(local.run(work)))
    poisoned = [(one, program + POISON * (at == 37)) for at, (one, program) in enumerate(work)]
    with ClusterJudge(of_threads(2)) as judge:
        assert plain(list(judge.run(work))) == expected
        found = plain(list(judge.run(poisoned)))
        assert found[37][0] == "crashed"
        assert found[:37] + found[38:] == expected[:37] + expected[38:]
        first = judge.run(work)
        assert plain([next(first)]) == expected[:1]
        with pytest.raises(JudgeError, match="busy with another run"):
            next(judge.run(work))
        first.close()  # type: ignore[attr-defined]
        assert plain(list(judge.run(work[:5]))) == expected[:5]
    with pytest.raises(JudgeError, match="inside a `with` block"):
        next(judge.run(work))


class InterruptedFleet(ThreadFleet):
    """One worker, and Ctrl-C after its first verdict."""

    worker: ThreadWorker
    came = False

    def start(self) -> ThreadWorker:
        self.worker = super().start()
        return self.worker

    def wait(self, refs: Sequence[Future[Any]], seconds: float) -> list[Future[Any]]:
        if not self.came and self.worker.actor.done() and self.worker.actor.result().pulse().done:
            self.came = True
            raise KeyboardInterrupt
        return super().wait(refs, min(seconds, 0.05))


def test_after_ctrl_c_the_verdicts_on_what_was_begun_still_come() -> None:
    tests = CheckFunction("def check(candidate):\n    assert candidate() == 1\n", split=True)
    problem = Problem("p/1", "b", "def f():\n", "f", tests)
    slow = problem.program("    import time\n    time.sleep(0.3)\n    return 1\n")
    told: list[str] = []
    found: list[Any] = []
    with ClusterJudge(lambda kind: InterruptedFleet(kind, 1), note=told.append) as judge:
        with pytest.raises(KeyboardInterrupt):
            found.extend(judge.run([(problem, slow)] * 200))
        assert [one.outcome for one in found] == ["passed"] * len(found)
        assert 0 < len(found) < FEWEST_PROGRAMS
        with pytest.raises(JudgeError, match="inside a `with` block"):
            next(judge.run([]))
    assert told == [
        "Stopping: nothing new is started. Waiting for the verdicts on samples in flight, 30 s at most for each; "
        "a second Ctrl-C or SIGTERM leaves at once, without them."
    ]


def test_a_sample_whose_reference_ends_workers_too_is_no_verdict_on_it() -> None:
    tests = CheckFunction("def check(candidate):\n    assert candidate() == 1\n", split=True)
    problem = Problem("p/1", "b", "def f():\n", "f", tests, reference=f"    return 1\n{POISON}")
    unknown = Problem("p/2", "b", "def f():\n", "f", tests)
    with ClusterJudge(of_threads(1)) as judge:
        work = [(one, one.program(f"    return 1\n{POISON}")) for one in (problem, unknown)]
        assert [one.outcome for one in judge.run(work)] == ["invalid", "invalid"]


def test_what_an_actor_cannot_do_it_says_when_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_judge: Judge) -> Judge:
        raise JudgeError("no layer of confinement")

    monkeypatch.setattr(Judge, "__enter__", fails)
    before = os.sched_getaffinity(0)
    assert JudgeActor(Limits(), {}).hello().error == "no layer of confinement"
    assert os.sched_getaffinity(0) == before
    missing = GenerationActor(LlamaCppSettings(model="/nowhere/model.gguf")).hello()
    assert "/nowhere/model.gguf" in missing.error


def test_actors_of_a_machine_have_cores_of_their_own() -> None:
    claimed = [claim_core() for _ in os.sched_getaffinity(0)]
    held = [core for core, descriptor in claimed if descriptor >= 0]
    assert len(set(held)) == len(held)
    assert claim_core()[0] in os.sched_getaffinity(0)
    for _, descriptor in claimed:
        if descriptor >= 0:
            os.close(descriptor)


def call(task: int, samples: int, first: int = 0) -> Work:
    problem = Problem(f"p/{task}", "b", "", "f", CheckFunction(""))
    keys = tuple(("b", "m", problem.task_id, False, first + at) for at in range(samples))
    return Work(problem, f"prompt {task}", Sampling(1.0, 1.0, 8), keys, tuple(range(first, first + samples)))


@pytest.mark.parametrize("size", [1, 30, 500])
def test_batches_are_whole_problems_unless_one_is_too_large(size: int) -> None:
    calls = [call(task, 16, 16 * at) for task in range(5) for at in range(4)]
    calls += [call(9, 100, 100 * at) for at in range(25)]
    feed, batches = Feed(calls), list[list[Work]]()
    while batch := next_batch(feed, size):
        batches.append(batch)
    assert [one for batch in batches for one in batch] == calls
    assert all(sum(len(one.keys) for one in batch) <= MOST_SAMPLES for batch in batches)
    small = [{one.problem.task_id for one in batch} for batch in batches]
    for task in range(5):
        assert sum(f"p/{task}" in tasks for tasks in small) == 1


def test_a_server_is_asked_from_here() -> None:
    settings = ServerSettings(model="m", url="http://127.0.0.1:1/v1")
    assert (settings.runs_elsewhere, settings.gpus_held(True)) == (True, 0)


@pytest.mark.models
def test_a_prompt_is_computed_once_by_an_actor_with_two_batches() -> None:
    pytest.importorskip("xllamacpp", exc_type=ImportError)
    path = local_weights(find_model("smollm2-135m"))
    if path is None:
        pytest.skip("SmolLM2 is not on this machine; fetch it with: isobudget models fetch smollm2-135m")
    actor = GenerationActor(LlamaCppSettings(model=str(path), slots=4, context_tokens=256))
    assert actor.hello().error == ""
    how = Sampling(0.8, 0.95, 8)
    batches = [
        [PromptCall(f"def {name}(x):\n    return", how, (seed,)) for name in names for seed in range(3)]
        for names in (("first", "second"), ("third", "fourth"))
    ]
    with ThreadPoolExecutor(2) as two, actor.backend:
        answers = [one for batch in two.map(actor.run, batches) for one in batch]
        generations = [one for answer in answers for one in answer.generations if one is not None]
        assert len(generations) == 12
        once = {one.prompt: made.prompt_tokens for one, made in zip(chain(*batches), generations, strict=True)}
        assert actor.backend.computed_prompt_tokens == sum(once.values())  # type: ignore[attr-defined]
        assert actor.pulse().done == 12
        actor.stop()
        assert actor.run(batches[0])[0].generations == (None,)
