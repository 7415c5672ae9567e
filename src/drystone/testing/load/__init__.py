"""An open-loop HTTP load generator that tells a failed request from a connection that may be closed.

*Open loop*: each request has a moment at which it is due and is sent then, whatever became of the ones
before it; its time counts from that moment. A generator that waits for answers sends less while the
server is stuck, and so hides the very seconds it should show.

*Half and half*: one half of the requests come over connections that are kept and used again, the other half
each over a new one with ``connection: close``. A switch of versions can break either kind alone.

*What counts as failed*: every request that was sent, or could not be sent, and did not get a whole answer with
a status below 400 in time. A kept connection that the server closes between two requests is no failure:
RFC 9112 section 9.3 lets it, the generator sees the end before it sends, and takes another connection. Once a request
is on its way over a connection, closing that connection without an answer is a failure, with one exception that
never arises here: a connection whose last answer announced ``connection: close`` is not used again. No request is
ever repeated, so nothing is hidden by a retry.

*What takes long* has a generator of its own, :func:`run_streams`: WebSockets, server-sent events, large bodies and gRPC
calls are begun when they are due, live for a while, and are held to the order of their messages. A stream that went
well and was ended by the server before its own end is *cut*; whatever else goes wrong is *failed*. The talker
(``python -m drystone.testing.talker PORT``) is a service that answers all of it.
"""

from __future__ import annotations

from drystone.testing.load.conversations import Kind
from drystone.testing.load.generator import Load, run
from drystone.testing.load.report import Failure, Outcome, Report, Span
from drystone.testing.load.stream_report import StreamEnd, StreamOutcome, StreamReport
from drystone.testing.load.streams import Streams, run_streams

__all__ = [
    "Failure",
    "Kind",
    "Load",
    "Outcome",
    "Report",
    "Span",
    "StreamEnd",
    "StreamOutcome",
    "StreamReport",
    "Streams",
    "run",
    "run_streams",
]
