"""`isobudget profile`: how fast this machine runs a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from isobudget.cli.declared import of_api
from isobudget.cli.options import JsonOption, one_of

if TYPE_CHECKING:
    from isobudget.costs.seconds import Figure, Profile
    from isobudget.grid import Grid
    from isobudget.profiling import Profiled


@of_api(
    "profile",
    quantisation=Annotated[str | None, one_of("q4_0", "q8_0", "f16")],
    completion_tokens=typer.Option(metavar="N"),
)
def profile(given: dict[str, Any], as_json: JsonOption = False) -> None:
    """Benchmark throughput on this machine, even without the model's weights.

    Speed depends on the shape and quantization of weights, not on their values, so an architecture alone is timed with
    random weights. A profile prices samples in seconds: name the profile in a costs file (`profile = "FILE"`) and
    compare with `isobudget curves --unit seconds --costs`.

    Examples: `isobudget profile smollm2-135m`, or
    `isobudget profile codellama-7b --slots 1,8 --completion-tokens 64`
    """
    from isobudget import api
    from isobudget.cli.progress import TerminalProgress
    from isobudget.cli.show import print_json
    from isobudget.report.tables.terminal import print_grids

    try:
        with TerminalProgress() as progress:
            done = api.profile(**given, progress=progress)
    except KeyboardInterrupt:
        typer.echo("\nInterrupted; no profile was written.", err=True)
        raise typer.Exit(130) from None
    if as_json:
        print_json(done.to_dict())
    else:
        print_grids([_grid(done)])


def _grid(done: Profiled) -> Grid:
    from isobudget.grid import Grid, counted

    timed = done.profile
    lengths = f"{timed.prompt_tokens} + {timed.completion_tokens} tokens"
    rows = tuple(
        (str(speed.slots), _cell(speed.prompt), _cell(speed.completion), _cell(speed.sample)) for speed in timed.speeds
    )
    notes = [
        f"{timed.engine}, {counted(timed.threads, 'thread')}, {timed.machine}, {timed.date}",
        f"median of {timed.repeats}, least to most in brackets; tokens of all slots together",
        f"written to {done.path}",
        _best(timed),
        *([f"random weights kept: {done.kept}"] if done.kept else []),
    ]
    columns = ("slots", "prompt tokens/s", "completion tokens/s", f"seconds per sample of {lengths}")
    return Grid(f"{timed.model} (weights: {timed.weights})", columns, rows, notes=tuple(notes))


def _best(timed: Profile) -> str:
    best = timed.best.slots
    if len(timed.speeds) > 1 and best == timed.speeds[-1].slots:
        return f"best batch: {best}, the largest that was timed; a larger one may be better still: --slots {2 * best}"
    return f"best batch: {best}; samples are priced with it unless a costs file says otherwise (batch)"


def _cell(figure: Figure | None) -> str:
    from isobudget.grid import amount

    return f"{amount(figure.median)} ({amount(figure.low)}-{amount(figure.high)})" if figure else ""
