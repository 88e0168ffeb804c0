"""Mistakes of a study that show in the world around it: fields and backends, names, budgets; and where keys stand."""

from __future__ import annotations

import contextlib
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isobudget.backends.registry import BACKENDS
from isobudget.errors import MissingExtraError, StudyError
from isobudget.pipeline.generate import generate
from isobudget.pipeline.samples_from_budget import samples_of
from isobudget.progress import Silent
from isobudget.study import load_study, shipped_studies
from isobudget.study.lines import line_of
from isobudget.study.read import parse_study
from isobudget.study.resolve import resolve
from isobudget.study.study import StudyModel

LAYOUT = '''\
# a comment with "quotes" and [brackets]
name = "x" # [no]
benchmarks = [
  "a", # one
  "b]",
  'c',
]
judge.cpu_seconds = 3
models = [{name = "a", n = {one = 1, "two.three" = 2}}, {name = "b",
  n = 2}]
[sampling]
stop = """
[no]
top_p = 3
"""
temperature = 1
[[later]]
a = 1979-05-27T07:32:00Z
[[later.inner]]
k = 1
[[later.inner]]
k = "]"
[[later]]
"a b" = 1
[later.table]
z = {y = [[1, 2], [3]]}
'''


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("name",), 2),
        (("benchmarks", 0), 4),
        (("benchmarks", 2), 6),
        (("judge", "cpu_seconds"), 8),
        (("models", 0, "n", "two.three"), 9),
        (("models", 1, "n"), 10),
        (("models", 1, "name"), 9),
        (("models", 1, "slots"), 9),
        (("sampling", "top_p"), 11),
        (("sampling", "stop"), 12),
        (("sampling", "temperature"), 16),
        (("later", 0, "inner", 1, "k"), 22),
        (("later", 1, "a b"), 24),
        (("later", 1, "table", "z", "y", 1, 0), 26),
        (("nowhere",), None),
    ],
)
def test_lines_of_keys(place: tuple[str | int, ...], line: int | None) -> None:
    text = LAYOUT.replace('{name = "b",\n  n = 2}', '{name = "b"}, [\n  1]')
    if place[:3] == ("models", 1, "n"):  # an inline table may not span lines; its list may
        place = ("models", 2, 0)
    tomllib.loads(text)
    assert line_of(text, place) == line


PLAIN = st.integers() | st.booleans() | st.text("ab]}=#'\"\\ .", max_size=6)
VALUES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab.-", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


def places(value: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, inner in items for found in [(*at, key), *places(inner, (*at, key))]]


@given(st.dictionaries(st.text("ab.-é", min_size=1, max_size=3), VALUES, max_size=4))
def test_every_key_of_any_document_has_a_line(document: dict[str, Any]) -> None:
    import tomli_w

    text = tomli_w.dumps(document)
    rows = text.split("\n")
    for place in places(document):
        line = line_of(text, place)
        assert line is not None
        assert 1 <= line <= len(rows)
        with contextlib.suppress(tomllib.TOMLDecodeError):  # where the lines before say something, it is not this
            assert place not in places(tomllib.loads("\n".join(rows[: line - 1])))
    assert line_of(text, ("nowhere", 0)) is None


@given(st.text("[]{}=\"'#ab,.\n\\", max_size=40))
def test_text_that_is_no_toml_ends_too(text: str) -> None:
    line_of(text, ("a", 0, "b"))


@pytest.fixture
def own(tmp_path: Path) -> Path:
    line = {"task_id": "p/0", "prompt": "def f(x):\n", "entry_point": "f", "test_list": ["assert f(1) == 2"]}
    (tmp_path / "own.jsonl").write_text(json.dumps(line) + "\n")
    return tmp_path / "own.jsonl"


def mistakes(text: str) -> str:
    with pytest.raises(StudyError) as caught:
        resolve(parse_study(text, "mine")).complete()
    return str(caught.value)


