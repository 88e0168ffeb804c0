"""Lists and trees in LeetCode's notation: arguments become nodes for a program, and a program's nodes become lists.

A function's annotations say which arguments are nodes (`head: Optional[ListNode]`). A tree is written level by level,
with None for a missing child. Runs in the sample's process.
"""

from __future__ import annotations

from collections import deque
from typing import Any

MOST_NODES = 1_000_000


def call(function: Any, *arguments: Any) -> Any:
    """Call a function with nodes where its annotations ask for nodes, and return the result as plain data."""
    code = getattr(function, "__func__", function).__code__
    names = code.co_varnames[code.co_argcount - len(arguments) : code.co_argcount]
    notes = {name: str(note) for name, note in getattr(function, "__annotations__", {}).items()}
    space = getattr(function, "__func__", function).__globals__
    given = [_made(value, notes.get(name, ""), space) for name, value in zip(names, arguments, strict=False)]
    result = function(*given)
    for node, original in zip(given, arguments, strict=False):
        # What is changed in place is an answer, too.
        if hasattr(node, "val") and isinstance(original, list):
            original[:] = listed(node)
    asked = notes.get("return", "")
    if result is None and ("ListNode" in asked or "TreeNode" in asked):
        return []
    return listed(result)


def _made(value: Any, note: str, space: dict[str, Any]) -> Any:
    if not isinstance(value, list) or ("ListNode" not in note and "TreeNode" not in note):
        return value
    if "ist[" in note and value and all(isinstance(item, list) for item in value):
        return [_node(item, note, space) for item in value]
    return _node(value, note, space)


def _node(items: list[Any], note: str, space: dict[str, Any]) -> Any:
    if "TreeNode" in note:
        return _tree(items, space["TreeNode"])
    head = None
    for item in reversed(items):
        head = space["ListNode"](item, head)
    return head


def _tree(items: list[Any], kind: Any) -> Any:
    if not items or items[0] is None:
        return None
    root = kind(items[0])
    rest, waiting = deque(items[1:]), deque([root])
    while rest and waiting:
        node = waiting.popleft()
        for side in ("left", "right"):
            if rest and (item := rest.popleft()) is not None:
                child = kind(item)
                setattr(node, side, child)
                waiting.append(child)
    return root


def listed(value: Any) -> Any:
    """Nodes in LeetCode's notation; any other value unchanged."""
    if isinstance(value, list):
        return [listed(item) for item in value]
    if hasattr(value, "val") and hasattr(value, "next"):
        items: list[Any] = []
        while value is not None and len(items) < MOST_NODES:
            items.append(value.val)
            value = value.next
        return items
    if hasattr(value, "val") and hasattr(value, "left") and hasattr(value, "right"):
        return _levels(value)
    return value


def _levels(root: Any) -> list[Any]:
    items: list[Any] = []
    waiting = deque([root])
    while waiting and len(items) < MOST_NODES:
        node = waiting.popleft()
        items.append(None if node is None else node.val)
        if node is not None:
            waiting.extend((node.left, node.right))
    while items and items[-1] is None:
        items.pop()
    return items
