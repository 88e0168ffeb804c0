"""A project's own tests, confined: what passes, what hostile candidates come to, and what users get to read."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from isobudget.errors import InputError
from isobudget.judge.verdict import Outcome, Trust, Verdict
from isobudget.tasks.candidate import lay_over
from isobudget.tasks.imports import WarmModules
from isobudget.tasks.project import find_interpreter
from isobudget.tasks.project_tests import CandidateLimits, TargetTests, no_tests
from isobudget.tasks.selection import select
from isobudget.tasks.selection import tests_importing as importing
from isobudget.tasks.target import find_target
from support.solve_project import RIGHT, make_project

SECRET = "the secret of the home"


def opened(root: Path, target: str, *tests: str, also: str = "", limits: CandidateLimits | None = None) -> TargetTests:
    found = find_target(str(root / target))
    chosen = select(found.root, [str(root / one) for one in tests])
    more = select(found.root, [str(root / also)]) if also else no_tests()
    return TargetTests(found, chosen, more, find_interpreter(found.root, sys.executable), limits or CandidateLimits())


def judged(tests: TargetTests, body: str) -> Verdict:
    return tests.judge(lay_over(tests.target, f"def slugify(text, sep='-'):\n{body}"))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def prepared(project: Path) -> Iterator[TargetTests]:
    limits = CandidateLimits(cpu_seconds=2.0)
    with opened(project, "src/pkg/text.py::slugify", "tests/test_text.py", limits=limits) as tests:
        tests.prepare()
        yield tests


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_what_has_to_pass_is_known_beforehand(prepared: TargetTests) -> None:
    baseline = prepared.baseline
    assert len(baseline.expected) == 4
    assert len(baseline.reached) == 3
    assert "tests/test_text.py::test_shout" not in baseline.reached
    assert not {"pkg", "pkg.text"} & set(prepared._warm.names)
    # Plugins that are installed here are imported once, as pytest would: rewritten.
    assert "hypothesis" in prepared._warm.rewritten


def test_right_and_wrong_candidates(prepared: TargetTests) -> None:
    right = judged(prepared, RIGHT)
    assert (right.outcome, right.tests_passed, right.tests_total) == (Outcome.PASSED, 4, 4)
    assert right.trust is Trust.SHARED
    wrong = judged(prepared, "    return text\n")
    assert (wrong.outcome, wrong.tests_passed) == (Outcome.FAILED, 1)
    assert wrong.first_failing == "tests/test_text.py::test_slug[Hello World-hello-world]"
    assert "assert 'Hello World' == 'hello-world'" in wrong.detail
    # A process is never used twice: what the last one left behind is not there.
    assert judged(prepared, RIGHT).passed


def test_plugins_imported_once_are_nothing_to_warn_of(tmp_path: Path) -> None:
    """As pytest itself would have imported them: it warns of others, and here a warning is an error."""
    project = make_project(tmp_path)
    configuration = project / "pyproject.toml"
    configuration.write_text(f"{configuration.read_text()}filterwarnings = ['error']\n")
    with opened(project, "src/pkg/text.py::slugify", "tests/test_text.py") as tests:
        tests.prepare()
        assert "hypothesis" in tests._warm.rewritten
        assert judged(tests, RIGHT).passed


def test_a_module_that_imports_the_target_after_all_is_not_kept(project: Path) -> None:
    with opened(project, "src/pkg/text.py::slugify", "tests/test_text.py") as tests:
        tests.prepare()
        tests.stop()
        tests._warm = WarmModules(["json", "pkg", "decimal"])
        assert judged(tests, RIGHT).passed
        assert not judged(tests, "    return text\n").passed
        assert tests._warm.names == ["json", "decimal"]


HOSTILE = {
    "deletes the tree": "    import shutil\n    shutil.rmtree({root!r})\n",
    "edits the tests": "    open({root!r} + '/tests/test_text.py', 'w').write('')\n",
    "removes its own file": "    import os\n    os.unlink(__file__)\n",
    "reads the home": "    return open({secret!r}).read()\n",
    "lists the root": "    import os\n    return str(os.listdir('/root') + os.listdir('/home'))\n",
    "opens the network": "    import socket\n    socket.create_connection(('127.0.0.1', {port}))\n",
    "sends a datagram": (
        "    import socket\n    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))\n"
    ),
    "forks for ever": "    import os\n    while True:\n        os.fork()\n",
    "starts a program": "    import subprocess\n    subprocess.run(['/bin/sh', '-c', 'true'], check=True)\n",
    "never ends": "    while True:\n        pass\n",
    "prints a gigabyte": (
        "    import os\n    for _ in range(1024):\n        os.write(1, b'x' * (1 << 20))\n    return text\n"
    ),
    "fills the disk": "    import os\n    open(os.environ['TMPDIR'] + '/x', 'wb').write(b'x' * (1 << 30))\n",
    "takes all memory": "    return [bytearray(1 << 20) for _ in range(1 << 14)]\n",
    "ends the process": "    import os\n    os._exit(0)\n",
    "raises SystemExit": "    raise SystemExit(0)\n",
    "kills the server": "    import os, signal\n    os.kill(os.getppid(), signal.SIGKILL)\n    return text\n",
    "kills itself": "    import os, signal\n    os.kill(os.getpid(), signal.SIGKILL)\n",
    "ends by a signal without a name": "    import os\n    os.kill(os.getpid(), 40)\n",
    "becomes root": "    import os\n    os.setuid(0)\n",
    "mounts": "    import ctypes\n    assert ctypes.CDLL(None).mount(b'a', b'/', b'tmpfs', 0, None) == 0\n",
    "skips": "    import pytest\n    pytest.skip('done')\n",
    "expects to fail": "    import pytest\n    pytest.xfail('done')\n",
    "recurses": "    return slugify(text)\n",
    "forges a report": (
        "    import os, json\n    for number in range(3, 64):\n        try:\n"
        "            os.write(number, json.dumps(['x', 'finished', 0, []]).encode() + b'\\n')\n"
        "        except OSError:\n            pass\n    os._exit(0)\n"
    ),
    "writes broken reports": (
        "    import os\n    for number in range(3, 64):\n        try:\n            os.write(number, b'[\\xff{\\n')\n"
        "        except OSError:\n            pass\n    return text\n"
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_candidates_fail_and_touch_nothing(prepared: TargetTests, project: Path, name: str) -> None:
    secret = Path.home() / f".isobudget-test-secret-{os.getpid()}"  # of this process, beside which others may test
    secret.write_text(SECRET)
    before = snapshot(project)
    body = HOSTILE[name].replace("{root!r}", repr(str(project))).replace("{secret!r}", repr(str(secret)))
    try:
        began = time.monotonic()
        verdict = judged(prepared, body.replace("{port}", "80"))
        took = time.monotonic() - began
    finally:
        secret.unlink()
    assert not verdict.passed
    assert SECRET not in verdict.detail
    assert snapshot(project) == before
    assert took < 30
    assert judged(prepared, RIGHT).passed


def test_a_candidate_that_does_harm_when_it_is_imported(prepared: TargetTests) -> None:
    text = prepared.target.text.replace("import re", "import os\nos._exit(0)")
    verdict = prepared.judge(text)
    assert (verdict.outcome, verdict.detail) == (Outcome.ERROR, "the process ended before its tests did")
    assert judged(prepared, RIGHT).passed


def test_the_limit_of_time_ends_a_test_at_once(prepared: TargetTests) -> None:
    began = time.monotonic()
    verdict = prepared.judge(
        lay_over(prepared.target, "def slugify(t, s):\n    while True: pass\n"), time.monotonic() + 0.5
    )
    assert time.monotonic() - began < 1.5
    assert verdict.outcome is Outcome.TIMEOUT
    assert judged(prepared, RIGHT).passed


def test_at_the_limit_of_time_nobody_waits_for_the_process_that_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither for its end nor for the next one to start; what is left of it is cleared away when all is done."""
    make_project(tmp_path)
    with opened(tmp_path, "src/pkg/text.py::slugify", "tests/test_text.py") as tests:
        tests.prepare()
        released, ended = Event(), list[int]()

        def slow(process: subprocess.Popen[bytes], timeout: float | None = None) -> int:
            assert released.wait(60)
            ended.append(process.pid)
            return wait(process, timeout)

        wait = subprocess.Popen.wait
        monkeypatch.setattr(subprocess.Popen, "wait", slow)
        assert tests.judge(tests.target.text, time.monotonic() - 1).outcome is Outcome.TIMEOUT
        assert tests.judge(tests.target.text, time.monotonic() + 1e-4).outcome is Outcome.TIMEOUT
        assert judged(tests, RIGHT).passed
        assert not ended
        released.set()
    assert ended


