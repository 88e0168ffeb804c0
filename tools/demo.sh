#!/bin/sh
# `make demo`: samples of two models on 14 problems, verdicts, a page; a plan from them; a function solved by that plan.
# Nothing is done twice: run it again and it goes on. Timed from the first sample, since downloads depend on the network.
set -eu
OUT=${OUT:-runs/demo}
if [ -n "${FAMILY:-}" ]; then
    study=$OUT-study.toml
    python tools/family_study.py "$FAMILY" "$study"
else
    study=demo
    isobudget models fetch smollm2-135m qwen2.5-coder-1.5b
fi

began=$(date +%s)
echo; echo "== 1 of 3: samples, verdicts, a page"
isobudget run "$study" --out "$OUT"
echo; echo "== 2 of 3: a plan for a bit more than the price of one sample of the larger model"
isobudget plan "$OUT" --unit flops --budget 400e9flops --write "$OUT/policy.toml"
if [ -z "${FAMILY:-}" ]; then
    echo; echo "== 3 of 3: the functions of examples/textkit that have no body yet, by that plan"
    rm -rf "$OUT-textkit"
    cp -r examples/textkit "$OUT-textkit"
    policy=$(realpath "$OUT/policy.toml")
    # Exit code 1 says that a function was not solved: that is a result, too.
    (cd "$OUT-textkit" && isobudget solve textkit --failing --tests tests --policy "$policy" --budget 40s) || [ $? = 1 ]
fi
echo; echo "Done in $(($(date +%s) - began)) s, downloads aside."
echo "The page: $(realpath "$OUT/report/index.html")"