def test_everything_that_is_not_there_is_listed_at_once(own: Path) -> None:
    message = mistakes(
        f'name = "x"\nbenchmarks = ["{own}", "humanevil"]\n[prompt]\nformat = "chatt"\nextraction = "magic"\n'
        '[[models]]\nname = "gpt-9"\nn = 1\n'
        '[[models]]\nname = "absent.gguf"\nn = 1\n'
        '[[models]]\nname = "m"\nbackend = "server"\nurl = "http://localhost:1/v1"\nn = 1\narchitecture = "llama-9"\n'
        'api = "chat"\nprompt = {own = "completion"}\n'
    )
    for expected in (
        "line 2: benchmarks.1: unknown benchmark 'humanevil'",
        "line 4: prompt.format: unknown prompt format 'chatt'. Did you mean 'chat'?",
        "line 5: prompt.extraction: unknown extraction rule 'magic'",
        "line 7: models.0.name: unknown model 'gpt-9'",
        "line 10: models.1.name: absent.gguf: no such file",
        "line 17: models.2.architecture: unknown architecture 'llama-9'",
        "line 19: models.2.prompt: the prompt format 'completion' gives text to continue, but api = \"chat\"",
    ):
        assert expected in message, expected


def test_a_damaged_weights_file_is_named_before_a_run_begins(own: Path) -> None:
    broken = own.with_name("broken.gguf")
    broken.write_bytes(b"GGUF" + bytes(3))
    text = f'name = "x"\nbenchmarks = ["{own}"]\n[[models]]\nname = "m"\nmodel = "{broken}"\nn = 1\n'
    with pytest.raises(StudyError, match=r"line 5: models\.0\.model: .*broken\.gguf is damaged or cut off"):
        generate(parse_study(text, "mine"), own.with_name("run"))
    assert not own.with_name("run").exists()


def test_a_folder_in_place_of_weights_is_told_as_such(own: Path) -> None:
    own.with_name("folder.gguf").mkdir()
    text = f'name = "x"\nbenchmarks = ["{own}"]\n[[models]]\nname = "{own.with_name("folder.gguf")}"\nn = 1\n'
    assert "folder.gguf: it is not a file" in mistakes(text)


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        ("temperature = 0", "must be above 0 (greedy = true adds one output at temperature 0), not 0"),
        ("temperature = -1", "must be above 0, not -1"),
        ("temperature = nan", "must be a finite number, not nan"),
        ("temperature = 11", "must be at most 10, not 11"),
        ("top_p = 0.0", "must be above 0, not 0.0"),
        ("top_p = 2", "must be at most 1, not 2"),
        ("top_p = inf", "must be a finite number, not inf"),
    ],
)
def test_sampling_that_cannot_be(own: Path, sampling: str, expected: str) -> None:
    text = f'name = "x"\nbenchmarks = ["{own}"]\n[sampling]\n{sampling}\n[[models]]\nname = "smollm2-135m"\nn = 1\n'
    assert mistakes(text).endswith(f"line 4: sampling.{sampling.split()[0]}: {expected}")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ('slots = 4\nbackend = "server"\nurl = "http://h/v1"', 'models.0.slots: belongs to the backend "llama.cpp"'),
        ("temperature = 0.2", "line 6: models.0.temperature: belongs to the study's table 'sampling'"),
        ("tensor_parallel = 2", 'line 6: models.0.tensor_parallel: belongs to the backend "vllm", not to'),
        ('backend = "server"', "line 3: models.0: a model of the backend \"server\" needs a url"),
        ('backend = "gpt"', "line 6: models.0.backend: must be 'llama.cpp', 'server', 'vllm' or"),
        ('backend = "server"\nurl = "ftp://h"', "line 7: models.0.url: must be like http://127.0.0.1:8000/v1, not 'ftp://h'"),
        ("budget = {per_problem = 1e9}", "line 6: models.0.budget: cannot be combined with n"),
        ('prompt = {humaneval = "chat"}', "line 6: models.0.prompt.humaneval: no such benchmark in this study"),
        ("prompt = 3", "line 6: models.0.prompt: must be a name, or a table with one for each benchmark, not 3"),
        ("key = 3", "line 6: models.0.key: unknown key; known keys: name,"),
        ("slot = 3", "line 6: models.0.slot: unknown key. Did you mean 'slots'?"),
        ('[[models]]\nname = "smollm2-135m"\nn = 1\n[[models]]\nname = "smollm2-135m"\nn = 1', "2 mistakes"),
    ],
)  # fmt: skip
def test_fields_that_do_not_belong(own: Path, fields: str, expected: str) -> None:
    assert expected in mistakes(f'name = "x"\nbenchmarks = ["{own}"]\n[[models]]\nname = "m"\nn = 1\n{fields}\n')


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        ("{own = 0}", "line 5: models.0.n: must be at least 1"),
        ("{own = 1.5}", "line 5: models.0.n: must be a whole number"),
        ("{other = 1}", "line 5: models.0.n.other: no such benchmark in this study"),
        ("{other = 1}", "line 5: models.0.n: lacks own"),
        ("true", "line 5: models.0.n: must be a whole number"),
    ],
)
def test_tables_of_samples(own: Path, n: str, expected: str) -> None:
    assert expected in mistakes(f'name = "x"\nbenchmarks = ["{own}"]\n[[models]]\nname = "m"\nn = {n}\n')