def test_also_is_run_on_what_passes(tmp_path: Path) -> None:
    make_project(tmp_path)
    (tmp_path / "tests" / "test_more.py").write_text(
        "from pkg.text import slugify\n\n\ndef test_types():\n    assert slugify.__name__ == 'slugify'\n\n\n"
        "def test_known():\n    assert slugify('a') != 'b'\n"
    )
    text = (tmp_path / "src/pkg/text.py").read_text().replace("    ...\n", "    return 'c'\n", 1)
    (tmp_path / "src/pkg/text.py").write_text(text)
    with opened(tmp_path, "src/pkg/text.py::slugify", "tests/test_text.py", also="tests/test_more.py") as tests:
        assert len(tests.prepare().also) == 2
        assert judged(tests, RIGHT).passed
        verdict = judged(tests, "    if text == 'a':\n        return 'b'\n" + RIGHT)
    assert verdict.outcome is Outcome.FAILED
    assert verdict.detail.startswith("broke a test that passed before: ")
    assert (verdict.tests_passed, verdict.tests_total) == (5, 6)


def test_programs_may_be_started_where_that_is_allowed(tmp_path: Path) -> None:
    make_project(tmp_path)
    limits = CandidateLimits(allow_subprocess=True)
    body = (
        "    import subprocess, sys\n"
        "    done = subprocess.run([sys.executable, '-c', 'print(1)'], capture_output=True, text=True, check=True)\n"
        "    assert done.stdout == '1\\n'\n    subprocess.Popen([sys.executable, '-c', 'while True: pass'])\n"
    )
    with opened(tmp_path, "src/pkg/text.py::slugify", "tests/test_text.py", limits=limits) as tests:
        tests.prepare()
        assert judged(tests, body + RIGHT).passed
        assert judged(tests, RIGHT).passed


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    make_project(tmp_path)
    (tmp_path / "tests" / "test_fresh.py").write_text(
        "from pkg.fresh import double\n\n\ndef test_double():\n    assert double(2) == 4\n"
    )
    with opened(tmp_path, "src/pkg/fresh.py", "tests/test_fresh.py") as tests:
        assert tests.prepare().expected == ("tests/test_fresh.py::test_double",)
        assert tests.judge(lay_over(tests.target, "def double(x):\n    return 2 * x\n")).passed
    assert not (tmp_path / "src/pkg/fresh.py").exists()


