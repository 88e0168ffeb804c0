"""Reads and checks a request once: messages, sampling, tests, budget, policy.

Fields whose cost cannot be bounded (images, audio, searches, predictions) are refused. Unknown fields are refused too,
including those in messages and their parts: only listed fields are passed through. The setting `fields` extends the
list.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from isobudget.backends.base import Chat, Message, Prompt, Sampling
from isobudget.backends.server.faults import UnsendableError, check_sendable
from isobudget.backends.settings import STRICT
from isobudget.errors import InputError
from isobudget.files.field_errors import field_message
from isobudget.files.hints import unknown_key
from isobudget.files.values import is_number, is_whole
from isobudget.gateway.budgets import Period, PeriodBudget, parse_period_budget
from isobudget.gateway.faults import bad_request
from isobudget.gateway.settings import ServeSettings
from isobudget.problems.given import given_problem
from isobudget.problems.problem import Problem

#: what the names of policies begin with
PREFIX = "isobudget/"
_SHARED = {
    *("model", "stream", "stream_options", "temperature", "top_p", "max_tokens", "max_completion_tokens", "stop"),
    *("seed", "n", "user", "isobudget", "metadata", "store"),
}
_OF_MODELS = {"logit_bias", "presence_penalty", "frequency_penalty", "logprobs", "top_k", "min_p", "repetition_penalty"}
_OF_CHAT = {"response_format", "tools", "tool_choice", "parallel_tool_calls", "top_logprobs", "reasoning_effort"}
_OF_COMPLETIONS = {"suffix", "echo"}
_OF_MESSAGES = {"role", "content", "name", "tool_calls", "tool_call_id", "function_call", "refusal", "annotations"}
_OF_MESSAGES |= {"reasoning", "reasoning_content", "reasoning_details", "thinking_blocks"}
_OF_PARTS = {"type", "text", "annotations"}
#: types of tools that the client runs; for other tools a server charges more than the tokens
_TOOLS = ("function", "custom")
_IDLE: tuple[Any, ...] = (None, False, "", [], {})
#: a block of tests; as in Markdown, a block without a closing fence extends to the end
_TESTS_BLOCK = re.compile(
    r"^ {0,3}(`{3,}|~{3,})[ \t]*(?:python[ \t]+)?tests[ \t]*\r?\n(.*?)(?:^ {0,3}\1[`~]*[ \t]*\r?$|\Z)", re.M | re.S
)
_ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_MOST_STOPS, _MOST_SEED = 64, 2**31


class Options(BaseModel):
    """The field `isobudget` of a request.

    Attributes:
        tests: source (asserts, `check(candidate)`, pytest) or an object with fields such as inputs and outputs.
        entry_point: the function under test.
        budget: budget of this request, such as `0.01usd`.
        policy: name of a policy to use; the request's field `model` then has no effect.
        ranker: how to choose among samples without tests.
        samples: maximum number of samples to draw.
        return_: `first_pass`, or `all` to draw and return all samples.
        require_verified: return an error instead of an answer that did not pass.
    """

    model_config = STRICT | {"populate_by_name": False}

    tests: str | dict[str, Any] | None = None
    entry_point: Annotated[str, Field(max_length=200)] = ""
    budget: str | None = None
    policy: str | None = None
    ranker: Literal["votes", "likelihood", "order"] | None = None
    samples: Annotated[int, Field(ge=1)] | None = None
    return_: Annotated[Literal["first_pass", "all"], Field(alias="return")] = "first_pass"
    require_verified: bool = False


_OPTIONS = [one.alias or name for name, one in Options.model_fields.items()]
_TYPES_OF_OPTIONS = {
    "tests": "must be source code as one string, or an object with fields such as inputs and outputs",
    "budget": "must be a string with an amount and its unit, such as 0.01usd, 20000tokens, 1e15flops or 30s",
}


@dataclass(frozen=True, slots=True)
class GatewayRequest:
    """A parsed request.

    Attributes:
        chat: whether it is a chat request; else a completions request.
        model: the model as named in the request.
        prompt: text or conversation; None if only a server can interpret the messages, such as those with tools.
        sampling, seed: sampling settings.
        stream, include_usage: whether the answer is streamed, and whether it ends with the usage.
        options: the field `isobudget`.
        limits: budgets of this request.
        problem: the problem made from the tests; None without tests.
        body: the body to forward to a single server.
        prompt_bytes: size of everything that a server may count as prompt.
        choices: number of requested answers.
    """

    chat: bool
    model: str
    prompt: Prompt | None
    sampling: Sampling
    seed: int
    stream: bool
    include_usage: bool
    options: Options
    limits: tuple[PeriodBudget, ...]
    problem: Problem | None
    body: dict[str, Any] = field(repr=False)
    prompt_bytes: int = 0
    choices: int = 1

    @property
    def policy(self) -> str | None:
        """The name of the requested policy; None for a plain model."""
        if self.options.policy is not None:
            return self.options.policy
        return self.model.removeprefix(PREFIX) if self.model.startswith(PREFIX) else None


def read_request(body: Any, *, chat: bool, settings: ServeSettings) -> GatewayRequest:
    """Read a request's body. Reading long tests takes time, so do not call this on an event loop.

    Raises:
        RefusedRequestError: the body is wrong; the message and `param` say where.
    """
    if not isinstance(body, dict):
        raise bad_request("the body must be a JSON object")
    _check_sendable(body)
    options = _options(body.get("isobudget"))
    model = _text(body, "model")
    is_policy = model.startswith(PREFIX) or options.policy is not None
    _check_fields(body, chat, is_policy, settings.fields)
    stream_options = body.get("stream_options") or {}
    if not isinstance(stream_options, dict):
        raise bad_request("stream_options must be an object", "stream_options")
    prompt = _messages(body, settings.fields) if chat else _text(body, "prompt")
    if prompt is None and is_policy:
        raise bad_request(
            "a policy accepts only messages of text; send tools and their results to a single model", "messages"
        )
    tests = _tests(options, prompt, settings)
    if options.require_verified and tests is None:
        raise bad_request(
            "require_verified needs tests: state them in isobudget.tests, or in a block marked 'tests' in the last "
            "message",
            "isobudget.require_verified",
        )
    choices = _whole(body, "n", 1, 1, settings.samples)
    if is_policy and choices != 1:
        raise bad_request('a policy gives one answer; ask for all samples with isobudget.return = "all"', "n")
    sampling = _sampling(body, settings)
    return GatewayRequest(
        chat=chat,
        model=model,
        prompt=prompt,
        sampling=sampling,
        seed=_whole(body, "seed", 0, -_MOST_SEED, _MOST_SEED) % _MOST_SEED,
        stream=_flag(body, "stream"),
        include_usage=bool(stream_options.get("include_usage")),
        options=options,
        limits=_limits(options),
        problem=None if tests is None else _problem(tests, options, prompt),
        body=_handed_on(body, sampling),
        prompt_bytes=_prompt_bytes(body),
        choices=choices,
    )


def _check_sendable(body: Mapping[str, Any]) -> None:
    """Refuse names and values that JSON allows but that cannot be sent to a server: half a surrogate pair, 1e400."""
    for name, value in body.items():
        try:
            check_sendable({name: value})
        except UnsendableError as error:
            raise bad_request(f"{name[:80]!r}: {error}", name[:80]) from None


def _options(stated: Any) -> Options:
    try:
        return Options.model_validate({} if stated is None else stated)
    except ValidationError as error:
        first = error.errors()[0]
        # For a field of several types, the location continues with the type.
        place = ".".join(("isobudget", *map(str, first["loc"][:1])))
        raise bad_request(f"{place}: {_wrong_option(first)}", place) from None


def _wrong_option(error: Any) -> str:
    """The message for an error in the field `isobudget`: what is wrong, and which values are allowed."""
    if not error["loc"]:
        return f"must be an object; its fields are: {', '.join(_OPTIONS)}"
    name = str(error["loc"][0])
    if error["type"] == "extra_forbidden":
        return unknown_key(name, _OPTIONS)
    message = field_message(error)
    return _TYPES_OF_OPTIONS.get(name, message) if error["type"].endswith("_type") else message


def _check_fields(body: Mapping[str, Any], chat: bool, is_policy: bool, more: Sequence[str]) -> None:
    shared = _SHARED | {"messages" if chat else "prompt"}
    known = shared | _OF_MODELS | (_OF_CHAT if chat else _OF_COMPLETIONS) | set(more)
    for name in body:
        if name not in known:
            said = f"the field {str(name)[:80]!r} is not accepted by this endpoint"
            raise bad_request(said, str(name)[:80], "unknown_parameter")
        if is_policy and name not in shared and body[name] not in (None, False, [], {}):
            raise bad_request(f"{name} is accepted for a single model, not for a policy", name, "unsupported_parameter")
    tools = [] if body.get("tools") is None else body["tools"]
    if not isinstance(tools, list) or not all(isinstance(one, dict) and one.get("type") in _TOOLS for one in tools):
        types = " or ".join(map(repr, _TOOLS))
        raise bad_request(f"tools must be a list of tools of type {types}, because others cost extra", "tools")


def check_known(value: Mapping[str, Any], known: AbstractSet[str], place: str) -> None:
    """Refuse an unknown, non-empty field in a message or in a part of one."""
    for name in value:
        if name not in known and value[name] not in _IDLE:
            where = f"{place}.{str(name)[:80]}"
            raise bad_request(f"the field {where!r} is not accepted by this endpoint", where, "unknown_parameter")


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        where = "; GET /v1/models lists the models and policies" if name == "model" else ""
        raise bad_request(f"{name} must be a non-empty string{where}", name)
    return value


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name)
    if value not in (None, True, False):
        raise bad_request(f"{name} must be true or false", name)
    return bool(value)


def _whole(body: Mapping[str, Any], name: str, default: int, least: int, most: int) -> int:
    value = body.get(name)
    if value is None:
        return default
    if not is_whole(value, least, most):
        raise bad_request(f"{name} must be a whole number from {least} to {most}", name)
    return int(value)


def _number(body: Mapping[str, Any], name: str, default: float, least: float, most: float) -> float:
    value = body.get(name)
    if value is None:
        return default
    if not is_number(value, least) or value > most:
        raise bad_request(f"{name} must be a number from {least:g} to {most:g}", name)
    return float(value)


def _sampling(body: Mapping[str, Any], settings: ServeSettings) -> Sampling:
    stated = [name for name in ("max_completion_tokens", "max_tokens") if body.get(name) is not None]
    name = stated[0] if stated else "max_tokens"
    tokens = _whole(body, name, settings.max_tokens, 1, settings.most_tokens)
    stop = body.get("stop")
    stops = [stop] if isinstance(stop, str) else [] if stop is None else stop
    texts = isinstance(stops, list) and all(isinstance(one, str) and one for one in stops)
    if not texts or len(stops) > _MOST_STOPS:
        raise bad_request(f"stop must be a non-empty string, or a list of up to {_MOST_STOPS} of them", "stop")
    return Sampling(
        temperature=_number(body, "temperature", 0.7, 0, 10),
        top_p=_number(body, "top_p", 0.95, 1e-6, 1),
        max_tokens=tokens,
        stop=tuple(stops),
    )


def _messages(body: Mapping[str, Any], more: Sequence[str]) -> Chat | None:
    """The conversation; None if it contains parts that only a server can interpret."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(one, dict) for one in messages):
        raise bad_request("messages must be a non-empty list of objects with 'role' and 'content'", "messages")
    read = [_message(one, f"messages.{at}", more) for at, one in enumerate(messages)]
    plain = [one for one in read if one is not None]
    return Chat(tuple(plain)) if len(plain) == len(read) and not body.get("tools") else None


