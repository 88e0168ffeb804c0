"""Budgets are hard: random tasks against a server, in every unit, and what stops them."""

from __future__ import annotations

import math
import os
import random
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from isobudget.backends.base import Generation, Sampling
from isobudget.backends.server.backend import ServerBackend
from isobudget.costs.budget import parse_budget
from isobudget.costs.cost import Unit
from isobudget.costs.prices import TokenPrice
from isobudget.errors import BackendError, InputError
from isobudget.judge.verdict import Outcome, Verdict
from isobudget.models.named import find_named
from isobudget.pipeline.interrupts import Interrupts
from isobudget.policies.schedule import Schedule, Stop
from isobudget.study.resolve import resolve_model
from isobudget.study.study import stated_model
from isobudget.tasks.clock import Clock
from isobudget.tasks.ledger import SAMPLES, ArmPrice, TaskLedger
from isobudget.tasks.models import default_schedule
from isobudget.tasks.spending import Ending, LiveSpending, OpenArm
from support.solve_project import Answers, answering, declare

MAX_TOKENS = 60
#: `make soak-solve` asks for more
RUNS = int(os.environ.get("SOLVE_RUNS", "40"))
PROMPT = "x" * 80
UNITS = [SAMPLES, Unit.TOKENS, Unit.FLOPS, Unit.USD]


class ByText:
    """A judge at the outer Protocol: a text that says so passes."""

    def judge(self, arm: OpenArm, generation: Generation, deadline: float) -> tuple[Verdict, str]:
        passed = generation.text == "right"
        return Verdict(Outcome.PASSED if passed else Outcome.FAILED, tests_passed=int(passed)), generation.text


def prices() -> dict[str, ArmPrice]:
    return {
        name: ArmPrice(
            name,
            len(PROMPT) + 8,
            MAX_TOKENS,
            find_named(f"codellama-{size}b"),
            TokenPrice(name, 0.1 * size, 0.4 * size),
        )
        for name, size in (("small", 7), ("large", 13))
    }


