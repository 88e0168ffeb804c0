"""OpenAI's responses API on top of chat: a request becomes a chat, and the chat's answer a response. Pure.

Text (`input`, `instructions`), the sampling fields that chat also has, and the field `isobudget` are accepted. Not
covered, and refused by name: streams, tools, images, files, conversations stored on the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isobudget.gateway.asked import check_known
from isobudget.gateway.faults import RefusedRequestError, bad_request

#: field of a response -> the same field of a chat
_RENAMED = {"input": "messages", "max_output_tokens": "max_tokens"}
_SAME = ("model", "temperature", "top_p", "user", "metadata", "store", "isobudget")
#: values with which a field requests nothing, so that it is ignored
_IDLE: Mapping[str, tuple[Any, ...]] = {
    "stream": (False,),
    "tools": ([],),
    "tool_choice": ("auto", "none"),
    "parallel_tool_calls": (True, False),
    "background": (False,),
    "truncation": ("disabled",),
    "include": ([],),
    "text": ({"format": {"type": "text"}},),
}
_ROLES = ("user", "assistant", "system", "developer")
_TEXTS = ("input_text", "output_text", "text")
#: known fields of messages and of their parts, including those of earlier answers, which clients send back
_OF_MESSAGES = frozenset({"type", "role", "content", "id", "status", "phase"})
_OF_PARTS = frozenset({"type", "text", "annotations", "logprobs"})


def as_chat(body: Any) -> dict[str, Any]:
    """The body of an equivalent chat request.

    Raises:
        RefusedRequestError: the body is not an object, or has a field that this API does not accept. Most
            values are checked later, when the chat is read.
    """
    if not isinstance(body, dict):
        raise bad_request("the body must be a JSON object")
    for name, value in body.items():
        idle = value is None or value in _IDLE.get(name, ())
        if not idle and name not in (*_SAME, *_RENAMED, "instructions"):
            said = f"the field {str(name)[:80]!r} is not accepted by /v1/responses; use /v1/chat/completions"
            raise bad_request(said, str(name)[:80], "unsupported_parameter")
    made = {name: body[name] for name in _SAME if body.get(name) is not None}
    if body.get("max_output_tokens") is not None:
        made["max_tokens"] = body["max_output_tokens"]
    instructions = body.get("instructions")
    first = [] if instructions is None else [{"role": "system", "content": instructions}]
    return made | {"messages": [*first, *_messages(body.get("input"))]}


def _messages(given: Any) -> list[dict[str, Any]]:
    if isinstance(given, str) and given:
        return [{"role": "user", "content": given}]
    if not isinstance(given, list) or not given:
        raise bad_request("input must be a string or a list of messages", "input")
    return [_message(one, f"input.{at}") for at, one in enumerate(given)]


def _message(one: Any, place: str) -> dict[str, Any]:
    if not isinstance(one, dict) or one.get("type", "message") != "message" or one.get("role") not in _ROLES:
        raise bad_request(f"{place}: only messages of {', '.join(_ROLES)} are accepted", place)
    check_known(one, _OF_MESSAGES, place)
    content = one.get("content")
    if isinstance(content, list):
        known = all(isinstance(part, dict) and part.get("type") in _TEXTS for part in content)
        if not known:
            raise bad_request(f"{place}: only text is accepted; the cost of images and files cannot be bounded", place)
        for part in content:
            check_known(part, _OF_PARTS, place)
        content = [{"type": "text", "text": part.get("text")} for part in content]
    return {"role": one["role"], "content": content}


def renamed(error: RefusedRequestError) -> RefusedRequestError:
    """An error of a chat request, with `param` renamed to the field of the responses API."""
    for name, there in _RENAMED.items():
        if error.param is not None and error.param.partition(".")[0] == there:
            error.param = name + error.param.removeprefix(there)
    return error


def as_response(chat: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of a chat as a response; each choice becomes a message."""
    cut = any(one.get("finish_reason") == "length" for one in chat["choices"])
    usage = chat.get("usage") or {}
    made = {
        "id": f"resp_{chat.get('id')}",
        "object": "response",
        "created_at": chat.get("created"),
        "model": chat.get("model"),
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "error": None,
        "output": [_output(one, at, chat.get("id")) for at, one in enumerate(chat["choices"])],
        "usage": {
            "input_tokens": usage.get("prompt_tokens"),
            "input_tokens_details": {"cached_tokens": _detail(usage, "prompt", "cached")},
            "output_tokens": usage.get("completion_tokens"),
            "output_tokens_details": {"reasoning_tokens": _detail(usage, "completion", "reasoning")},
            "total_tokens": usage.get("total_tokens"),
        },
        **{"tools": [], "tool_choice": "none", "parallel_tool_calls": False},
    }
    return made | {"isobudget": chat["isobudget"]}


def _detail(usage: Mapping[str, Any], of: str, kind: str) -> int:
    """A detailed token count as the model states it; 0 if it states none, because the API requires a number."""
    details = usage.get(f"{of}_tokens_details")
    count = details.get(f"{kind}_tokens") if isinstance(details, dict) else None
    return count if isinstance(count, int) else 0


def _output(choice: Mapping[str, Any], at: int, name: Any) -> dict[str, Any]:
    message = choice.get("message")
    text = message.get("content") if isinstance(message, dict) else None
    content = {"type": "output_text", "text": text if isinstance(text, str) else "", "annotations": []}
    return {
        **{"type": "message", "id": f"msg_{name}_{at}", "role": "assistant", "content": [content]},
        "status": "incomplete" if choice.get("finish_reason") == "length" else "completed",
    }
