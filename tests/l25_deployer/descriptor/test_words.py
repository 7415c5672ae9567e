"""Single values: what is accepted and what it means, what is refused, and that nothing dangerous gets through."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l00_kernel.durations import show_duration
from drystone.l00_kernel.yaml_text.scalars import resolve
from drystone.l00_kernel.yaml_text.tree import Scalar, Span
from drystone.l25_deployer.descriptor import quantities, references, words
from drystone.l25_deployer.descriptor.compiled import shape_of
from drystone.l25_deployer.descriptor.forms import Form, Mistake, Text
from drystone.l25_deployer.descriptor.quantities import show_size
from drystone.l25_deployer.descriptor.references import TemplateText
from drystone.l25_deployer.descriptor.shapes import Single

PLACE = Span(1, 1, 1, 2)
FREE = {"Words", "AlarmLine", "HeaderValue", "Cron", "Link", "Window"}
"""Texts that a shell would not take as one plain word; nothing but a person or their own engine reads them."""


def form_of(name: str) -> Form:
    shape = shape_of(
        getattr(words, name, None) or getattr(quantities, name, None) or getattr(references, name)
    )
    assert isinstance(shape, Single)
    return shape.form


def parse(name: str, text: str) -> Any:
    return form_of(name).parse(Scalar(PLACE, resolve(text), text))


def patterns() -> list[str]:
    return sorted(
        name
        for module in (words, quantities)
        for name, value in vars(module).items()
        if hasattr(value, "__metadata__") and isinstance(value.__metadata__[0], Text)
    )


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("Duration", "30s", timedelta(seconds=30)),
        ("Duration", "250ms", timedelta(milliseconds=250)),
        ("Duration", "0s", timedelta()),
        ("Duration", "1y", timedelta(days=365)),
        ("Size", "512Mi", 512 * 1024**2),
        ("Size", "1.5Gi", 1536 * 1024**2),
        ("Cpu", "500m", 0.5),
        ("Cpu", "2", 2.0),
        ("Cpu", "0.25", 0.25),
        ("Percent", "99.95%", pytest.approx(0.9995)),
        ("Rates", "100/s", quantities.Rate(100, timedelta(seconds=1))),
        ("RelativePath", "./dist/", "dist"),
        ("RelativePath", "a//b/./c", "a/b/c"),
        ("RelativePath", ".", "."),
        ("UrlPath", "/", "/"),
        ("UrlPath", "/a.b/c%20d?x=1&y=/..", "/a.b/c%20d?x=1&y=/.."),
        ("UrlPath", "/.well-known/health", "/.well-known/health"),
        ("Request", "POST /jobs/1", "POST /jobs/1"),
        ("MajorVersion", "18", "18"),
        ("Ari", "ari:cloud:commerce:orders:postgres/db", "ari:cloud:commerce:orders:postgres/db"),
        ("Image", "localhost:5000/a/b_c:${version}", "localhost:5000/a/b_c:${version}"),
        ("Image", "python", "python"),
        ("Image", "a/b@sha256:" + "0" * 64, "a/b@sha256:" + "0" * 64),
        ("Moment", "2030-01-31T09:00:00Z", "2030-01-31T09:00:00Z"),
        ("Window", "mon-fri 09:00-16:00 Australia/Sydney", "mon-fri 09:00-16:00 Australia/Sydney"),
        ("AlarmLine", "errors > 1% for 5m -> page", "errors > 1% for 5m -> page"),
        ("Words", "1.10", "1.10"),
    ],
)
def test_a_value_means_what_it_says(name: str, text: str, value: object) -> None:
    assert parse(name, text) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(
            ("Name", text)
            for text in (
                "",
                "A",
                "1a",
                "a_b",
                "a-",
                "-a",
                "a" * 41,
                "a b",
                "a\n",
                "ä",
                "a.b",
                "a/b",
            )
        ),
        *(("Variable", text) for text in ("a", "1A", "A-B", "A B", "A=B", "", "DRYSTONE_X", "A\n")),
        *(
            ("RelativePath", text)
            for text in (
                "..",
                "a/../b",
                "/etc",
                "~root",
                "a b",
                "a\\b",
                "a:b",
                "-x",
                "a\nb",
                "",
                "$x",
                "a;b",
            )
        ),
        *(
            ("UrlPath", text)
            for text in (
                "x",
                "//x",
                "/a//b",
                "/..",
                "/a/../b",
                "/a/.",
                "/a b",
                "/a\n",
                "/%00",
                "/%2e%2e/",
                "/%2f",
                "/a#b",
                "/<x>",
            )
        ),
        *(
            ("Request", text)
            for text in ("/x", "FETCH /x", "get /x", "GET x", "GET  /x", "GET /x HTTP/1.1")
        ),
        *(
            ("Host", text)
            for text in ("A.com", "a..b", "-a.com", "a.com/", "a_b.com", "a.com:80", "*", "a*.com")
        ),
        *(("HeaderName", text) for text in ("X Y", "X:", "", "Content-Length", "host", "X\n", "ü")),
        *(("HeaderValue", text) for text in ("", " x", "x ", "a\r\nSet-Cookie: x", "a\x00", "ü")),
        *(
            ("Duration", text)
            for text in ("5", "5 s", "-5s", "5S", "1h30m", "999999999999999y", "200y", "\u0665s")
        ),
        *(("Size", text) for text in ("5", "5MB", "5mi", "-5Mi", "1e3Mi")),
        *(("Cpu", text) for text in ("0", "-1", "2000", "1.", "m")),
        *(("Percent", text) for text in ("5", "101%", "-1%", "5 %")),
        *(
            ("Link", text)
            for text in (
                "javascript:alert(1)",
                "https://",
                "file:///etc/passwd",
                "https://a b",
                "data:x",
            )
        ),
        *(
            ("Image", text)
            for text in ("UPPER/x", "a b", "-x", "a:${", "a:b:c", "--privileged", "a;b", "")
        ),
        *(("Extension", text) for text in ("a b", 'a"', "a;drop", "A")),
        *(("Module", text) for text in ("os;x", "a..b", "a-b", ".a")),
        ("Ari", "ari:cloud:a:b:c/../d"),
        ("Pattern", "../*"),
        ("Zone", "../etc/passwd"),
        ("AlarmLine", "errors above 1%"),
    ],
)
def test_a_value_of_another_form_is_refused(name: str, text: str) -> None:
    with pytest.raises(Mistake):
        parse(name, text)


@pytest.mark.parametrize("name", patterns())
@given(
    text=st.text(max_size=30)
    | st.from_regex(r"[a-z]{1,5}[\x00-\x7f]{1,6}[a-z]{0,5}", fullmatch=True)
)
def test_no_form_lets_a_dangerous_character_through(name: str, text: str) -> None:
    try:
        parse(name, text)
    except Mistake:
        return
    assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u202e]", text) or name == "Words"
    assert "\x00" not in text
    if name not in FREE:
        has_blanks = name in ("Request", "Match", "Group")
        assert not re.search(r"[\s\"`\\<>|^{}]|\$\(|\.\./", text) or has_blanks


@pytest.mark.parametrize("name", [name for name in patterns() if name != "Words"])
def test_a_pattern_decides_quickly_whatever_it_is_given(name: str) -> None:
    form = form_of(name)
    assert isinstance(form, Text)
    assert form.pattern is not None
    for piece in ("a", "a-", "a.", "a/", "1", "/a", "%20", "A_", "a=", " ", "* "):
        for end in ("!\n", "", "."):
            re.fullmatch(
                form.pattern, piece * 3000 + end
            )  # the time limit of the test catches an explosion


@given(st.integers(min_value=0, max_value=10**9).map(lambda number: timedelta(milliseconds=number)))
def test_a_duration_is_shown_as_it_can_be_written(value: timedelta) -> None:
    assert parse("Duration", show_duration(value)) == value


@given(st.integers(min_value=1, max_value=10**9).map(lambda number: number * 1024))
def test_a_size_is_shown_as_it_can_be_written(value: int) -> None:
    assert parse("Size", show_size(value)) == value


@given(st.text(max_size=200))
def test_a_template_is_split_without_losing_anything(text: str) -> None:
    form = form_of("Serving")
    assert isinstance(form, TemplateText)
    try:
        found = references.parts(text)
    except Mistake:
        assert "${" in text
        return
    spelled = "".join(
        part.replace("${", "$${") if isinstance(part, str) else part.text() for part in found
    )
    assert spelled == text
