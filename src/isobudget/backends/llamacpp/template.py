"""A conversation put into a model's own template, which its GGUF file holds: a text in Jinja's language. Pure.

Templates come with weights from strangers, so they run in Jinja's sandbox, with the settings and functions that
templates of the Hugging Face hub are written for.

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
    """The text that the model is given to answer; `names` are those of the special tokens that templates ask for, such
    as ``bos_token``.

    Raises:
        BackendError: the template is not a template or refuses the conversation.
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
    """Jinja's own filter writes for web pages: it would escape signs that a prompt must keep."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: str) -> NoReturn:
    from jinja2 import TemplateError

    raise TemplateError(message)


def _now(form: str) -> str:
    return datetime.datetime.now(datetime.UTC).strftime(form)