MISTAKES = {
    "no tests": ("def helper():\n    pass\n", r"pytest finds no tests there\. Unless .*functions test_\*"),
    "a missing dependency": (
        "import nonexistent_package\nfrom pkg.text import slugify\ndef test_a():\n    slugify('a')\n",
        "needs 'nonexistent_package', which the project's interpreter does not have; install it there",
    ),
    "a name that is not there": (
        "from pkg.text import slugify, missing\ndef test_a():\n    slugify('a')\n",
        "imports 'missing', which pkg.text does not define",
    ),
    "another module": ("def test_a():\n    assert True\n", "no test imports src/pkg/text.py"),
    "not called": ("import pkg.text\ndef test_a():\n    assert True\n", "no test calls the target"),
    "called on import": (
        "from pkg.text import slugify\nA = slugify('a')\ndef test_a():\n    assert A\n",
        "while it is imported",
    ),
    "fails before it calls it": (
        "from pkg.text import slugify\ndef test_a():\n    slugify('a')\ndef test_b():\n    assert slugify is None\n",
        r"test_b fails without calling the target: .*The test contains the target's name, so it is not left out. .*"
        r"\(--tests tests/test_x.py::test_a\), or leave out --tests, so that only tests that call the target decide",
    ),
    "is a program": (
        "import subprocess, sys\nfrom pkg.text import slugify\ndef test_a():\n    slugify('a')\n"
        "def test_b():\n    subprocess.run([sys.executable, '-c', 'pass'], check=True)\n",
        r"test_b fails without calling the target: .*--allow-subprocess\)\. "
        r"A program that the test starts may call the target",
    ),
    "only others fail": (
        "import pkg.text\nasync def test_a():\n    pkg.text.slugify('a')\n",
        "no test calls the target, and 1 test of 1 would fail .*: is async, which pytest needs a plugin for",
    ),
    "all skipped": (
        "import pytest\nfrom pkg.text import slugify\n\n\n@pytest.mark.skip(reason='slow')\n"
        "def test_a():\n    slugify('a')\n",
        "skips its only test, so no test decides: .*slow",
    ),
}


