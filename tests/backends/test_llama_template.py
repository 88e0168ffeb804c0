"""Conversations in a model's own template: the shapes that templates take, and templates that do harm."""

from __future__ import annotations

import pytest

from isobudget.backends.base import Chat, Message
from isobudget.backends.llamacpp.template import render_conversation
from isobudget.errors import BackendError

ASKED = Chat((Message("system", "Be short."), Message("user", '1 < 2 & "é"?')))
NAMES = {"bos_token": "<s>", "eos_token": "</s>"}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        (
            "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + '\\n' }}"
            "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
            "<|im_start|>system\nBe short.<|im_end|>\n"
            '<|im_start|>user\n1 < 2 & "é"?<|im_end|>\n<|im_start|>assistant\n',
        ),
        (  # blocks on lines of their own leave no line ends and no indentation
            "{{ bos_token }}\n{% for m in messages %}\n    {% if m.role == 'user' %}\n[{{ m.content | trim }}]\n"
            "    {% endif %}\n{% endfor %}",
            '<s>\n[1 < 2 & "é"?]\n',
        ),
        (
            "{%- for m in messages %}{%- if m.role == 'user' %}{{ m.content }}{% break %}{%- endif %}{%- endfor %}",
            '1 < 2 & "é"?',
        ),
        ("{{ messages[1].content | tojson }}", '"1 < 2 & \\"é\\"?"'),
        ("{{ strftime_now('%Y') | length }}{{ eos_token }}", "4</s>"),
    ],
)
def test_templates_are_rendered(template: str, text: str) -> None:
    assert render_conversation(template, ASKED, NAMES) == text


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ raise_exception('System role not supported') }}", "System role not supported"),
        ("{% for %}", "Expected"),
        ("{{ messages[0]['content'].nothing.more }}", "nothing"),
        ("{{ messages.append(1) }}", "append|unsafe"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "unsafe|__class__"),
        ("{{ 1 / 0 }}", "division"),
        ("{{ range(99999999999) | list }}", "[Rr]ange"),
    ],
)
def test_a_template_that_refuses_or_does_harm_is_told(template: str, reason: str) -> None:
    with pytest.raises(BackendError, match=f"template refuses the conversation: .*({reason})"):
        render_conversation(template, ASKED, NAMES)
