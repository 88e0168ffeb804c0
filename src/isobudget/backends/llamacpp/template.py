"""Puts a conversation into a model's own chat template, a Jinja text in its GGUF file. Pure.

Templates come with untrusted weights, so they run in Jinja's sandbox, with the settings and functions that templates on
the Hugging Face Hub expect.

Source: transformers' documentation on writing chat templates. Not covered: tools, images.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from typing import Any, NoReturn

from isobudget.backends.base import Chat
from isobudget.errors import BackendError


def render_conversation(template: str, chat: Chat, names: Mapping[str, str]) -> str:
    """The text that the model is given to answer.

    Args:
        template: the model's chat template.
        chat: the conversation.
        names: texts of special tokens, by the names that templates use for them, such as ``bos_token``.

    Raises:
        BackendError: the template is not valid, or refuses the conversation.
    """
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = _to_json
    environment.globals |= {"raise_exception": _refuse, "strftime_now": _now}
    try:
        render = environment.from_string(template).render
        return render(messages=chat.as_dicts(), add_generation_prompt=True, **names)
    except (jinja2.TemplateError, TypeError, ValueError, LookupError, ArithmeticError, RecursionError) as error:
        raise BackendError(f"the model's template refuses the conversation: {error}") from None


def _to_json(value: Any, indent: int | None = None, **_: Any) -> str:
    """A value as JSON.

    Jinja's own filter is meant for web pages: it would escape characters that a prompt must keep.
    """
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: str) -> NoReturn:
    from jinja2 import TemplateError

    raise TemplateError(message)


def _now(form: str) -> str:
    return datetime.datetime.now(datetime.UTC).strftime(form)