def _message(one: Mapping[str, Any], place: str, more: Sequence[str]) -> Message | None:
    role, content = one.get("role"), one.get("content")
    if role not in _ROLES:
        raise bad_request(f"{place}.role must be one of {', '.join(_ROLES)}", f"{place}.role")
    if isinstance(content, list):
        content = "\n".join(_text_of_part(part, place, more) for part in content)
    if content is not None and not isinstance(content, str):
        raise bad_request(f"{place}.content must be a string or a list of text parts", f"{place}.content")
    check_known(one, _OF_MESSAGES | set(more), place)
    if role in ("tool", "function") or one.get("tool_calls") or one.get("function_call") or content is None:
        return None
    return Message("system" if role == "developer" else role, content)


def _text_of_part(part: Any, place: str, more: Sequence[str]) -> str:
    text = part.get("text") if isinstance(part, dict) and part.get("type", "text") == "text" else None
    if not isinstance(text, str):
        raise bad_request(f"{place}: only text is accepted; the cost of images and audio cannot be bounded", place)
    check_known(part, _OF_PARTS | set(more), place)
    return text


def _tests(options: Options, prompt: Prompt | None, settings: ServeSettings) -> str | dict[str, Any] | None:
    tests = options.tests
    if tests is None and isinstance(prompt, Chat):
        blocks = _TESTS_BLOCK.findall(prompt.messages[-1].content)
        tests = blocks[-1][1] if blocks else None
    if tests is not None and len(str(tests)) > settings.tests_kb << 10:
        raise bad_request(f"tests may have at most {settings.tests_kb} kB", "isobudget.tests", "tests_too_long")
    return tests