class Server:
    """Two models of one server, opened once."""

    def __init__(self, url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ISOBUDGET_MODELS_TOML", str(declare(folder / "models.toml", url)))
        settings = [resolve_model(stated_model({"name": name}, name)).settings for name in ("small", "large")]
        self.backends = [one.open() for one in settings]
        assert isinstance(self.backends[0], ServerBackend)
        for one in self.backends:
            one.__enter__()

    def open_arm(self, name: str) -> OpenArm:
        backend = self.backends[name == "large"]
        return OpenArm(name, backend, PROMPT, Sampling(0.7, 0.95, MAX_TOKENS), 8)

    def close(self) -> None:
        for one in self.backends:
            one.__exit__(None, None, None)


def random_answers(rng: random.Random) -> Answers:
    def answers(model: str, seed: int) -> tuple[str, int, float]:
        chance = random.Random(f"{model}{seed}")
        right = chance.random() < (0.05 if model == "small" else 0.15)
        return "right" if right else f"wrong {seed}", chance.randint(1, 2 * MAX_TOKENS), 0.0

    return answers


def spend(server: Server, schedule: Schedule, budget: str, seed: int = 0) -> tuple[LiveSpending, Ending]:
    stated = parse_budget(budget)
    clock = Clock(stated.amount) if stated.unit is Unit.SECONDS else Clock()
    spending = LiveSpending(schedule, server.open_arm, ByText(), TaskLedger.of(stated, prices()), clock, seed=seed)
    return spending, spending.play()


def test_random_tasks_never_spend_more_than_their_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(20261128)
    most = {name: arm.most(prompt_paid=False) for name, arm in prices().items()}
    endings: dict[Ending, int] = {}
    with answering(random_answers(rng)) as (url, asked):
        server = Server(url, tmp_path, monkeypatch)
        try:
            for number in range(RUNS):
                if number % 20 == 19:
                    seconds = rng.uniform(0.005, 0.05)
                    spending, _ = spend(server, default_schedule(["small", "large"]), f"{seconds!r}s", 1000 * number)
                    assert spending.clock.seconds <= seconds + 1
                    continue
                unit = UNITS[number % 4]
                amount = rng.uniform(0.5, 9) * most["small"][unit]
                budget = f"{max(1, int(amount))}samples" if unit == SAMPLES else f"{amount!r}{unit}"
                schedule = default_schedule(["small", "large"][: rng.randint(1, 2)])
                before = len(asked)
                spending, ending = spend(server, schedule, budget, seed=1000 * number)
                endings[ending] = endings.get(ending, 0) + 1
                limit = parse_budget(budget).amount
                assert spending.ledger.spent[unit] <= limit * (1 + 1e-9)
                # What the server was really asked for, and what it said that this cost.
                settled = {one: math.fsum(a.amounts[one] for a in spending.attempts) for one in UNITS}
                assert settled[unit] <= limit * (1 + 1e-9)
                assert len(asked) - before >= len(spending.attempts)
                assert spending.ledger.in_flight == 0
        finally:
            server.close()
    assert set(endings) >= {Ending.PASSED, Ending.BUDGET}


def test_a_budget_that_pays_for_nothing_draws_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(lambda model, seed: "wrong") as (url, asked):
        server = Server(url, tmp_path, monkeypatch)
        spending, ending = spend(server, default_schedule(["small"]), "20tokens")
        server.close()
    assert (ending, asked, spending.ledger.spent[SAMPLES]) == (Ending.BUDGET, [], 0)
    assert spending.ledger.notes == [
        "the next sample of small may cost up to 148 tokens, and 20 tokens of the budget are left"
    ]


def test_the_last_model_goes_on_until_the_budget_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(lambda model, seed: "wrong") as (url, _):
        server = Server(url, tmp_path, monkeypatch)
        spending, ending = spend(server, default_schedule(["small", "large"]), "150samples")
        server.close()
    assert (ending, spending.ledger.spent[SAMPLES]) == (Ending.SAMPLES, 150)


def test_time_is_kept_while_a_server_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(lambda model, seed: ("wrong", 5, 20.0)) as (url, _):
        server = Server(url, tmp_path, monkeypatch)
        began = time.monotonic()
        spending, ending = spend(server, default_schedule(["small"]), "0.3s")
        took = time.monotonic() - began
        server.close()
    assert ending is Ending.TIME
    assert took < 1.3
    # What never came back stays counted at its most.
    assert spending.ledger.spent[Unit.TOKENS] == prices()["small"].most(prompt_paid=False)[Unit.TOKENS]


def test_a_pass_stops_what_is_in_flight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(lambda model, seed: "right" if seed == 5 else ("wrong", 5, 5.0)) as (url, _):
        server = Server(url, tmp_path, monkeypatch)
        began = time.monotonic()
        spending, ending = spend(server, Schedule((("small", 8),), batched=True), "100samples")
        took = time.monotonic() - began
        server.close()
    assert ending is Ending.PASSED
    assert took < 4
    assert [one.index for one in spending.attempts if one.verdict.passed] == [5]
    assert spending.ledger.spent[SAMPLES] == 8


def test_what_cannot_be_paid_for_is_not_repaired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(lambda model, seed: "right" if seed == 5 else "wrong") as (url, asked):
        server = Server(url, tmp_path, monkeypatch)
        again = ("Repair this.", 10_000)
        arm = replace(server.open_arm("small"), repairs=1, again=lambda attempt: again, concurrency=1)
        ledger = TaskLedger.of(parse_budget("5000tokens"), prices())
        spending = LiveSpending(Schedule((("small+repair", 8),)), lambda name: arm, ByText(), ledger, Clock())
        assert spending.play() is Ending.PASSED
        again = ("Repair this.", 100)
        ledger = TaskLedger.of(parse_budget("5000tokens"), prices())
        other = LiveSpending(Schedule((("small+repair", 8),)), lambda name: arm, ByText(), ledger, Clock())
        assert other.play() is Ending.PASSED
        server.close()
    assert [one.parent for one in spending.attempts] == [None] * 6
    assert spending.ledger.notes == ["the budget did not pay for every repair"]
    assert [one.parent for one in other.attempts] == [None, 0, None, 2, None, 4]
    assert [one["prompt"] == "Repair this." for one in asked[-6:]] == [False, True] * 3


@pytest.mark.parametrize("stop", [Stop.FIRST_PASS, Stop.NEVER])
def test_more_than_one_pass_may_be_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: Stop) -> None:
    with answering(lambda model, seed: "right" if seed % 2 else "wrong") as (url, _):
        server = Server(url, tmp_path, monkeypatch)
        schedule = Schedule((("small", 1), ("small", 12)), stop)
        ledger = TaskLedger.of(parse_budget("100samples"), prices())
        spending = LiveSpending(schedule, server.open_arm, ByText(), ledger, Clock(), passes=3)
        ending = spending.play()
        server.close()
    passed = sum(one.verdict.passed for one in spending.attempts)
    assert (ending, passed) == ((Ending.PASSED, 3) if stop is Stop.FIRST_PASS else (Ending.FINISHED, 6))