def test_a_single_missing_part_of_a_study_made_in_python_keeps_its_class() -> None:
    from isobudget.study import Study

    if BACKENDS["vllm"].needs.missing() is None:
        pytest.skip("vLLM is installed")
    study = Study(name="x", benchmarks=["quickstart"], models=[StudyModel(name="m", n=1, backend="vllm")])
    with pytest.raises(MissingExtraError, match=r"isobudget\[vllm\]"):
        resolve(study).complete()
    resolved = resolve(study, extras=False)
    assert [one.name for one in resolved.benchmarks] == ["quickstart"]
    assert [one.name for one in resolved.complete()] == ["m"]


# budgets --------------------------------------------------------------------------------------------------------------

SERVER = '[[models]]\nname = "{0}"\nbackend = "server"\nurl = "http://h/v1"\n'


#: what a message says that a budget buys; amounts with the first letter of their unit
MESSAGE = re.compile(
    r"a budget of (?P<budget>[\d.]+ [GT])flops a problem(?P<stands>.*?) buys (?P<k>\d+) samples? of "
    r"(?P<first>[\d.]+ [GT])flops, each further one (?P<more>[\d.]+ [GT])flops; n is twice that"
)


def counts(own: Path, head: str, *models: str) -> dict[str, int]:
    text = f'name = "x"\nbenchmarks = ["{own}"]\n{head}\n' + "".join(SERVER.format(name) for name in models)
    study = parse_study(text, "mine")
    found = samples_of(resolve(study, extras=False))
    return {model: by_benchmark["own"] for model, by_benchmark in found.items()}


def test_a_budget_in_samples_of_the_cheapest_buys_as_in_the_paper(own: Path) -> None:
    """The cheapest model gets n = 2 x 64; the others by their cost, relative to it as in Table 1 (1 : 1.95 : 5.08)."""
    bought = counts(
        own, '[budget]\nper_problem = "64x"\ncosts = "paper"', "codellama-7b", "codellama-13b", "codellama-34b"
    )
    assert bought == {
        "codellama-7b": 128,
        "codellama-13b": 2 * int(64 * 1.69 / 3.29),
        "codellama-34b": 2 * int(64 * 1.69 / 8.58),
    }


def test_a_budget_in_seconds_needs_measured_costs(own: Path) -> None:
    with pytest.raises(StudyError, match="must be measured: give the budget a costs file"):
        counts(own, '[budget]\nunit = "seconds"\nper_problem = 10', "codellama-7b")
    costs = own.parent / "costs.toml"
    costs.write_text("[models.codellama-7b]\nseconds = 2.0\n[models.codellama-13b]\nseconds = 30.0\n")
    bought = counts(
        own, f'[budget]\nunit = "seconds"\nper_problem = 10\ncosts = "{costs}"', "codellama-7b", "codellama-13b"
    )
    assert bought == {"codellama-7b": 10, "codellama-13b": 2}


def test_a_budget_in_flops_follows_from_the_shapes(own: Path) -> None:
    bought = counts(own, '[budget]\nper_problem = "10x"', "codellama-7b", "codellama-70b")
    assert bought["codellama-7b"] == 20
    assert bought["codellama-70b"] == 2  # 10.4 times as dear: the budget does not buy one
    with pytest.raises(StudyError, match="the shape of gpt-4o is not known"):
        counts(own, "[budget]\nper_problem = 1e12", "gpt-4o")


def test_samples_of_the_cheapest_share_a_prompt_in_the_budget_too(own: Path) -> None:
    line = {
        "task_id": "p/0",
        "prompt": "def f(x):\n" + 9000 * "#",
        "entry_point": "f",
        "test_list": ["assert f(1) == 2"],
    }
    own.write_text(json.dumps(line) + "\n")
    assert counts(own, '[budget]\nper_problem = "64x"', "codellama-7b") == {"codellama-7b": 128}


