"""The rule by which a sample may share a process with others before it and after it.

It is read from the compiled program, in the sample's process, before anything of it runs. A program is acceptable if
nothing that it does can outlast its own namespace:

- it imports only modules listed in `SHAREABLE`, and uses of them only the names listed there, all of which are
  functions and types without a state of their own;
- it sets and deletes no attributes, defines no classes, and is not asynchronous;
- it uses no name that begins with an underscore (`__name__` apart), none of frames, code and tracebacks, and none of
  the built-ins that reach names, attributes, files or the interpreter.

A whole program that is to run test after test in one process may also read and print by `input`, `print`, `sys.stdin`
and `sys.stdout`, leave by `exit`, and set the recursion limit; all of these are new for every test.

Names are refused wherever they are used as globals or attributes, so that an alias does not help. What is not
acceptable is judged in a process of its own, and so is every acceptable sample that does not end as passed, failed or
error.
"""

from __future__ import annotations

import dis
import importlib
from collections.abc import Iterator
from types import CodeType
from typing import NamedTuple

_MODULES = """
    bisect: bisect bisect_left bisect_right insort insort_left insort_right
    collections: ChainMap Counter OrderedDict defaultdict deque namedtuple
    copy: copy deepcopy
    functools: cache cmp_to_key lru_cache partial reduce
    heapq: heapify heappop heappush heappushpop heapreplace merge nlargest nsmallest
    itertools: *
    math: *
    operator: abs add and_ concat contains eq floordiv ge gt index indexOf inv itemgetter le lshift lt mod mul ne neg
    operator: not_ or_ pos pow rshift sub truediv xor
    re: A ASCII DOTALL I IGNORECASE M MULTILINE S VERBOSE X escape findall finditer fullmatch match search split sub
    re: subn
    string: ascii_letters ascii_lowercase ascii_uppercase capwords digits hexdigits octdigits printable punctuation
    string: whitespace
    typing: Any Callable Collection Counter DefaultDict Deque Dict FrozenSet Generator Iterable Iterator List Mapping
    typing: MutableMapping NoReturn Optional OrderedDict Sequence Set Text Tuple Type Union
"""
_BUILTINS = """
    breakpoint classmethod compile copyright credits delattr dir eval exec exit getattr globals hasattr help input
    license locals memoryview object open property quit register setattr staticmethod super vars
"""


def _listed() -> dict[str, set[str]]:
    listed: dict[str, set[str]] = {}
    for line in _MODULES.strip().splitlines():
        module, _, names = line.strip().partition(":")
        listed.setdefault(module, set()).update(names.split())
    return listed


#: module -> what acceptable programs may use of it; `*` is everything
SHAREABLE = _listed()
#: built-ins that reach names, attributes, files or the interpreter, and what enters abstract classes' own lists
REFUSED_BUILTINS = frozenset(_BUILTINS.split())
#: of generators, coroutines, frames, tracebacks and code
REFUSED_PREFIXES = ("_", "gi_", "ag_", "cr_", "f_", "tb_", "co_")
UNDERSCORED = frozenset(("_", "__name__"))
REFUSED_OPERATIONS = frozenset(
    dis.opmap[name] for name in ("STORE_ATTR", "DELETE_ATTR", "LOAD_BUILD_CLASS", "IMPORT_STAR") if name in dis.opmap
)
IMPORT_NAME, IMPORT_FROM = dis.opmap["IMPORT_NAME"], dis.opmap["IMPORT_FROM"]
INTRINSIC = dis.opmap.get("CALL_INTRINSIC_1", -1)
IMPORTS = frozenset((IMPORT_NAME, INTRINSIC))
IMPORTING = IMPORTS | {IMPORT_FROM}
#: CO_COROUTINE, CO_ITERABLE_COROUTINE, CO_ASYNC_GENERATOR
ASYNCHRONOUS = 0x80 | 0x100 | 0x200
MOST_BYTES = 1 << 16


class Rule(NamedTuple):
    """What acceptable programs may import, and names that they may not use."""

    shareable: dict[str, set[str]]
    refused: frozenset[str]


def _rule(shareable: dict[str, set[str]], builtins: frozenset[str]) -> Rule:
    """All names of the shareable modules that are not listed are refused, and some built-ins."""
    refused: set[str] = set()
    listed: set[str] = set()
    for module, names in shareable.items():
        if "*" not in names:
            refused |= set(dir(importlib.import_module(module))) - names
            listed |= names
    # A submodule is an attribute only once something has imported it.
    return Rule(shareable, frozenset(refused - listed - shareable.keys() - UNDERSCORED | builtins | {"abc"}))


#: for functions that share a process with other samples' functions
FUNCTIONS = _rule(SHAREABLE, REFUSED_BUILTINS)
#: for programs that share a process only with themselves, once per test; `sys` is what they read and print by
PROGRAMS = _rule(
    SHAREABLE | {"sys": {"exit", "maxsize", "setrecursionlimit", "stdin", "stdout"}},
    REFUSED_BUILTINS - {"exit", "input", "quit"},
)


def objection(code: CodeType, rule: Rule = FUNCTIONS) -> str:
    """Why a compiled program may not share a process; an empty string if it may."""
    if not rule.refused.isdisjoint(code.co_names):
        return f"uses {min(rule.refused.intersection(code.co_names))}"
    for name in code.co_names:
        if name.startswith(REFUSED_PREFIXES) and name not in UNDERSCORED:
            return f"uses {name}"
    operations = set(code.co_code[::2])
    if code.co_flags & ASYNCHRONOUS or not REFUSED_OPERATIONS.isdisjoint(operations):
        return "sets attributes, defines classes, imports all names, or is asynchronous"
    if not IMPORTS.isdisjoint(operations) and not _imports_are_listed(code, rule.shareable):
        return "imports a module that is not listed"
    for constant in code.co_consts:
        if isinstance(constant, CodeType) and (why := objection(constant, rule)):
            return why
    return ""


def _imports_are_listed(code: CodeType, shareable: dict[str, set[str]]) -> bool:
    names: set[str] = set()
    for operation, argument in operations(code.co_code):
        if operation == IMPORT_NAME:
            module = code.co_names[argument]
            if module not in shareable:
                return False
            names = shareable[module]
        elif operation == INTRINSIC:
            if argument == IMPORT_STAR_INTRINSIC:
                return False
        elif "*" not in names and code.co_names[argument] not in names:
            return False
    return True


def operations(code: bytes) -> Iterator[tuple[int, int]]:
    """The operations of a byte code that matter here, with their arguments; `dis` would take many times as long."""
    extended = 0
    for place in range(0, len(code), 2):
        operation, argument = code[place], code[place + 1] | extended
        extended = argument << 8 if operation == dis.EXTENDED_ARG else 0
        if operation in IMPORTING:
            yield operation, argument


#: the number of `from module import *` among the intrinsic functions of CPython 3.12 and later
IMPORT_STAR_INTRINSIC = 2
