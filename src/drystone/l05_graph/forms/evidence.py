"""Evidence as text: JSON lines that live in git beside the survey.

.. code-block:: json

    {"format": "drystone-evidence", "version": 1}
    {"source": "envoy-access-log", "digest": "5c1f…", "file": "access.log", "detail": "1m", "records": 9, "pairs": 1}
    {"caller": "shop", "callee": "users", "calls": 9, "errors": 1, "first": "2026-11-22T07:00:13Z", "last": "…",
     "sample": ["GET /users/*"], "from": "2026-11-22T07:00:00Z", "buckets": [[0, 5, 0], [3, 4, 1]]}

(The last is one line in the file.) A line for each batch is followed by one for each of its pairs. A bucket says how many
widths after ``from`` it is, how many calls there were and how many failed. The same evidence gives the same text, and a batch
that is added only adds lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from drystone.l05_graph.errors import MOST_SHOWN, Mistake, ModelInvalid
from drystone.l05_graph.evidence import Batch, Bucket, Detail, Evidence, Observation, merged
from drystone.l05_graph.ingest.reading import NO_JSON

FORMAT = "drystone-evidence"
VERSION = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Head(msgspec.Struct, forbid_unknown_fields=True):
    format: str
    version: int


class _Batch(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    source: str
    digest: str
    file: str = ""
    detail: Detail = Detail.MINUTE
    cumulative: bool = False
    records: int = 0
    skipped: int = 0
    pairs: int = 0


class _Pair(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    caller: str
    callee: str
    calls: int
    errors: int = 0
    first: datetime | None = None
    last: datetime | None = None
    sample: tuple[str, ...] = ()
    begin: datetime | None = msgspec.field(default=None, name="from")
    buckets: tuple[Bucket, ...] = ()


_any = msgspec.json.Decoder(dict[str, msgspec.Raw])


def dump(evidence: Evidence) -> str:
    """Write evidence so that :func:`read` gives the same."""
    encode = msgspec.json.Encoder().encode
    lines = [encode(_Head(FORMAT, VERSION))]
    for batch in evidence.batches:
        lines.append(
            encode(
                _Batch(
                    batch.source,
                    batch.digest,
                    batch.file,
                    batch.detail,
                    batch.cumulative,
                    batch.records,
                    batch.skipped,
                    len(batch.observations),
                )
            )
        )
        lines.extend(encode(_written(one, batch.detail)) for one in batch.observations)
    return b"\n".join([*lines, b""]).decode()


def _written(one: Observation, detail: Detail) -> _Pair:
    pair = _Pair(one.caller, one.callee, one.calls, one.errors, one.first, one.last, one.sample)
    width = detail.width
    if one.buckets and width is not None:
        first = one.buckets[0].number
        pair.begin = _EPOCH + first * width
        pair.buckets = tuple(Bucket(b.number - first, b.calls, b.errors) for b in one.buckets)
    return pair


def read(written: str | bytes, *, file: str = "evidence.jsonl") -> Evidence:
    """Read evidence.

    Args:
        written: The text.
        file: What to call it in messages.

    Raises:
        ModelInvalid: It has mistakes; the first of them are in it, each with its line.
    """
    reader = _Reader(file)
    content = written.encode("utf-8", "surrogatepass") if isinstance(written, str) else written
    for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        reader.take(line)
    return reader.result()


class _Reader:
    def __init__(self, file: str) -> None:
        self._file = file
        self._line = 0
        self._mistakes: list[Mistake] = []
        self._has_head = False
        self._batches: list[Batch] = []
        self._batch: _Batch | None = None
        self._observations: list[Observation] = []

    def take(self, line: bytes) -> None:
        self._line += 1
        if not line.strip() or len(self._mistakes) >= MOST_SHOWN:
            return
        try:
            keys = _any.decode(line)
            if "format" in keys:
                self._head(msgspec.json.decode(line, type=_Head))
            elif not self._has_head:
                self._refuse(f"the file does not begin with its format; is it {FORMAT}?")
            elif "source" in keys:
                self._close()
                self._batch = msgspec.json.decode(line, type=_Batch)
            else:
                self._pair(msgspec.json.decode(line, type=_Pair))
        except NO_JSON as error:
            self._refuse(f"the line is none of evidence: {error}")
        except OverflowError:
            self._refuse("a time lies beyond all calendars")

    def _refuse(self, message: str) -> None:
        self._mistakes.append(Mistake(message, f"{self._file}:{self._line}"))

    def _head(self, head: _Head) -> None:
        # A merge of two files by their lines may leave the first line there twice.
        self._has_head = True
        if (head.format, head.version) != (FORMAT, VERSION):
            self._refuse(
                f"expected format {FORMAT!r}, version {VERSION}; got {head.format!r}, {head.version}"
            )

    def _pair(self, pair: _Pair) -> None:
        if self._batch is None:
            self._refuse("a pair stands before any batch; each batch begins with its source")
            return
        what = _impossible(pair)
        if what:
            self._refuse(f"{pair.caller} → {pair.callee}: {what}")
            return
        self._observations.append(
            Observation(
                caller=pair.caller,
                callee=pair.callee,
                calls=pair.calls,
                errors=pair.errors,
                first=_in_utc(pair.first),
                last=_in_utc(pair.last),
                sample=pair.sample,
                buckets=tuple(_numbered(pair, self._batch.detail.width)),
            )
        )

    def _close(self) -> None:
        """Take the batch that ends here."""
        batch, found = self._batch, self._observations
        self._batch, self._observations = None, []
        if batch is None:
            return
        if batch.pairs != len(found):
            self._refuse(
                f"the batch of {batch.file or batch.source} before this line has {len(found)} of"
                f" {batch.pairs} pairs; take the file from before it was cut or changed"
            )
        self._batches.append(
            Batch(
                source=batch.source,
                digest=batch.digest,
                file=batch.file,
                detail=batch.detail,
                cumulative=batch.cumulative,
                records=batch.records,
                skipped=batch.skipped,
                observations=tuple(sorted(found, key=lambda one: (one.caller, one.callee))),
            )
        )

    def result(self) -> Evidence:
        if not self._mistakes:
            if not self._has_head:
                self._line = 1
                self._refuse(f"the file is empty; evidence begins with its format, {FORMAT!r}")
            self._close()
        if self._mistakes:
            raise ModelInvalid(self._mistakes)
        return merged(*self._batches)


def _impossible(pair: _Pair) -> str:
    if not pair.caller.strip() or not pair.callee.strip() or pair.caller == pair.callee:
        return "a pair names two components"
    if not 0 <= pair.errors <= pair.calls:
        return f"{pair.errors} of {pair.calls} calls cannot have failed"
    numbers = [one.number for one in pair.buckets]
    if numbers != sorted(set(numbers)) or any(
        not 0 <= one.errors <= one.calls for one in pair.buckets
    ):
        return "the buckets stand in order, each once, and no more calls fail than there are"
    if pair.buckets and pair.begin is None:
        return "there are buckets and no 'from'"
    return ""


def _in_utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)


def _numbered(pair: _Pair, width: timedelta | None) -> Iterator[Bucket]:
    begin = _in_utc(pair.begin)
    if begin is not None and width is not None:
        first = (begin - _EPOCH) // width
        for one in pair.buckets:
            yield Bucket(first + one.number, one.calls, one.errors)