def test_what_the_tests_themselves_skip_or_expect_to_fail_counts(tmp_path: Path) -> None:
    make_project(tmp_path)
    (tmp_path / "tests/test_x.py").write_text(
        "import pytest\nfrom pkg.text import slugify\n\n\n"
        "def test_slug():\n    assert slugify('A B') == 'a-b'\n\n\n"
        "@pytest.mark.xfail(raises=AssertionError)\ndef test_later():\n    assert slugify('a') == 'z'\n\n\n"
        "def test_skipped():\n    pytest.skip('no')\n\n\ndef test_known():\n    pytest.xfail('known')\n"
    )
    with opened(tmp_path, "src/pkg/text.py::slugify", "tests/test_x.py") as tests:
        assert len(tests.prepare().expected) == 4
        assert judged(tests, RIGHT).tests_passed == 4
        assert not judged(tests, "    return text\n").passed


FOLDER = {
    "test_x.py": """import pytest
from pkg.text import Counter, slugify


@pytest.fixture(scope="module")
def made():
    return slugify("A B")


def test_made(made):
    assert made == "a-b"


def test_made_again(made):
    assert made != "A B"


def test_unwritten():
    Counter().add("a")


def test_both():
    Counter().add("a")
    assert slugify("a") == "a"


def test_else():
    assert 1 == 2
""",
    "test_broken.py": "def test_a():\n    assert (\n",
    "test_needs.py": "import nonexistent_package\n",
}


def test_of_a_folder_what_cannot_pass_whatever_is_written_is_left_out(tmp_path: Path) -> None:
    make_project(tmp_path)
    for name, text in FOLDER.items():
        (tmp_path / "tests" / name).write_text(text)
    with opened(tmp_path, "src/pkg/text.py::slugify", "tests", also="tests") as tests:
        baseline = tests.prepare()
        # A fixture that called it has failed for the second test, too.
        assert {"tests/test_x.py::test_made", "tests/test_x.py::test_made_again"} <= baseline.reached
        assert judged(tests, RIGHT).passed
    assert len(baseline.expected) == 6
    assert baseline.left_out == {
        "tests/test_counter.py::test_add": "needs add, which also has no body",
        "tests/test_x.py::test_unwritten": "needs add, which also has no body",
        "tests/test_x.py::test_both": "needs add, which also has no body",
        "tests/test_x.py::test_else": "assert 1 == 2",
        "tests/test_broken.py": "does not parse (SyntaxError: '(' was never closed)",
        "tests/test_needs.py": (
            "needs 'nonexistent_package', which the project's interpreter does not have; install it there, or name "
            "another interpreter with --python"
        ),
    }
    assert "4 tests left out, failing whatever is written: tests/test_counter.py::test_add (" in baseline.note
    assert " and 1 more; 2 test files left out, not collected by pytest: tests/test_broken.py (" in baseline.note


