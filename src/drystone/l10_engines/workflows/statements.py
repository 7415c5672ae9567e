"""Every statement on the tables of workflows. A test has the server prepare each of them.

Times are the database's: ``statement_timestamp()`` where an index is asked, ``clock_timestamp()`` where a lease is judged
after a row was waited for. What a worker writes is fenced: it takes effect only while the row names this worker, in
this attempt, and the lease lasts.
"""

from __future__ import annotations

NOTIFY = "SELECT pg_notify(%(channel)s, %(word)s)"

# --- by workers -------------------------------------------------------------------------------------------------

CLAIM = """
WITH due AS MATERIALIZED (
    SELECT w.id
      FROM unnest(%(kinds)s::text[], %(versions)s::int[]) AS known (kind, version)
     CROSS JOIN LATERAL (
           SELECT o.id, o.wake_at
             FROM workflow o
            WHERE o.kind = known.kind AND o.version = known.version AND o.wake_at <= statement_timestamp()
            ORDER BY o.wake_at
            LIMIT %(most)s
              FOR NO KEY UPDATE SKIP LOCKED
           ) AS w
     ORDER BY w.wake_at
     LIMIT %(most)s
)
UPDATE workflow AS w
   SET owner = %(owner)s,
       attempt = w.attempt + 1,
       wake_at = clock_timestamp() + %(lease)s::interval,
       waits_for = NULL,
       reached = j.length,
       stalled = CASE WHEN w.attempt > 0 AND w.reached = j.length THEN w.stalled + 1 ELSE 0 END
  FROM due
 CROSS JOIN LATERAL (SELECT count(*)::int AS length FROM step s WHERE s.workflow = due.id) AS j
 WHERE w.id = due.id
RETURNING w.id, w.kind, w.version, w.input, w.queue, w.parent, w.attempt, w.reached, w.stalled, w.signals,
          w.cancel IS NOT NULL, w.failing, w.tries, clock_timestamp()
"""
"""A lease that has ended is a time to look like any other, so that one index finds all that is to be done."""

NEXT_DUE = """
SELECT min(w.wake_at) - clock_timestamp()
  FROM unnest(%(kinds)s::text[], %(versions)s::int[]) AS known (kind, version)
 CROSS JOIN LATERAL (
       SELECT o.wake_at
         FROM workflow o
        WHERE o.kind = known.kind AND o.version = known.version AND o.wake_at IS NOT NULL
        ORDER BY o.wake_at
        LIMIT 1
       ) AS w
"""

JOURNALS = """
SELECT workflow, seq, kind, name, output, error
  FROM step
 WHERE workflow = ANY(%(ids)s::text[])
 ORDER BY workflow, seq
"""

WRITE_STEPS = """
WITH given AS (
    SELECT *
      FROM unnest(%(workflows)s::text[], %(attempts)s::int[], %(seqs)s::int[], %(kinds)s::text[], %(names)s::text[],
                  %(outputs)s::text[], %(errors)s::text[], %(tries)s::int[])
        AS g (workflow, attempt, seq, kind, name, output, error, tries)
), mine AS MATERIALIZED (
    SELECT w.id
      FROM workflow w
      JOIN given g ON g.workflow = w.id
     WHERE w.owner = %(owner)s AND w.attempt = g.attempt AND w.wake_at > clock_timestamp()
       FOR NO KEY UPDATE OF w
)
INSERT INTO step (workflow, seq, kind, name, output, error, attempt, tries)
SELECT g.workflow, g.seq, g.kind, g.name, g.output, g.error, g.attempt, g.tries
  FROM given g
  JOIN mine ON mine.id = g.workflow
 WHERE g.seq = 0 OR EXISTS (SELECT FROM step p WHERE p.workflow = g.workflow AND p.seq = g.seq - 1)
    ON CONFLICT (workflow, seq) DO UPDATE SET name = EXCLUDED.name WHERE step.attempt = EXCLUDED.attempt
RETURNING workflow, xmax = 0
"""
"""Of one workflow there is one step at a time. A step that is there from this attempt was written by a try of this very
statement whose answer was lost; the second column says that it was not there. One whose predecessor is missing would leave a gap: the database went back in time."""

ONE_STEP = "SELECT output, tries FROM step WHERE workflow = %(id)s AND seq = %(seq)s"

TAKE_SIGNAL = """
UPDATE signal SET taken = true WHERE workflow = %(id)s AND number = %(number)s
"""

WRITE_TROUBLE = """
UPDATE workflow
   SET stalled = 0, failing = %(seq)s, tries = %(tries)s, trouble = %(trouble)s
 WHERE id = %(id)s AND owner = %(owner)s AND attempt = %(attempt)s AND wake_at > clock_timestamp()
RETURNING id
"""

