"""The options of `isobudget rank`: many, so they are declared apart from what it does."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Api(StrEnum):
    """Calls of a server."""

    COMPLETIONS = "completions"
    CHAT = "chat"


Source = Annotated[
    Path, typer.Argument(metavar="RUN-or-SAMPLES", help="A run folder, a file of samples, or a COUNTS file.")
]
Rankers = Annotated[
    list[str] | None,
    typer.Option(
        "-r",
        "--ranker",
        metavar="NAME",
        help="own, likelihood, reviewer (each also with -sum), verifier, verifier-alone, classifier, agreement, "
        "votes, tests, order. Repeatable.",
        show_default="own",
    ),
]

# the model that scores

Model = Annotated[
    str | None,
    typer.Option("-m", "--model", help="Scores the samples, or writes tests: a name, a GGUF file.", show_default=False),
]
Backend = Annotated[
    str | None,
    typer.Option(
        help="How that model is reached: llama.cpp, server, vllm, transformers.",
        show_default="llama.cpp, or as declared",
    ),
]
Url = Annotated[str | None, typer.Option(help="Of a server.", show_default=False)]
ServerApi = Annotated[
    Api | None,
    typer.Option(
        "--api",
        help="Of a server: completions; chat only writes tests (--ranker tests).",
        show_default="completions, or as declared",
    ),
]
KeyEnv = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The environment variable with the server's key. api.openai.com gets OPENAI_API_KEY.",
        show_default=False,
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--setting",
        metavar="NAME=VALUE",
        help="Any other setting of its backend, as in a study (docs/studies.md). Repeatable.",
        show_default=False,
    ),
]
Architecture = Annotated[
    str | None, typer.Option(help="Of that model, to count flops: a name, a config.json.", show_default=False)
]

# what is ranked

Filter = Annotated[
    str | None,
    typer.Option(
        "--filter",
        metavar="executable|examples",
        help="First drop what does not run on the prompt's examples, or what misses the values they state.",
        show_default=False,
    ),
]
Problems = Annotated[
    str | None, typer.Option(help="The benchmark that a file of samples is about.", show_default=False)
]
Verdicts = Annotated[Path | None, typer.Option(help="The verdicts of a file of samples.", show_default=False)]
First = Annotated[
    int | None, typer.Option(min=1, help="Only so many problems of a file of samples.", show_default=False)
]
Out = Annotated[
    Path | None,
    typer.Option("-o", "--out", help="Keeps scores of a file of samples; a run keeps its own.", show_default=False),
]

# how rankers work

Inputs = Annotated[int, typer.Option(min=1, max=1000, help="Inputs of each problem on which samples are compared.")]
Examples = Annotated[
    str,
    typer.Option(
        metavar="benchmark|given|none",
        help="Examples used: of the benchmark's prompt, of the prompt as the model got it, or none.",
    ),
]
Tests = Annotated[
    Path | None, typer.Option(help="A file of tests for the ranker tests, JSON lines.", show_default=False)
]
Train = Annotated[
    list[Path] | None,
    typer.Option(metavar="RUN", help="A run that the verifier learns from. Repeatable.", show_default=False),
]
Power = Annotated[float, typer.Option(help="Of the number of samples in dual agreement's score.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Samples run at once.", show_default="one per core")]
Unsafe = Annotated[bool, typer.Option("--unsafe", help="Run samples even where they cannot be confined.")]

# how they are measured

Orders = Annotated[
    int, typer.Option(min=2, max=100_000, help="Random prefixes for rankers that look at the whole set.")
]
K = Annotated[int | None, typer.Option(min=1, help="Samples drawn, for calibration.", show_default="half of them")]
Figure = Annotated[Path | None, typer.Option(help="Draw the curves into this file, .svg or .png.", show_default=False)]
Seed = Annotated[int, typer.Option(min=0, help="Seed of inputs, prefixes and bootstrap.")]