def test_every_sample_has_its_place_and_its_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = Schedule((("small", 3), ("large", 2), ("small", 1)), Stop.NEVER)
    with answering(lambda model, seed: "right" if model == "large" else "wrong") as (url, asked):
        server = Server(url, tmp_path, monkeypatch)
        spending, ending = spend(server, schedule, "100samples", seed=40)
        server.close()
    assert ending is Ending.PASSED
    attempts = sorted(spending.attempts, key=lambda one: one.place)
    assert [(one.arm, one.index, one.place, one.step) for one in attempts] == [
        ("small", 0, 0, 0),
        ("small", 1, 1, 0),
        ("small", 2, 2, 0),
        ("large", 0, 3, 1),
        ("large", 1, 4, 1),
        ("small", 3, 5, 2),
    ]
    assert sorted((one["model"], one["seed"]) for one in asked) == [
        ("large", 40),
        ("large", 41),
        ("small", 40),
        ("small", 41),
        ("small", 42),
        ("small", 43),
    ]


def test_a_model_that_is_gone_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(lambda model, seed: "wrong") as (url, _):
        server = Server(url, tmp_path, monkeypatch)
    with pytest.raises(BackendError, match="3 samples failed in a row"):
        spend(server, Schedule((("small", 8),)), "100samples")
    server.close()


def test_a_model_that_is_gone_leaves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(lambda model, seed: "wrong") as (gone, _):
        unreachable = Server(gone, tmp_path, monkeypatch)
    with answering(lambda model, seed: "right" if seed == 2 else "wrong") as (url, asked):
        server = Server(url, tmp_path, monkeypatch)
        server.backends[0] = unreachable.backends[0]  # of the small model
        steps = (("small", 4), ("large", 2), ("small", 4), ("large", 2))
        spending, ending = spend(server, Schedule(steps), "100samples")
        server.close()
    assert (ending, [one.arm for one in spending.attempts]) == (Ending.PASSED, ["large"] * 3)
    assert {one["model"] for one in asked} == {"large"}
    assert any("3 samples failed in a row" in one and "no longer used" in one for one in spending.failures)