REST = """
UPDATE workflow
   SET owner = NULL,
       stalled = 0,
       waits_for = %(waits_for)s,
       wake_at = CASE
           WHEN %(heeds_cancel)s AND cancel IS NOT NULL THEN clock_timestamp()
           WHEN signals > %(signals)s::int THEN clock_timestamp()
           ELSE %(until)s::timestamptz
       END
 WHERE id = %(id)s AND owner = %(owner)s AND attempt = %(attempt)s AND wake_at > clock_timestamp()
RETURNING id
"""
"""Whoever sends a signal or cancels changes the same row, so this one sees it, or that one sees who rests."""

RELEASE = """
UPDATE workflow
   SET owner = NULL, wake_at = clock_timestamp(), stalled = greatest(stalled - 1, 0)
 WHERE id = %(id)s AND owner = %(owner)s AND attempt = %(attempt)s
RETURNING id
"""

PARK = """
UPDATE workflow
   SET state = 'parked', owner = NULL, wake_at = NULL, trouble = %(trouble)s
 WHERE id = %(id)s AND owner = %(owner)s AND attempt = %(attempt)s AND wake_at > clock_timestamp()
RETURNING id
"""

END = """
UPDATE workflow AS w
   SET state = g.state, result = g.result, error = g.error, ended_at = clock_timestamp(),
       owner = NULL, wake_at = NULL, trouble = NULL, failing = NULL, tries = 0
  FROM unnest(%(workflows)s::text[], %(attempts)s::int[], %(states)s::text[], %(results)s::text[], %(errors)s::text[])
    AS g (workflow, attempt, state, result, error)
 WHERE w.id = g.workflow AND w.owner = %(owner)s AND w.attempt = g.attempt AND w.wake_at > clock_timestamp()
RETURNING w.id
"""

LOCK_QUEUE = "SELECT pg_advisory_xact_lock(hashtext(current_schema()), hashtext(%(queue)s))"
"""Held by whoever joins a queue, leaves it or lets the next one go: their order is one."""

NEXT_IN_QUEUE = """
UPDATE workflow
   SET state = 'open', wake_at = clock_timestamp()
 WHERE id = (SELECT id FROM workflow
              WHERE queue = %(queue)s AND ended_at IS NULL AND state = 'queued'
              ORDER BY number LIMIT 1)
   AND NOT EXISTS (SELECT FROM workflow WHERE queue = %(queue)s AND ended_at IS NULL AND state <> 'queued')
RETURNING id
"""

RENEW = """
UPDATE workflow AS w
   SET wake_at = clock_timestamp() + %(lease)s::interval
  FROM unnest(%(ids)s::text[], %(attempts)s::int[]) AS g (id, attempt)
 WHERE w.id = g.id AND w.owner = %(owner)s AND w.attempt = g.attempt AND w.wake_at > clock_timestamp()
RETURNING w.id, w.cancel IS NOT NULL
"""

SEEN = """
INSERT INTO worker (id, codes) VALUES (%(owner)s, %(codes)s::text[])
    ON CONFLICT (id) DO UPDATE SET codes = EXCLUDED.codes, seen_at = clock_timestamp()
"""

GONE = "DELETE FROM worker WHERE id = %(owner)s OR seen_at < clock_timestamp() - interval '1 day'"

NEXT_SIGNAL = """
SELECT s.number, s.payload, w.signals
  FROM workflow w
  LEFT JOIN LATERAL (
       SELECT number, payload FROM signal
        WHERE workflow = w.id AND name = %(name)s AND NOT taken
        ORDER BY number LIMIT 1
       ) AS s ON true
 WHERE w.id = %(id)s
"""

# --- by whoever starts workflows and looks at them --------------------------------------------------------------

START = """
INSERT INTO workflow (id, kind, version, input, queue, parent, state, wake_at)
SELECT %(id)s, %(kind)s, %(version)s, %(input)s, %(queue)s, %(parent)s,
       CASE WHEN behind THEN 'queued' ELSE 'open' END,
       CASE WHEN behind THEN NULL ELSE clock_timestamp() END
  FROM (SELECT EXISTS (SELECT FROM workflow WHERE queue = %(queue)s AND ended_at IS NULL) AS behind) AS q
    ON CONFLICT (id) DO NOTHING
RETURNING id
"""

STARTED = "SELECT kind, input, queue FROM workflow WHERE id = %(id)s"

ANCESTORS_IN_QUEUE = """
WITH RECURSIVE above AS (
    SELECT id, parent, queue FROM workflow WHERE id = %(parent)s
    UNION ALL
    SELECT w.id, w.parent, w.queue FROM workflow w JOIN above ON w.id = above.parent
)
SELECT id FROM above WHERE queue = %(queue)s LIMIT 1
"""