@pytest.mark.parametrize("packages", [(), ("ns/pkg/__init__.py",)])
def test_folders_may_be_packages_without_a_file(tmp_path: Path, packages: tuple[str, ...]) -> None:
    """The module's name is the one that the tests import, and no candidate gets the stub that was imported before."""
    files = {
        **dict.fromkeys(packages, ""),
        "pyproject.toml": '[tool.pytest.ini_options]\npythonpath = ["."]\n',
        "ns/pkg/text.py": "def slugify(text, sep='-'):\n    ...\n",
        "ns/other.py": "from ns.pkg.text import slugify\n\nOTHER = slugify\n",
        "tests/test_text.py": "from ns.other import OTHER\nfrom ns.pkg import text\n\n\ndef test_slug():\n"
        "    assert text.slugify('A') == OTHER('A') == 'a'\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    with opened(tmp_path, "ns/pkg/text.py::slugify", "tests") as tests:
        tests.prepare()
        assert tests.target.module == "ns.pkg.text"
        assert judged(tests, "    return text.lower()\n").passed
        assert not judged(tests, "    return text\n").passed
    found = find_target(str(tmp_path / "ns/pkg/text.py::slugify"))
    assert importing(tmp_path, ["tests/test_text.py"], found.modules, found.names) == ["tests/test_text.py"]


def test_links_and_names_that_get_in_the_way_are_told(tmp_path: Path) -> None:
    root = make_project(tmp_path / "project")
    (tmp_path / "outside.py").write_text("def slugify():\n    ...\n")
    (root / "src/pkg/linked.py").symlink_to(tmp_path / "outside.py")
    with pytest.raises(InputError, match=r"linked.py::slugify: is a link to .*/outside.py, outside of the project"):
        find_target(str(root / "src/pkg/linked.py::slugify"))
    for folder in ("a", "b"):
        (root / "tests" / folder).mkdir()
        (root / "tests" / folder / "test_text.py").write_text((root / "tests/test_text.py").read_text())
    with (
        opened(root, "src/pkg/text.py::slugify", "tests") as tests,
        pytest.raises(
            InputError, match=r"test_text.py: has the same name as another test file, and neither is in a package"
        ),
    ):
        tests.prepare()
    (root / "src").rename(root / "lib")
    (root / "src").mkdir()
    (root / "src/pkg").symlink_to(root / "lib/pkg")
    with (root / "pyproject.toml").open("a") as file:
        file.write('pythonpath = ["src"]\n')
    with (
        opened(root, "lib/pkg/text.py::slugify", "tests/test_text.py") as tests,
        pytest.raises(InputError, match=r"through the link .*src/pkg/text.py, not from lib/pkg/text.py"),
    ):
        tests.prepare()


@pytest.mark.parametrize(
    ("name", "text", "chosen", "message"),
    [
        (
            "test_x.py",
            FOLDER["test_x.py"],
            "tests/test_x.py::test_else",
            "test_else fails without calling the target: assert 1",
        ),
        (
            "test_x.py",
            "import nonexistent_package, pkg.text\n",
            "tests",
            "tests/test_x.py: needs 'nonexistent_package'",
        ),
        ("test_x.py", "def test_slugify():\n    slugify(\n", "tests", r"tests/test_x.py: does not parse"),
    ],
)
def test_what_is_named_or_may_be_about_the_target_is_not_left_out(
    tmp_path: Path, name: str, text: str, chosen: str, message: str
) -> None:
    make_project(tmp_path)
    (tmp_path / "tests" / name).write_text(text)
    with (
        opened(tmp_path, "src/pkg/text.py::slugify", "tests/test_text.py", chosen) as tests,
        pytest.raises(InputError, match=message),
    ):
        tests.prepare()


def test_what_a_program_calls_is_called(tmp_path: Path) -> None:
    """The stub is reached in another process, which has nothing of the runner's."""
    make_project(tmp_path)
    (tmp_path / "tests/test_x.py").write_text(
        "import os, subprocess, sys\n\n\ndef test_program():\n"
        '    code = \'from pkg.text import slugify; assert slugify("A B") == "a-b"\'\n'
        "    subprocess.run([sys.executable, '-c', code], cwd='src', check=True)\n\n\n"
        "def test_fork():\n    from pkg.text import slugify\n\n    pid = os.fork()\n    if not pid:\n"
        "        try:\n            os._exit(slugify('A B') != 'a-b')\n        finally:\n            os._exit(9)\n"
        "    assert os.waitpid(pid, 0)[1] == 0\n"
    )
    limits = CandidateLimits(allow_subprocess=True)
    with opened(tmp_path, "src/pkg/text.py::slugify", "tests/test_x.py", limits=limits) as tests:
        assert len(tests.prepare().reached) == 2
        assert judged(tests, RIGHT).passed
        assert not judged(tests, "    return text\n").passed


@pytest.mark.parametrize("name", MISTAKES)
def test_tests_that_cannot_decide(tmp_path: Path, name: str) -> None:
    text, message = MISTAKES[name]
    make_project(tmp_path)
    (tmp_path / "tests" / "test_x.py").write_text(text)
    with (
        opened(tmp_path, "src/pkg/text.py::slugify", "tests/test_x.py") as tests,
        pytest.raises(InputError, match=message),
    ):
        tests.prepare()


def test_a_test_that_is_not_there_is_told_with_how_to_list_them(tmp_path: Path) -> None:
    make_project(tmp_path)
    with (
        opened(tmp_path, "src/pkg/text.py::slugify", "tests/test_text.py::test_nope") as tests,
        pytest.raises(InputError, match=r"::test_nope: there is no such test; .* -q tests/test_text.py` lists"),
    ):
        tests.prepare()


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("tests/conftest.py", "import nonexistent_package\n", "^tests/conftest.py: needs 'nonexistent_package'"),
        (
            "tests/conftest.py",
            "raise RuntimeError('no database')\n",
            "^tests/conftest.py: .*RuntimeError: no database$",
        ),
        ("pytest.ini", "[pytest]\naddopts = --nonsense\n", "pytest does not start: unrecognized arguments: --nonsense"),
    ],
)
def test_why_pytest_does_not_begin(tmp_path: Path, file: str, text: str, message: str) -> None:
    make_project(tmp_path)
    (tmp_path / file).write_text(text)
    with (
        opened(tmp_path, "src/pkg/text.py::slugify", "tests/test_text.py") as tests,
        pytest.raises(InputError, match=message),
    ):
        tests.prepare()


