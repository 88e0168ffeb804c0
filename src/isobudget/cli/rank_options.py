"""The options of `isobudget rank`: many, so they are declared apart from what it does."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from isobudget.rankers.registry import NAMES


class Api(StrEnum):
    """Calls of a server."""

    COMPLETIONS = "completions"
    CHAT = "chat"


Source = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE...", help="A run folder, or files of results of any known format, see docs/importing.md."
    ),
]
Rankers = Annotated[
    list[str] | None,
    typer.Option(
        "-r",
        "--ranker",
        metavar="NAME",
        help=f"{', '.join(NAMES)}. Repeatable.",
        show_default="own",
    ),
]

# the model that scores

Model = Annotated[
    str | None,
    typer.Option(
        "-m", "--model", help="Model that scores the samples or writes tests: a name, a GGUF file.", show_default=False
    ),
]
Backend = Annotated[
    str | None,
    typer.Option(
        help="How to reach that model: llama.cpp, server, vllm, transformers.",
        show_default="llama.cpp, or as declared",
    ),
]
Url = Annotated[str | None, typer.Option(help="Base URL (with --backend server).", show_default=False)]
ServerApi = Annotated[
    Api | None,
    typer.Option(
        "--api",
        help="API of the server: completions, or chat, which can only write tests (--ranker tests).",
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
    str | None,
    typer.Option(help="Architecture of that model, to count flops: a name, a config.json.", show_default=False),
]

# what is ranked

Filter = Annotated[
    str | None,
    typer.Option(
        "--filter",
        metavar="executable|examples",
        help="First drop samples that fail on the prompt's examples, or that return other values than they state.",
        show_default=False,
    ),
]
Problems = Annotated[str | None, typer.Option(help="Benchmark of a file of samples.", show_default=False)]
Verdicts = Annotated[Path | None, typer.Option(help="Verdicts on a file of samples.", show_default=False)]
First = Annotated[int | None, typer.Option(min=1, help="Only its first so many problems.", show_default=False)]
Out = Annotated[
    Path | None,
    typer.Option(
        "-o", "--out", help="Folder for the scores of a file of samples; a run keeps its own.", show_default=False
    ),
]

# how rankers work

Inputs = Annotated[int, typer.Option(min=1, max=1000, help="Inputs per problem on which samples are compared.")]
Examples = Annotated[
    str,
    typer.Option(
        metavar="benchmark|given|none",
        help="Which examples to use: the benchmark prompt's, those of the prompt as given to the model, or none.",
    ),
]
Tests = Annotated[Path | None, typer.Option(help="File of tests for --ranker tests, JSON lines.", show_default=False)]
Train = Annotated[
    list[Path] | None,
    typer.Option(metavar="RUN", help="Run for the verifier to learn from. Repeatable.", show_default=False),
]
Power = Annotated[float, typer.Option(help="Exponent of the sample count in the CodeT dual-agreement score.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Samples run at the same time.", show_default="one per core")]
Check = Annotated[
    bool,
    typer.Option(
        "--check/--no-check", help="First judge the references of own problems, which verdicts and tests rest on."
    ),
]
Unsafe = Annotated[
    bool, typer.Option("--unsafe", help="Run samples even where they cannot be confined (use a disposable VM).")
]

# how they are measured

Orders = Annotated[
    int, typer.Option(min=2, max=100_000, help="Random orders, for rankers that look at all samples together.")
]
K = Annotated[
    int | None,
    typer.Option(min=1, help="Samples to choose from when calibration is measured.", show_default="half of them"),
]
Figure = Annotated[Path | None, typer.Option(help="Plot the curves into this file, .svg or .png.", show_default=False)]
Seed = Annotated[int, typer.Option(min=0, help="Seed of inputs, random orders and bootstrap.")]
