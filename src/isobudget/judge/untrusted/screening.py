"""The rule by which a whole program may run all its tests in one process, one after another.

The rule is applied to the compiled program, in the sample's process, before any of the program runs. A program is
acceptable if no effect of it can outlast its own namespace:

- it imports only modules listed in `SHAREABLE`, and uses only the names that `SHAREABLE` lists for them. Apart from
  those of `sys`, these names are functions, types and constants without state of their own;
- it sets and deletes no attributes, defines no classes, and is not asynchronous;
- it uses no name that begins with an underscore (except `_` and `__name__`), no attribute of generators, coroutines,
  frames, tracebacks or code, and no built-in that reaches names, attributes, files or the interpreter.

A program may read and print by `input`, `print`, `sys.stdin` and `sys.stdout`, leave by `exit`, and set the recursion
limit: streams and limit are new for every test. Names are refused wherever they are used as globals or attributes, so
that an alias does not help. A program that is not acceptable gets a process for every test. So does an acceptable
program if its verdict in one process does not count (see `judge.trusted.one_process`). The process serves one sample
only: a program that evades the rule can affect its own later tests and nothing else.
"""

from __future__ import annotations

import dis
import importlib
from collections.abc import Iterator
from types import CodeType

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
    sys: exit maxsize setrecursionlimit stdin stdout
    typing: Any Callable Collection Counter DefaultDict Deque Dict FrozenSet Generator Iterable Iterator List Mapping
    typing: MutableMapping NoReturn Optional OrderedDict Sequence Set Text Tuple Type Union
"""
_BUILTINS = """
    breakpoint classmethod compile copyright credits delattr dir eval exec detach getattr globals hasattr help
    license locals memoryview object open property raw register setattr staticmethod super vars
"""


def _listed() -> dict[str, set[str]]:
    listed: dict[str, set[str]] = {}
    for line in _MODULES.strip().splitlines():
        module, _, names = line.strip().partition(":")
        listed.setdefault(module, set()).update(names.split())
    return listed


#: module -> what acceptable programs may use of it; `*` is everything
SHAREABLE = _listed()
#: built-ins that reach names, attributes, files or the interpreter; attributes that reach the streams' own buffers; and
#: `register` of abstract classes
REFUSED_BUILTINS = frozenset(_BUILTINS.split())
#: beginnings of private names, and of the attributes of generators, coroutines, frames, tracebacks and code
REFUSED_PREFIXES = ("_", "gi_", "ag_", "cr_", "f_", "tb_", "co_")
UNDERSCORED = frozenset(("_", "__name__"))
_REFUSED_OPERATIONS = ("STORE_ATTR", "DELETE_ATTR", "LOAD_BUILD_CLASS", "IMPORT_STAR", "MATCH_CLASS")
REFUSED_OPERATIONS = frozenset(dis.opmap[name] for name in _REFUSED_OPERATIONS if name in dis.opmap)
IMPORT_NAME, IMPORT_FROM = dis.opmap["IMPORT_NAME"], dis.opmap["IMPORT_FROM"]
INTRINSIC = dis.opmap.get("CALL_INTRINSIC_1", -1)
IMPORTS = frozenset((IMPORT_NAME, INTRINSIC))
IMPORTING = IMPORTS | {IMPORT_FROM}
#: CO_COROUTINE, CO_ITERABLE_COROUTINE, CO_ASYNC_GENERATOR
ASYNCHRONOUS = 0x80 | 0x100 | 0x200
MOST_BYTES = 1 << 16


def _refused() -> frozenset[str]:
    """The names that no program may use: unlisted names of the shareable modules, and some built-ins."""
    refused: set[str] = set()
    listed: set[str] = set()
    for module, names in SHAREABLE.items():
        if "*" not in names:
            refused |= set(dir(importlib.import_module(module))) - names
            listed |= names
    # A submodule is an attribute only once something has imported it.
    return frozenset(refused - listed - SHAREABLE.keys() - UNDERSCORED | REFUSED_BUILTINS | {"abc"})


REFUSED = _refused()


def objection(code: CodeType) -> str:
    """Why a compiled program may not run its tests in one process; an empty string if it may."""
    if not REFUSED.isdisjoint(code.co_names):
        return f"uses {min(REFUSED.intersection(code.co_names))}"
    for name in code.co_names:
        if name.startswith(REFUSED_PREFIXES) and name not in UNDERSCORED:
            return f"uses {name}"
    operations = set(code.co_code[::2])
    if code.co_flags & ASYNCHRONOUS or not REFUSED_OPERATIONS.isdisjoint(operations):
        return "sets attributes, defines or matches classes, imports all names, or is asynchronous"
    if not IMPORTS.isdisjoint(operations) and not _imports_are_listed(code):
        return "imports a module that is not listed"
    for constant in code.co_consts:
        if isinstance(constant, CodeType) and (why := objection(constant)):
            return why
    return ""


def _imports_are_listed(code: CodeType) -> bool:
    names: set[str] = set()
    for operation, argument in operations(code.co_code):
        if operation == IMPORT_NAME:
            module = code.co_names[argument]
            if module not in SHAREABLE:
                return False
            names = SHAREABLE[module]
        elif operation == INTRINSIC:
            if argument == IMPORT_STAR_INTRINSIC:
                return False
        elif "*" not in names and code.co_names[argument] not in names:
            return False
    return True


def operations(code: bytes) -> Iterator[tuple[int, int]]:
    """The import operations in bytecode, with their arguments; much faster than `dis`."""
    extended = 0
    for place in range(0, len(code), 2):
        operation, argument = code[place], code[place + 1] | extended
        extended = argument << 8 if operation == dis.EXTENDED_ARG else 0
        if operation in IMPORTING:
            yield operation, argument


#: the number of `from module import *` among the intrinsic functions of CPython 3.12 and later
IMPORT_STAR_INTRINSIC = 2