def test_when_no_model_answers_any_more_what_was_drawn_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(lambda model, seed: "wrong") as (url, _):
        server = Server(url, tmp_path, monkeypatch)
        schedule, ledger = Schedule((("small", 1), ("small", 4))), TaskLedger.of(parse_budget("100samples"), prices())
        spending = LiveSpending(
            schedule, server.open_arm, ByText(), ledger, Clock(), on_attempt=lambda _attempt: server.close()
        )
        assert spending.play() is Ending.GONE
    assert len(spending.attempts) == 1
    assert ledger.spent[SAMPLES] == 4  # what did not come back stays counted


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ("60", "needs a unit: 60s"),
        ("8x:small", "counts samples of any model"),
        ("3device_seconds", "solve has no budget in device_seconds; write it as 60s"),
        ("300J", "joules are known only after a sample"),
        ("1usd", "small: the cost of a sample in usd is not known; state its price"),
        ("1e15flops", "small: the cost of a sample in flops is not known; state its architecture"),
    ],
)
def test_budgets_that_cannot_be_kept_are_refused(budget: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        TaskLedger.of(parse_budget(budget), {"small": ArmPrice("small", 10, 10)})


def test_a_prompt_that_the_engine_shares_is_paid_once() -> None:
    ledger = TaskLedger.of(parse_budget("1000tokens"), {"a": ArmPrice("a", 100, 10, shares_prompt=True)})
    first, second = ledger.reserve("a"), ledger.reserve("a")
    assert first is not None
    assert second is not None
    assert ledger.in_flight == 120
    generation = Generation("", "stop", 40, 7, 0.0, 0.0, 0.0, 0.0, 0)  # type: ignore[arg-type]
    assert ledger.settle(first, generation)[Unit.TOKENS] == 47
    assert ledger.settle(second, generation)[Unit.TOKENS] == 7
    assert (ledger.spent[Unit.TOKENS], ledger.in_flight) == (54, 0)


def test_a_server_that_counts_more_than_its_limits_is_named() -> None:
    ledger = TaskLedger.of(parse_budget("1000tokens"), {"a": ArmPrice("a", 10, 10)})
    reservation = ledger.reserve("a")
    assert reservation is not None
    ledger.settle(reservation, Generation("", "stop", 10, 50, 0.0, 0.0, 0.0, 0.0, 0))  # type: ignore[arg-type]
    assert ledger.notes == ["a used more tokens than its limits allow, so the budget may be exceeded"]


def test_the_schedule_without_a_policy_doubles_and_goes_on() -> None:
    assert str(default_schedule(["a"])).startswith("a x 1")
    steps = default_schedule(["a", "b"]).steps
    assert steps[:7] == (("a", 1), ("a", 1), ("a", 2), ("a", 4), ("b", 1), ("b", 1), ("b", 2))
    assert steps[-1] == ("b", 16)
    assert max(count for _, count in steps) == 16


def test_loading_is_no_part_of_the_time() -> None:
    clock = Clock(10.0)
    assert clock.seconds == 0
    clock.start()
    before = clock.deadline
    with clock.loading():
        time.monotonic()
    assert clock.deadline >= before
    assert clock.loading_seconds >= 0
    clock.stop()
    assert clock.seconds == clock.seconds


def test_samples_drawn_until_one_passes_flatter_a_model() -> None:
    """The pooled share of right samples, c / n by task, where drawing stops at the first pass, of eight at most."""
    p, most = 0.25, 8
    pooled = sum(p * (1 - p) ** (k - 1) / k for k in range(1, most + 1))
    assert round(pooled, 2) == 0.45


class Interrupted(Clock):
    """Ctrl-C comes when the last draw is over, and what it left is being put away."""

    def stop(self) -> None:
        signal.raise_signal(signal.SIGINT)
        super().stop()


def test_an_interrupt_behind_the_last_draw_waits_until_what_was_drawn_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(lambda model, seed: ("wrong", 20, 0.0)) as (url, _):
        server, interrupts = Server(url, tmp_path, monkeypatch), Interrupts()
        ledger = TaskLedger.of(parse_budget("9samples"), prices())
        schedule, clock = Schedule((("small", 4),)), Interrupted()
        spending = LiveSpending(schedule, server.open_arm, ByText(), ledger, clock)
        ending = None
        with pytest.raises(KeyboardInterrupt), interrupts.held_back():
            ending = spending.play(interrupts)
        server.close()
    assert ending is Ending.FINISHED
    assert len(spending.attempts) == 4


def test_a_long_wait_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isobudget.tasks.spending._QUIET_SECONDS", 0.05)
    told: list[tuple[str, int]] = []
    with answering(lambda model, seed: ("wrong", 20, 0.5)) as (url, _):
        server = Server(url, tmp_path, monkeypatch)
        ledger = TaskLedger.of(parse_budget("9samples"), prices())
        schedule = Schedule((("small", 2),))
        spending = LiveSpending(
            schedule, server.open_arm, ByText(), ledger, Clock(), on_wait=lambda *one: told.append(one)
        )
        assert spending.play() is Ending.FINISHED
        server.close()
    assert len(spending.attempts) == 2
    assert set(told) <= {("small", 1), ("small", 2)}
    assert told
