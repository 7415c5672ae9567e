"""What a form sends, as much of it as a page could have meant."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.requests import Request

from drystone.l80_governance.dependencies.errors import QuestionUnclear

MOST_BYTES = 20_000
MOST_FIELDS = 100


async def fields(request: Request) -> list[tuple[str, str]]:
    """Read the fields of a form.

    Raises:
        QuestionUnclear: It is too much, or no form.
    """
    read = b""
    async for piece in request.stream():
        read += piece
        if len(read) > MOST_BYTES:
            raise QuestionUnclear(f"the form sends more than {MOST_BYTES:,} bytes")
    try:
        return parse_qsl(read.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError as e:
        raise QuestionUnclear("what was sent is no form that this page has") from e
