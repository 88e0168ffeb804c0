"""Taking programs out of answers, one kind of answer a case: a right program adds one, and a wrong one multiplies."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from isobudget.problems.problem import AssertList, Form, Problem, ProgramTests, PytestFile
from isobudget.prompts import extract
from support.extraction import fenced

HEAD = 'def f(x: int) -> int:\n    """add one\n    >>> f(1)\n    2\n    """\n'
RIGHT = "def f(x):\n    return x+1\n"
WRONG = "def f(x):\n    return x*100\n"
PROGRAM = "print(int(input())+1)\n"
FAR = "print(int(input())*100)\n"


def problem(head: str, entry_point: str = "f") -> Problem:
    """A problem that is asked as source where there is a head, else in words."""
    tests = AssertList(("assert f(1) == 2",)) if entry_point else ProgramTests(("1",), ("2",))
    return Problem("own/0", "own", head or "Add one.", entry_point, tests, form=Form.SOURCE if head else Form.TEXT)


def value(rule: str, text: str, head: str) -> object:
    """What f(1) is by the program taken out. The programs of these tests are our own."""
    extracted = extract(rule, problem(head), head, text)
    assert extracted.before + extracted.kept + extracted.after == text
    namespace: dict[str, object] = {"__name__": "solution"}
    exec(compile(extracted.program, "<program>", "exec"), namespace)
    return namespace["f"](1)  # type: ignore[operator]


def printed(rule: str, text: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the whole program taken out prints for the input 1."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("1\n"))
    program = extract(rule, problem("", ""), "", text).program
    with redirect_stdout(io.StringIO()) as output:
        exec(compile(program, "<program>", "exec"), {"__name__": "__main__"})
    return output.getvalue()


BODIES = {
    "docstring in other words": '"""Add one to x."""\n    return x+1\n',
    "long docstring in other words": '"""\n    Adds one, don\'t worry.\n\n    Returns: int\n    """\n    return x+1\n',
    "end of a docstring in other words": '    Adds one to the number.\n    """\n    return x+1\n',
    "other examples and the end of the docstring": '    >>> f(2)\n    3\n    """\n    return x+1\n',
    "docstring and body at column 0": '"""Add one."""\nreturn x+1\n',
    "first indentation lost": "y = x\n    return y+1\n",
    "first indentation lost before a loop": "for i in range(1):\n        x += 1\n    return x\n",
    "first indentation lost, a comment": "# add\ny = x\n    return y+1\n",
    "all indentation lost": "if x > 0:\n    return x+1\nreturn 2\n\nThis adds one.\n",
    "three spaces, then four": "   y = x\n    return y+1\n",
    "three spaces": "   if x:\n       return x+1\n   return 0\n",
    "three spaces and a helper": "   return g(x)\n\n\ndef g(x):\n    return x+1\n",
    "four spaces, then three": "    y = x\n   return y+1\n",
    "eight spaces": "        y = x\n        return y+1\n",
    "other blanks": "\xa0\xa0\xa0 return x+1\n",
    "a byte order mark": "\ufeff    return x+1\n",
    "in a fence": "Here:\n\n```python\n    return x+1\n```\nDone.",
    "in a fence, first indentation lost": "```python\ny = x\n    return y+1\n```\n",
    "in a fence, glued to its end": "~~~\n    return x+1~~~",
    "indented code of Markdown": "Here is the body:\n\n    return x+1\n\nIt adds one.",
    "table filled by a loop behind": "    return T[x]\n\n\nT = [0] * 9\nfor i in range(9):\n    T[i] = i + 1\n",
    "table filled by while": "    return T[x]\n\nT = {}\ni = 0\nwhile i < 10:\n    T[i] = i + 1\n    i += 1\n",
    "table filled by methods": "    return T[x]\n\nT = [0]\nT.append(2)\n",
    "table filled by a function": "    return T[x]\n\nT = {}\n\ndef fill():\n    T[1] = 2\n\nfill()\n",
    "table handed to a function": "    return T[x]\n\nT = {}\n\ndef fill(t):\n    t[1] = 2\n\nfill(T)\n",
    "several places of a table": "    return T[x]\n\nT = [0, 0]\nT[0], T[1] = 1, 2\n",
    "end token in a string": '    t = "<|im_end|>"\n    return x+1\n',
    "end token in a string of several lines": '    t = """\n<|im_end|>\n"""\n    return x+1\n',
}


@pytest.mark.parametrize("rule", ["function", "block"])
@pytest.mark.parametrize("text", BODIES.values(), ids=BODIES.keys())
def test_bodies(text: str, rule: str) -> None:
    assert value(rule, text, HEAD) == 2


