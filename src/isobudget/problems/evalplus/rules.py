"""Tasks of HumanEval+ and MBPP+ for which a right result may differ from the result of the reference.

EvalPlus has a rule for each (its ``eval/__init__.py`` and ``eval/_special_oracle.py``, release 0.3.1). Here such a task
gets tests in HumanEval's form: a `check(candidate)` that runs the reference and applies the rule, in the process of the
tests and not in the sample's. Every other task gets `ReferenceInputs`.
"""

from __future__ import annotations

from isobudget.problems.problem import CheckFunction

_AS_SETS = "set(result) == set(expected)"
_NOT_NONE = "(result if isinstance(result, bool) else result is not None) == (expected is not None)"
#: benchmark -> entry point -> the condition that decides, on `result`, `expected`, `arguments` and `tolerance`
_RULES: dict[str, dict[str, str]] = {
    "humaneval+": {
        # HumanEval/32: any root of the polynomial will do.
        "find_zero": "abs(sum(c * math.pow(result, i) for i, c in enumerate(arguments[0]))) <= tolerance",
    },
    "mbpp+": {
        # Mbpp/2, 7, 111, 140, 232, 249, 579, 769: the order of the items is open.
        **dict.fromkeys(("similar_elements", "find_char_long", "common_in_nested_lists", "extract_singly"), _AS_SETS),
        **dict.fromkeys(("larg_nnum", "intersection_array", "find_dissimilar", "Diff"), _AS_SETS),
        # Tasks about regular expressions: what a match looks like is open.
        **dict.fromkeys(("check_str", "text_match_three", "text_starta_endb"), _NOT_NONE),
        # Mbpp/164 and 295: the task is unclear, and more than one answer counts.
        "are_equivalent": "True",
        "sum_div": "result == expected or result == 0",
        # Mbpp/581: the height may be that of the pyramid; Mbpp/558: shorter numbers may be filled with zeros.
        "surface_Area": "result == expected or abs(result - pyramid_surface(*arguments)) <= tolerance",
        "digit_distance_nums": "result == expected or result == digit_distance(*arguments)",
    },
}
_SOURCE = """\
import ast, copy, math

{reference}

reference = {entry_point}
INPUTS = {inputs!r}
tolerance = {tolerance!r}

def pyramid_surface(base, height):
    slant = math.sqrt((base / 2) ** 2 + height ** 2)
    return round(base ** 2 + 2 * base * slant)

def digit_distance(first, second):
    width = max(len(str(first)), len(str(second)))
    pairs = zip(str(first).zfill(width), str(second).zfill(width))
    return sum(abs(int(one) - int(other)) for one, other in pairs)

def check(candidate):
    for text in INPUTS:
        arguments = ast.literal_eval(text)
        expected = reference(*copy.deepcopy(arguments))
        result = candidate(*copy.deepcopy(arguments))
        assert {rule}
"""


def special_check(
    benchmark: str, entry_point: str, reference: str, inputs: tuple[str, ...], tolerance: float
) -> CheckFunction | None:
    """Tests for a task that has a rule of its own, or None.

    Args:
        benchmark: ``humaneval+`` or ``mbpp+``.
        entry_point: the function's name, by which EvalPlus knows such tasks.
        reference: source of a whole program that defines it.
        inputs: each the arguments of one call, as the source of a Python list literal.
        tolerance: largest absolute difference of floating-point results.
    """
    rule = _RULES[benchmark].get(entry_point)
    if rule is None:
        return None
    given = {"entry_point": entry_point, "inputs": inputs, "tolerance": tolerance}
    return CheckFunction(_SOURCE.format(reference=reference, rule=rule, **given), split=True)
