"""Answers of servers as people report them, for `BadServer`'s script: right ones in forms that are easily misread."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

GOOD = "```python\ndef add(a, b):\n    return a + b\n```"
BAD = "```python\ndef add(a, b):\n    return a - b\n```"

Answer = tuple[int, dict[str, str], str]
Mode = Callable[[int, dict[str, Any]], Answer]


def usage(prompt: Any, completion: Any, **more: Any) -> dict[str, Any]:
    """In OpenAI's form, with the right total unless `more` says otherwise."""
    return {"prompt_tokens": prompt, "completion_tokens": completion, **more}


def chat(content: Any = GOOD, *, finish: Any = "stop", used: Any = None, top: Any = None, **message: Any) -> Answer:
    """One choice in the chat call's form; `...` as content leaves the key out."""
    said = {"role": "assistant", "content": content, **message}
    if content is ...:
        del said["content"]
    choice = {"index": 0, "finish_reason": finish, "message": said, "logprobs": None}
    answer = {"choices": [choice], "usage": usage(50, 20) if used is None else used, **(top or {})}
    return 200, {}, json.dumps(answer)


def refuse(message: str, status: int = 400, **more: Any) -> Answer:
    """An error in OpenAI's form."""
    return status, {}, json.dumps({"error": {"message": message, "type": "invalid_request_error", **more}})


def refusing(field: str, message: str = "", status: int = 400, then: Mode | None = None) -> Mode:
    """A server that refuses a field, by name unless another message is given, and otherwise answers well."""

    def answer(number: int, body: dict[str, Any]) -> Answer:
        if field in body:
            return refuse(message or f"Unsupported parameter: '{field}' is not supported with this model.", status)
        return then(number, body) if then else chat()

    return answer
