"""Drop-in replacements for other tools' judging functions: the same arguments and results, with isobudget's judge.

    from isobudget.compat.human_eval import evaluate_functional_correctness
    from isobudget.compat.code_eval import compute

A sample cannot reach its tests, CPU time counts instead of wall time, and verdicts come several times faster.
docs/compat.md says which verdicts differ from those of the original functions, and why.
"""