def _problem(tests: str | dict[str, Any], options: Options, prompt: Prompt | None) -> Problem:
    try:
        return given_problem(
            tests, options.entry_point, task_id="this request", prompt=prompt if isinstance(prompt, str) else ""
        )
    except (InputError, RecursionError, MemoryError, ValueError, TypeError) as error:
        raise bad_request(f"{error or type(error).__name__}", "isobudget.tests") from None


def _limits(options: Options) -> tuple[PeriodBudget, ...]:
    if options.budget is None:
        return ()
    try:
        found = parse_period_budget(options.budget, Period.REQUEST)
    except InputError as error:
        raise bad_request(str(error), "isobudget.budget") from None
    if found.period is not Period.REQUEST:
        raise bad_request(
            "a request's budget is for that request only; write it without a period, such as 0.01usd",
            "isobudget.budget",
        )
    return (found,)


def _handed_on(body: Mapping[str, Any], sampling: Sampling) -> dict[str, Any]:
    """The body to forward to a single server: without isobudget's own fields, and always with a token limit."""
    ours = ("isobudget", "stream", "stream_options", "model", "store", "metadata", "user")
    made = {name: value for name, value in body.items() if name not in ours and value is not None}
    limit = "max_completion_tokens" if "max_completion_tokens" in made else "max_tokens"
    made.pop("max_tokens", None)
    return made | {limit: sampling.max_tokens}


def _prompt_bytes(body: Mapping[str, Any]) -> int:
    """An upper bound on the bytes of everything that a server may count as prompt.

    Tool schemas count three times, because templates write them with more spaces.
    """
    plain = {name: body[name] for name in ("messages", "prompt", "suffix") if name in body}
    schemas = {name: body[name] for name in ("tools", "response_format") if body.get(name)}
    count = len(body.get("messages") or ())
    size = len(json.dumps(plain, ensure_ascii=False).encode(errors="replace"))
    more = 3 * len(json.dumps(schemas, ensure_ascii=False).encode(errors="replace")) + 512 if schemas else 0
    return size + more + 16 * count
