"""The code that a benchmark's own judge runs before a program: imports, and a recursion limit.

NumPy is imported only if the program's text mentions it.
"""

from __future__ import annotations

_APPS = """
import bisect, collections, copy, fractions, functools, heapq, itertools, math, operator, random, re, string, sys, time
from collections import *
from functools import *
from itertools import *
from math import *
from bisect import *
from heapq import *
from typing import *
from builtins import *
"""
_LIVECODEBENCH = """
import bisect, collections, copy, datetime, functools, heapq, io, itertools, json, math, operator, random, re
import statistics, string, sys
from string import *
from re import *
from datetime import *
from collections import *
from heapq import *
from bisect import *
from copy import *
from math import *
from random import *
from statistics import *
from itertools import *
from functools import *
from operator import *
from io import *
from sys import *
from json import *
from builtins import *
from typing import *
sys.setrecursionlimit(50_000)
"""
_NUMPY = "import numpy\nimport numpy as np\n"
_NODES = """
class ListNode:
    def __init__(self, val=0, next=None):
        self.val, self.next = val, next
class TreeNode:
    def __init__(self, val=0, left=None, right=None):
        self.val, self.left, self.right = val, left, right
"""


def has_nodes(program: str) -> bool:
    """Whether a program uses LeetCode's classes for lists and trees."""
    return "ListNode" in program or "TreeNode" in program


def before(program: str, rules: str, *, calls: bool = False) -> str:
    """The code that runs before a program of a benchmark, in the program's namespace.

    Args:
        program: text of the program.
        rules: the benchmark's rules: `own`, `apps` or `livecodebench`.
        calls: whether the program's functions are called. With rules `own` and without calls, no code runs before the
            program.
    """
    if rules == "own" and not calls:
        return ""
    text = _LIVECODEBENCH if rules == "livecodebench" else _APPS
    return text + _NUMPY * ("np." in program or "numpy" in program) + _NODES * (calls and has_nodes(program))
