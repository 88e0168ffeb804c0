"""Other tools' judging functions, with their arguments and their results, on this judge. See docs/compat.md.

    from isobudget.compat.human_eval import evaluate_functional_correctness
    from isobudget.compat.code_eval import compute

A sample cannot reach its tests, CPU time counts instead of wall time, and verdicts come several times faster. Where a
verdict differs from the original's, docs/compat.md says why.
"""