def test_what_a_budget_buys_adds_up(own: Path) -> None:
    """The first sample and the further ones make the budget by the message's own numbers, also where it is typed."""
    said: list[str] = []

    class Notes(Silent):
        def note(self, text: str) -> None:
            said.append(text)

    def bought(per_problem: str) -> dict[str, str]:
        text = f'name = "x"\nbenchmarks = ["{own}"]\n[budget]\nper_problem = {per_problem}\n'
        samples_of(resolve(parse_study(text + SERVER.format("codellama-7b"), "mine"), extras=False), Notes())
        found = MESSAGE.search(said[-1])
        assert found is not None, said
        return found.groupdict()

    def flops(shown: str) -> float:
        return float(shown[:-2]) * {"G": 1e9, "T": 1e12}[shown[-1]]

    first, typed = bought('"3x"'), {}
    for digits in range(3, 40, 7):  # until one is a budget that is shown as less than it is
        shown = bought(f'"{digits}x"')["budget"]
        typed = bought(f"{flops(shown):.6g}")
        if typed["stands"]:
            break
    assert first["k"] == "3"
    assert first["stands"] == ""
    assert typed["stands"].startswith(", which stands for ")
    for one in (first, typed):
        total = flops(one["first"]) + (int(one["k"]) - 1) * flops(one["more"])
        assert total == pytest.approx(flops(one["budget"]), rel=0.01)


def test_a_stated_n_stands_above_the_budget(own: Path) -> None:
    text = SERVER.format("codellama-7b") + "n = 3\n" + SERVER.format("codellama-13b")
    study = parse_study(f'name = "x"\nbenchmarks = ["{own}"]\n[budget]\nper_problem = 1e15\n{text}', "mine")
    found = samples_of(resolve(study, extras=False))
    assert found["codellama-7b"] == {"own": 3}
    assert found["codellama-13b"]["own"] > 3


@pytest.mark.parametrize("amount", ["0", '"x"', '"-3x"', '"64"', "true", "nan", '"infx"', "inf"])
def test_an_amount_that_is_none_is_named(own: Path, amount: str) -> None:
    with pytest.raises(StudyError, match=r"budget\.per_problem: must be an amount above 0"):
        counts(own, f"[budget]\nper_problem = {amount}", "codellama-7b")


# the studies that ship ------------------------------------------------------------------------------------------------


def test_the_papers_studies_ask_for_its_samples() -> None:
    study = load_study("paper-code-llama")
    assert [model.samples("humaneval") for model in study.models] == [2000, 1000, 400, 200]
    assert [model.samples("apps-interview") for model in study.models] == [1000, 500, 200, 100]
    assert study.greedy
    assert [model.samples("mbpp") for model in load_study("paper-llama-3").models] == [2000, 200]
    assert set(shipped_studies()) == {"demo", "laptop", "paper-code-llama", "paper-llama-3", "quickstart"}


def test_the_studies_of_the_docs_are_right() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "studies.md").read_text(encoding="utf-8")
    first, models, budget = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    study = parse_study(first, "docs")
    assert study.models[0].samples("mbpp") == 100
    head = 'name = "x"\nbenchmarks = ["humaneval", "mbpp"]\n'
    assert [model.settings.backend for model in parse_study(head + models, "docs").models] == ["server", "vllm"]
    assert parse_study(head + budget + '[[models]]\nname = "smollm2-135m"\n', "docs").budget is not None


def test_every_field_of_a_model_is_in_the_docs() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "studies.md").read_text(encoding="utf-8")
    settings = {field for backend in BACKENDS.values() for field in backend.model_fields}
    for field in settings | set(StudyModel.model_fields) - {"settings"}:
        assert f"`{field}`" in text, field


def test_a_field_of_several_types_is_one_mistake() -> None:
    text = 'name = "x"\nbenchmarks = ["quickstart"]\n[sampling]\nstop = "bodies"\n[[models]]\nname = "smollm2-135m"\n'
    text += "n = 1\n"
    with pytest.raises(StudyError, match=r"1 mistake\n  line 4: sampling\.stop: must be 'body'.*; or must"):
        parse_study(text, "mine")