def test_a_folder_of_which_no_file_can_be_collected_says_why(tmp_path: Path) -> None:
    make_project(tmp_path)
    (tmp_path / "more").mkdir()
    (tmp_path / "more/test_x.py").write_text("def test_a():\n    assert (\n")
    (tmp_path / "more/test_link.py").symlink_to("gone.py")
    with (
        opened(tmp_path, "src/pkg/text.py::slugify", "more") as tests,
        pytest.raises(InputError, match=r"finds no tests there; .*more/test_x.py: does not parse \(SyntaxError"),
    ):
        tests.prepare()


def test_tests_that_do_not_parse_are_named_with_their_line(tmp_path: Path) -> None:
    make_project(tmp_path)
    (tmp_path / "tests" / "test_x.py").write_text("def test_a():\n    assert (\n")
    with pytest.raises(InputError, match=r"tests/test_x.py, line 2: is not valid Python"):
        opened(tmp_path, "src/pkg/text.py::slugify", "tests/test_x.py")
    with pytest.raises(InputError, match="no such test file or folder; write paths with /"):
        opened(tmp_path, "src/pkg/text.py::slugify", "tests\\test_x.py")


def test_a_target_that_passes_already(tmp_path: Path) -> None:
    make_project(tmp_path)
    with (
        opened(tmp_path, "src/pkg/text.py::shout", "tests/test_text.py::test_shout") as tests,
        pytest.raises(InputError, match="passes its only test already; there is nothing to solve"),
    ):
        tests.prepare()
    with (
        opened(tmp_path, "src/pkg/text.py::shout", "tests/test_text.py") as tests,
        pytest.raises(InputError, match="passes its only test already; there is nothing to solve"),
    ):
        tests.prepare(only_reaching=True)  # others in its file fail


def test_an_interpreter_without_pytest_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a working Python interpreter"):
        find_interpreter(tmp_path, str(tmp_path / "python"))
    (tmp_path / "python").write_text("#!/bin/sh\necho '{}'\n")
    (tmp_path / "python").chmod(0o755)
    with pytest.raises(InputError, match=r"interpreter \(its answer cannot be read\)"):
        find_interpreter(tmp_path, str(tmp_path / "python"))


def test_an_interpreter_may_be_a_name_or_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, here = tmp_path / "project", tmp_path / "here"
    for folder in (root, here):
        folder.mkdir()
        (folder / "py").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        (folder / "py").chmod(0o755)
    monkeypatch.setenv("PATH", f"{here}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    for stated, path in (("here/py", here), ("py", here), ("./py", root)):
        assert find_interpreter(root, stated).path == str(path / "py")
