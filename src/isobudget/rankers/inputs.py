"""The inputs on which samples are compared, and the values that the prompt states for some of them.

First come the prompt's examples, then changed copies of them. If the prompt has no examples, they are replaced by
arguments that it gives by name. If inputs are still missing, they are made up. Hidden tests are never looked at. Inputs
are seeded by problem, so that they are the same for every model and every call.
"""

from __future__ import annotations

from dataclasses import dataclass

from isobudget.problems.problem import Problem
from isobudget.rankers.examples import NOT_GIVEN, Example, named_arguments, prompt_examples
from isobudget.rankers.mutate import made_up, more_inputs, parameter_names, seeded

#: default number of inputs of a problem
INPUTS = 16


@dataclass(frozen=True, slots=True)
class Inputs:
    """Inputs of one problem.

    Attributes:
        arguments: for each input the arguments of a call, as the source of a list literal; all different.
        examples: the prompt's examples; their arguments come first in `arguments`, in the same order.
    """

    arguments: tuple[str, ...]
    examples: tuple[Example, ...]

    @property
    def stated(self) -> tuple[object, ...]:
        """For each input the value that the prompt states, or `NOT_GIVEN`."""
        values = [example.value for example in self.examples]
        return (*values, *[NOT_GIVEN] * (len(self.arguments) - len(values)))


def choose_inputs(
    problem: Problem, count: int = INPUTS, seed: int = 0, text: str | None = None, *, shown: bool = True
) -> Inputs:
    """At most `count` inputs of a problem with an entry point; none for a whole program.

    Args:
        problem: the problem whose prompt is read.
        count: largest number of inputs; at most half of it, but at least one, are the prompt's examples.
        seed: seed of the changed and the made-up inputs.
        text: the text to read instead of the problem's prompt, such as the prompt that the model got.
        shown: whether arguments that the prompt shows may be used; if not, all inputs are made up.
    """
    if not problem.entry_point:
        return Inputs((), ())
    rng = seeded(problem, seed)
    examples = prompt_examples(problem, text)[: max(count // 2, 1)] if shown else []
    bases = [example.arguments for example in examples]
    if not bases and shown:
        bases = named_arguments(problem, parameter_names(problem, text), text)[:count]
    made = [] if examples else bases[: count // 2]
    made += more_inputs(bases, count - len(examples) - len(made), rng)
    made += made_up(problem, count, rng, text) if len(examples) + len(made) < count else []
    sources = dict.fromkeys([*(one.source for one in examples), *(repr(list(one)) for one in made)])
    return Inputs(tuple(sources)[:count], tuple(examples))
