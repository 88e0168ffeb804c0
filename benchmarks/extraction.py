"""Passes that extraction loses, against recorded verdicts: `python benchmarks/extraction.py ../shared/data`.

CodeGen-16B's completions are extracted by ``function``, those of the two chat models by ``function`` and ``block``. A
sample counts as lost if its recorded verdict is a pass and its extracted program fails here, as gained the other way
round. ``--read 320 --seed 13`` prints outputs with the kept part between guillemets instead, to be read by eye.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from isobudget.judge import Judge
from isobudget.problems import load_benchmark
from isobudget.problems.problem import Problem
from isobudget.prompts import Extracted, extract


@dataclass(frozen=True, slots=True)
class Output:
    """A recorded output: the set it is of, the rules that fit, its problem and head, and whether it passed."""

    of: str
    rules: tuple[str, ...]
    problem: Problem
    head: str
    text: str
    passed: bool


def codegen(folder: Path, problems: dict[str, Problem]) -> Iterator[Output]:
    """The 16,400 completions of CodeGen-16B; the samples are in the order of the verdicts, by name as text."""
    with (folder / "samples.jsonl").open() as samples, gzip.open(folder / "verdicts.jsonl.gz", "rt") as verdicts:
        for line, verdict in zip(samples, verdicts, strict=True):
            one, recorded = json.loads(line), json.loads(verdict)
            problem = problems[recorded["task_id"]]
            for text, passed in zip(one["samples"], recorded["passed"], strict=True):
                yield Output("codegen16b", ("function",), problem, one["prompt"], text, bool(passed))


def chat(folder: Path, problems: dict[str, Problem]) -> Iterator[Output]:
    """The 2 x 1,640 completions of two chat models of 7B."""
    for path in sorted(folder.glob("*_results.jsonl")):
        for line in path.read_text().splitlines():
            one = json.loads(line)
            problem = problems[one["task_id"]]
            name = path.name.partition(".")[0]
            yield Output(name, ("function", "block"), problem, problem.prompt, one["completion"], one["passed"])


#: what ends a completion in the usual harnesses for CodeGen: a new statement at column 0
STOPS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")


def cut(text: str) -> str:
    """The text up to the first of the usual stop texts."""
    return text[: min((place for place in map(text.find, STOPS) if place >= 0), default=len(text))]


def explain(outputs: list[Output], programs: list[str], passes: list[bool]) -> None:
    """Print a line for every sample whose verdict is another than recorded, and the reasons counted."""
    others = [number for number, output in enumerate(outputs) if output.passed != passes[number]]
    forms = {
        "whole": [outputs[number].head + outputs[number].text for number in others],
        "cut": [outputs[number].head + cut(outputs[number].text) for number in others],
    }
    said = {}
    for form, texts in forms.items():
        with Judge() as judge:
            said[form] = list(judge.run((outputs[n].problem, text) for n, text in zip(others, texts, strict=True)))
    reasons: Counter[tuple[str, ...]] = Counter()
    for place, number in enumerate(others):
        output, whole, short = outputs[number], said["whole"][place], said["cut"][place]
        change = "lost" if output.passed else "gained"
        same = "same program as cut" if programs[number].rstrip() == forms["cut"][place].rstrip() else "another program"
        reasons[change, f"whole {whole.outcome.value}", f"cut {short.outcome.value}", same] += 1
        print(
            f"  {output.of} {output.problem.task_id} {change}: whole text {whole.outcome.value} ({whole.detail[:80]}), "
            f"cut {short.outcome.value} ({short.detail[:80]}), {same}"
        )
    for reason, count in reasons.most_common():
        print(f"  {count:5} {', '.join(reason)}")


def measure(outputs: list[Output], *, explained: bool) -> None:
    """Judge every extracted program, and print what is lost and gained."""
    for of in dict.fromkeys(output.of for output in outputs):
        some = [output for output in outputs if output.of == of]
        for rule in some[0].rules:
            taken = [extract(rule, output.problem, output.head, output.text) for output in some]
            with Judge() as judge:
                verdicts = list(judge.run((o.problem, one.program) for o, one in zip(some, taken, strict=True)))
            pairs = [(output.passed, verdict.passed) for output, verdict in zip(some, verdicts, strict=True)]
            nothing = sum(not one.kept.strip() for one in taken)
            print(
                f"{of} {rule}: {len(some)} samples, {sum(a for a, _ in pairs)} passes recorded, "
                f"{pairs.count((True, False))} lost, {pairs.count((False, True))} gained, nothing kept of {nothing}"
            )
            if explained:
                explain(some, [one.program for one in taken], [passed for _, passed in pairs])


def read(outputs: list[Output], count: int, seed: int) -> None:
    """Print outputs with what is cut and kept of them: half of them CodeGen's, half of the chat models."""
    rng = random.Random(seed)
    first = [output for output in outputs if output.of == "codegen16b"]
    first.sort(key=lambda output: int(output.problem.task_id.partition("/")[2]))
    others = [output for output in outputs if output.of != "codegen16b"]
    for number, output in enumerate([*rng.sample(first, count // 2), *rng.sample(others, count - count // 2)]):
        one: Extracted = extract(output.rules[-1], output.problem, output.head, output.text)
        print(f"## {number} {output.of} {output.problem.task_id} {output.problem.entry_point}")
        print(f"{one.before}«{one.kept}»{one.after}")
        if one.program != output.head + one.kept:
            print(f"-- program:\n{one.program}")


def main() -> None:
    """Measure, or print what is to be read."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--read", type=int, default=0)
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--explain", action="store_true")
    arguments = parser.parse_args()
    problems = {one.task_id: one for one in load_benchmark(f"humaneval={arguments.data / 'humaneval'}").problems}
    outputs = [
        *codegen(arguments.data / "codegen16b", problems),
        *chat(arguments.data / "human_eval_results", problems),
    ]
    if arguments.read:
        read(outputs, arguments.read, arguments.seed)
    else:
        measure(outputs, explained=arguments.explain)


if __name__ == "__main__":
    main()