@pytest.mark.parametrize("rule", ["function", "block"])
def test_a_body_under_a_head_without_docstring_may_be_indented_as_it_likes(rule: str) -> None:
    assert value(rule, "y = x\n  return y+1\n", "def f(x):\n") == 2


@pytest.mark.parametrize("rule", ["function", "block"])
def test_a_head_with_imports_in_its_body_says_nothing_by_itself(rule: str) -> None:
    assert value(rule, "y = x\n    return y+1\n", 'def f(x):\n    import math\n    """Add."""\n') == 2


END_TOKENS = [
    *(
        "<|im_end|>",
        "</s>",
        "<|endoftext|>",
        "<|eot_id|>",
        "<|end|>",
        "<|return|>",
        "<end_of_turn>",
        "<eos>",
        "[/INST]",
    ),
    *("<｜end▁of▁sentence｜>", " [end of text]", "<file_sep>", "</s></s>", "<|im_end|>\n<|im_start|>user\nthanks"),
    *("<|endoftext|>import os\nos.x()\n", "</s>\n<s>[INST] next", "</answer>"),
]


@pytest.mark.parametrize("token", END_TOKENS)
def test_end_tokens_glued_to_the_last_line(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for rule in ("function", "block"):
        assert value(rule, "    return x+1" + token, HEAD) == 2
        assert value(rule, RIGHT.rstrip() + token, "") == 2
        assert value(rule, fenced(RIGHT).rstrip() + token, "") == 2
        assert value(rule, "```python\n" + RIGHT.rstrip() + token, "") == 2
        assert printed(rule, PROGRAM.rstrip() + token, monkeypatch) == "2\n"
    if token != "</answer>":  # few-shot text has no tags
        assert printed("program", PROGRAM.rstrip() + token, monkeypatch) == "2\n"


THOUGHTS = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<Thought>", "</Thought>"),
    ("[THINK]", "[/THINK]"),
]
ANALYSIS, FINAL = "<|channel|>analysis<|message|>", "<|channel|>final<|message|>"
ANSWERS = {
    **{
        f"{opening} {kind}": text.replace("OPEN", opening).replace("CLOSE", closing)
        for opening, closing in THOUGHTS
        for kind, text in {
            "draft, then a block": f"OPEN\n{fenced(WRONG)}CLOSE\n{fenced(RIGHT)}",
            "draft, then code": f"OPEN\nit's\n{fenced(WRONG)}CLOSE\n{RIGHT}",
            "glued": f"OPENhm it's {fenced(WRONG)}noCLOSE{RIGHT}",
            "glued to a fence": f"OPENhm\n{fenced(WRONG)}noCLOSE{fenced(RIGHT)}",
            "begun in the prompt": f"hm\n{fenced(WRONG)}no.CLOSE\n{fenced(RIGHT)}",
            "with a fence that nothing closes": f"OPEN\n```python\n{WRONG}CLOSE\n{fenced(RIGHT)}",
            "behind the answer": f"{fenced(RIGHT)}OPEN\nright?\n{fenced(WRONG)}CLOSE\nYes.",
            "and a stray mark": f"OPEN\na\nCLOSE\n{fenced(RIGHT)}CLOSE<|im_end|>",
            "unfinished behind the answer": f"{fenced(RIGHT)}\nOPEN\n{fenced(WRONG)}",
        }.items()
    },
    "nested thoughts": f"<think>a\n<think>b</think>\n{fenced(WRONG)}</think>\n{fenced(RIGHT)}",
    "thought, answer, thought, answer": f"<think>a</think>\n{fenced(WRONG)}<think>no</think>\n{fenced(RIGHT)}",
    "thought that the answer's tag ends": f"<think>\n{fenced(WRONG)}\n<answer>{RIGHT.rstrip()}</answer>",
    "mark in a string": fenced('def f(x):\n    t = "</think>"\n    return x+1\n'),
    "marks in a pattern": fenced('def f(x):\n    t = r"<think>.*?</think>"\n    return x+1\n'),
    "mark in a comment": fenced("import math\n# strips </think>\ndef f(x):\n    return math.floor(x)+1\n"),
    "mark in a docstring": fenced('def f(x):\n    """Strip\n    </think>\n    """\n    return x+1\n'),
    "mark in code without a fence": "def f(x):\n    t = '</think>'\n    return x+1\n",
    "mark that prose quotes": fenced(RIGHT) + 'I closed with `</think>`, "</think>".\n',
    "channels": f"{ANALYSIS}it's {fenced(WRONG)}<|end|><|start|>assistant{FINAL}{RIGHT}<|return|>",
    "final channel only": f"<|start|>assistant{FINAL}{fenced(RIGHT)}",
    "constrained channel": f"{ANALYSIS}{WRONG}<|end|><|channel|>final <|constrain|>python<|message|>{fenced(RIGHT)}",
    "channels without their marks": f"analysisWe add.\n{fenced(WRONG)}assistantfinal{fenced(RIGHT)}",
    "channel mark in a string": fenced(f'def f(x):\n    t = "{FINAL}"\n    return x+1\n'),
    "end token in a string": fenced('def f(x):\n    t = "<|im_end|>"\n    return x+1\n') + "<|im_end|>",
    "role at the beginning": f"<|start_header_id|>assistant<|end_header_id|>\n\n{fenced(RIGHT)}<|eot_id|>",
    **{
        f"fence {info}": fenced(WRONG, "") + fenced(RIGHT, info) + fenced("f(2)\n", "")
        for info in (
            *("python:solution.py", "python,linenos", 'python title="a.py"', "{.python .numberLines}", "python3.11"),
            *("Python", " python", "solution.py", "python {hl=1}", "python=", "python-3", "py"),
        )
    },
    "tildes": fenced(WRONG, "") + fenced(RIGHT, "python", "~~~"),
    "indented fence": "1. Do\n\n   ```python\n   def f(x):\n       return x+1\n   ```\n",
    "indented code in a fence": "```python\n    def f(x):\n        return x+1\n```\n",
    "quoted fence": "> Here:\n>\n> ```python\n> def f(x):\n>     return x+1\n> ```\n",
    "nested fences": f"````markdown\n{fenced(RIGHT)}````\n",
    "nested fences of one length": f"```markdown\n{fenced(RIGHT)}```\n",
    "nested fences without a language": f"````\n{fenced(RIGHT, '')}````\n",
    "fence in a docstring": fenced('def f(x):\n    """\n    ```python\n    f(1)\n    ```\n    """\n    return x+1\n'),
    "fence that nothing closes": f"```python\n{WRONG}\nBetter:\n{fenced(RIGHT)}",
    "code glued to a fence": "```def f(x):\n    return x+1\n```",
    "code glued to a language": "```pythonimport math\ndef f(x):\n    return math.floor(x)+1\n```",
    "fence glued to code": "```python\ndef f(x):\n    return x+1```\nSee:\n```\nf(1)\n```",
    "one line": "Here:\n```python def f(x): return x+1```\nDone.",
    "byte order mark in a block": fenced("\ufeff" + RIGHT),
    "byte order mark before it": "Here:\n\ufeff" + RIGHT,
    "indented code": "Here it is:\n\n    def f(x):\n        return x+1\n\nDone.",
    "helper in an earlier block": fenced("def g(x):\n    return x+1\n") + fenced("def f(x):\n    return g(x)\n"),
    "helper in a later block": fenced("def f(x):\n    return g(x)\n") + fenced("def g(x):\n    return x+1\n"),
    "import in an earlier block": fenced("import math\n") + fenced("def f(x):\n    return math.floor(x)+1\n"),
    "helper of a helper": fenced("A = 1\n", "")
    + fenced("def g(x):\n    return x+A\n")
    + fenced("def f(x): return g(x)\n"),
    "helper beside a draft": fenced(f"def g(x):\n    return x+1\n\n{WRONG}") + fenced("def f(x):\n    return g(x)\n"),
    "table in an earlier block": fenced("T = {}\nfor i in range(9):\n    T[i] = i+1\n")
    + fenced("def f(x): return T[x]\n"),
    "table behind, in a block": fenced("def f(x):\n    return T[x]\nT = [0] * 9\nfor i in range(9):\n    T[i] = i+1\n"),
    "corrected in the same block": fenced(f"{WRONG}\n# Corrected version\n{RIGHT}"),
    "corrected behind a test": fenced(
        f"import math\n{WRONG}assert f(1) == 2\n\ndef f(x):\n    return math.floor(x)+1\n"
    ),
    "corrected without a language": fenced(WRONG) + "Oops:\n" + fenced(RIGHT, ""),
    "cached": fenced(f"from functools import cache\n{RIGHT}f = cache(f)\n"),
    "broken off at the end": fenced(RIGHT) + "Or:\n```python\ndef f(x):\n    y = x\n    for i in",
}