SIGNAL = """
WITH one AS (
    UPDATE workflow
       SET signals = signals + 1,
           wake_at = CASE WHEN owner IS NULL AND waits_for = 'signal ' || %(name)s THEN clock_timestamp() ELSE wake_at END
     WHERE id = %(id)s AND ended_at IS NULL AND signals < %(most)s
       AND NOT EXISTS (SELECT FROM signal WHERE workflow = %(id)s AND key = %(key)s)
    RETURNING id, signals
)
INSERT INTO signal (workflow, number, name, payload, key)
SELECT id, signals, %(name)s, %(payload)s, %(key)s FROM one
    ON CONFLICT DO NOTHING
RETURNING number
"""

SIGNALLED = """
SELECT ended_at IS NOT NULL, signals, EXISTS (SELECT FROM signal WHERE workflow = %(id)s AND key = %(key)s)
  FROM workflow WHERE id = %(id)s
"""

CANCEL = """
UPDATE workflow
   SET cancel = coalesce(cancel, %(reason)s),
       state = 'open',
       stalled = 0,
       wake_at = CASE WHEN owner IS NULL THEN clock_timestamp() ELSE wake_at END
 WHERE id = %(id)s AND ended_at IS NULL
RETURNING id
"""
"""One that was queued is taken up to be ended, out of its turn; the queue goes by those that are open."""

RESUME = """
UPDATE workflow
   SET state = 'open', wake_at = clock_timestamp(), stalled = 0, failing = NULL, tries = 0, trouble = NULL
 WHERE id = %(id)s AND state = 'parked'
RETURNING id
"""

QUEUE_AND_PARENT = "SELECT queue, parent FROM workflow WHERE id = %(id)s"

ABANDON = """
UPDATE workflow
   SET state = 'failed', error = %(error)s, ended_at = clock_timestamp(), owner = NULL, wake_at = NULL
 WHERE id = %(id)s AND ended_at IS NULL
RETURNING id
"""

OUTCOMES = """
SELECT id, state, result, error FROM workflow WHERE id = ANY(%(ids)s::text[]) AND ended_at IS NOT NULL
"""

EXISTS = "SELECT id FROM workflow WHERE id = %(id)s"

SHOW = """
SELECT id, number, kind, version, state, queue, parent, waits_for, wake_at, owner, attempt, cancel IS NOT NULL,
       trouble, tries, error, begun_at, ended_at
  FROM workflow WHERE id = %(id)s
"""

LIST = """
SELECT id, number, kind, version, state, queue, parent, waits_for, wake_at, owner, attempt, cancel IS NOT NULL,
       trouble, tries, error, begun_at, ended_at
  FROM workflow
 WHERE (%(state)s::text IS NULL OR state = %(state)s)
   AND (%(kind)s::text IS NULL OR kind = %(kind)s)
   AND (%(queue)s::text IS NULL OR queue = %(queue)s)
   AND (%(before)s::bigint IS NULL OR number < %(before)s)
 ORDER BY number DESC
 LIMIT %(most)s
"""

STEPS = """
SELECT seq, kind, name, attempt, tries, error, ended_at
  FROM step WHERE workflow = %(id)s AND seq > %(after)s ORDER BY seq LIMIT %(most)s
"""

STUCK = """
SELECT w.id, w.kind, w.version, w.state, w.trouble, w.tries, w.stalled,
       CASE
           WHEN w.state = 'parked' THEN 'parked'
           WHEN w.state = 'queued' THEN 'queued'
           WHEN w.tries > 0 THEN 'failing'
           ELSE 'unclaimed'
       END,
       h.id
  FROM workflow w
  LEFT JOIN LATERAL (
       SELECT id FROM workflow
        WHERE queue = w.queue AND ended_at IS NULL AND state = 'parked' AND w.state = 'queued'
        ORDER BY number LIMIT 1
       ) AS h ON true
 WHERE w.ended_at IS NULL
   AND (w.state = 'parked'
        OR (w.state = 'queued' AND h.id IS NOT NULL)
        OR w.tries > 0
        OR (w.state = 'open' AND w.wake_at < statement_timestamp() - %(patience)s::interval))
 ORDER BY w.number
 LIMIT %(most)s
"""

KNOWN_CODES = """
SELECT DISTINCT unnest(codes) FROM worker WHERE seen_at > clock_timestamp() - %(patience)s::interval ORDER BY 1
"""

PRUNE = """
WITH old AS MATERIALIZED (
    SELECT id FROM workflow
     WHERE ended_at < statement_timestamp() - %(kept)s::interval
       AND NOT EXISTS (SELECT FROM workflow p WHERE p.id = workflow.parent AND p.ended_at IS NULL)
     ORDER BY ended_at LIMIT %(most)s FOR UPDATE SKIP LOCKED
), steps AS (
    DELETE FROM step USING old WHERE step.workflow = old.id
), signals AS (
    DELETE FROM signal USING old WHERE signal.workflow = old.id
)
DELETE FROM workflow USING old WHERE workflow.id = old.id RETURNING workflow.id
"""