@pytest.mark.parametrize("rule", ["function", "block"])
@pytest.mark.parametrize("text", ANSWERS.values(), ids=ANSWERS.keys())
def test_answers(text: str, rule: str) -> None:
    assert value(rule, text, "") == 2
    assert value(rule, text, HEAD) == 2


@pytest.mark.parametrize("rule", ["function", "block"])
@pytest.mark.parametrize("end", ["", "<|im_end|>"])
@pytest.mark.parametrize("opening", [*(opening for opening, _ in THOUGHTS), ANALYSIS, "<|im_start|>assistant\n<think>"])
def test_an_unfinished_thought_holds_no_program(opening: str, end: str, rule: str) -> None:
    for draft in (fenced(WRONG), WRONG, PROGRAM):
        for head in ("", HEAD):
            extracted = extract(rule, problem(head), head, f"{opening}\nhm it's\n{draft}{end}")
            assert (extracted.program.strip(), extracted.kept.strip()) == (head.strip(), "")
        assert extract(rule, problem("", ""), "", f"{opening}\nhm\n{draft}{end}").program == ""


PROGRAMS = {
    "longer driver": fenced(PROGRAM)
    + fenced(
        "import subprocess\nfor i in range(10):\n    print(subprocess.run(['python'], input=str(i), text=True))\n"
    ),
    "longer draft": fenced(f"for i in range(10):\n    pass\n{FAR}") + "Simpler:\n" + fenced(PROGRAM),
    "longer tests": fenced(PROGRAM)
    + fenced("def test_a():\n    assert 1 + 1 == 2\n\ntest_a()\nprint('all is well')\n"),
    "driver with another input": fenced("def main():\n    print(int(input())+1)\n\nmain()\n")
    + fenced("import io, sys\nsys.stdin = io.StringIO('7')\nmain()\nprint('so much for that')\n"),
    "driver with a patched input": fenced(PROGRAM)
    + fenced("from unittest.mock import patch\nwith patch('builtins.input', return_value='3'):\n    print(input())\n"),
    "standard streams": fenced("import sys\nn = int(sys.stdin.readline())\nsys.stdout.write(f'{n+1}\\n')\n")
    + fenced("x = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\ny = sum(x) + sum(x) + sum(x) + sum(x)\nprint(x, y)\n"),
    "generator of inputs": fenced("def main():\n    print(int(input())+1)\n\nif __name__ == '__main__':\n    main()\n")
    + fenced("import random\nfor _ in range(100):\n    print(random.randint(1, 100), random.randint(1, 100))\n"),
    "in a class": fenced("class S:\n    def run(self):\n        print(int(input())+1)\n\nS().run()\n")
    + fenced("# words\ndef unrelated_and_longer_than_the_program_itself():\n    return 1234567890\n"),
    "in a lambda": fenced("run = lambda: print(int(input())+1)\nrun()\n")
    + fenced("print('a longer line of text, no more')\n"),
    "in two blocks": fenced("n = int(input())\n") + "Then print:\n" + fenced("print(n+1)\n"),
    "called in a second block": fenced("def main():\n    print(int(input())+1)\n") + "Call it:\n" + fenced("main()\n"),
    "excerpt behind": fenced(f"import sys\n{PROGRAM}") + "This\n" + fenced(PROGRAM) + "adds.\n",
    "sample input behind": fenced(PROGRAM) + "Input:\n" + fenced("4\n", "") + "Output:\n" + fenced("5\n", ""),
    "in prose": f"Here is the solution:\n\n{PROGRAM}\nThis reads a number.",
    "drafts in prose": f"First try:\n\n{FAR}\nBetter:\n\n{PROGRAM}",
    "prose that looks like code": f"Solution\nInput: 4\n\n{PROGRAM}\nNote: easy\n",
    "prose with an open bracket": f"Sorry :(\n\n{PROGRAM}\nDone.",
    "indented in prose": "Here is the solution:\n\n    n = int(input())\n    print(n+1)\n\nThis reads.",
    "indented in a fence": "```python\n    n = int(input())\n    print(n+1)\n```",
    "glued to fences": "```a, b = int(input()), 1\nprint(a+b)```",
    "one line": "```print(int(input())+1)```",
    "named fence": fenced(FAR, "") + fenced(PROGRAM, "python:main.py"),
    "behind a thought": f"<think>\n{fenced(FAR)}</think>\n{PROGRAM}",
}


@pytest.mark.parametrize("text", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_whole_programs(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert printed("block", text, monkeypatch) == "2\n"


def test_what_pytest_files_import_is_wanted_too() -> None:
    tests = PytestFile("from solution import Bad, f\n\ndef test():\n    assert f(1) == 2\n")
    code = "class Bad(Exception):\n    pass\n"
    for entry_point in ("f", ""):
        asked = Problem("own/0", "own", "Add.", entry_point, tests, form=Form.TEXT)
        text = fenced(RIGHT) + "and\n" + fenced(code) + "Try:\n" + fenced("import solution\n" * 9)
        program = extract("block", asked, "", text).program
        assert "class Bad" in program
        assert "def f" in program


def test_the_shared_cases(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for line in (shared_data.parent / "cases" / "judge" / "extraction.jsonl").read_text().splitlines():
        case = json.loads(line)
        if case["entry_point"]:
            assert value(case["rule"], case["text"], case["head"]) == 2, case["name"]
        else:
            assert printed(case["rule"], case["text"], monkeypatch) == "2\n", case["name"]
