"""Every statement on the tables of releases. A test has the server prepare each of them. Times are the database's."""

from __future__ import annotations

NEXT_NUMBER = """
INSERT INTO place AS p (environment, service, numbers) VALUES (%(environment)s, %(service)s, 1)
    ON CONFLICT (environment, service) DO UPDATE SET numbers = p.numbers + 1
RETURNING numbers
"""
"""Whoever adds a release holds this row to the end of the transaction, so that what is checked behind it stays so."""

INSERT = """
INSERT INTO release (id, environment, service, number, kind, origin, team, version, message, author, behind, kind_of, teams,
                     roles, file, folder, descriptor, confirm, rest, expected, returns_to, keep)
VALUES (%(id)s, %(environment)s, %(service)s, %(number)s, %(kind)s, %(origin)s, %(team)s, %(version)s, %(message)s, %(author)s,
        %(behind)s, %(kind_of)s, %(teams)s, %(roles)s, %(file)s, %(folder)s, %(descriptor)s, %(confirm)s, %(rest)s, %(expected)s,
        %(returns_to)s, %(keep)s)
"""
KEEP_DESCRIPTOR = """
INSERT INTO descriptor (digest, body) VALUES (%(digest)s, %(body)s) ON CONFLICT DO NOTHING
"""
DESCRIPTOR = "SELECT body FROM descriptor WHERE digest = %(digest)s"

PUT_DOCUMENTS = """
INSERT INTO document (release, name, body)
SELECT %(release)s, g.name, g.body FROM unnest(%(names)s::text[], %(bodies)s::bytea[]) AS g (name, body)
    ON CONFLICT (release, name) DO UPDATE SET body = EXCLUDED.body
"""
ALL_DOCUMENTS = "SELECT name, body FROM document WHERE release = %(release)s"
DOCUMENT = "SELECT body FROM document WHERE release = %(release)s AND name = %(name)s"

ONE = """
SELECT r.id, r.environment, r.service, r.kind, r.origin, r.team, r.version, r.message, r.author, r.behind, r.kind_of, r.teams,
       r.roles, r.file, r.folder, r.descriptor, r.confirm, r.rest, r.expected, r.returns_to, r.keep, r.seq, r.number, r.state, r.why, r.artefact,
       r.at_target, r.before, r.asked_at, r.ended_at, s.release IS NOT NULL, clock_timestamp()
  FROM release r
  LEFT JOIN serving s ON s.environment = r.environment AND s.service = r.service AND s.until IS NULL AND s.release = r.id
 WHERE r.id = %(id)s
"""
BY_NUMBER = """
SELECT id FROM release WHERE environment = %(environment)s AND service = %(service)s AND number = %(number)s
"""
HISTORY = """
SELECT r.id, r.environment, r.service, r.kind, r.origin, r.team, r.version, r.message, r.author, r.behind, r.kind_of, r.teams,
       r.roles, r.file, r.folder, r.descriptor, r.confirm, r.rest, r.expected, r.returns_to, r.keep, r.seq, r.number, r.state, r.why, r.artefact,
       r.at_target, r.before, r.asked_at, r.ended_at,
       r.id IS NOT DISTINCT FROM (SELECT s.release FROM serving s
                                   WHERE s.environment = r.environment AND s.service = r.service AND s.until IS NULL),
       clock_timestamp()
  FROM release r
 WHERE r.seq < %(below)s
   AND (%(service)s::text IS NULL OR r.service = %(service)s)
   AND (%(environment)s::text IS NULL OR r.environment = %(environment)s)
   AND (%(team)s::text IS NULL OR r.team = %(team)s)
   AND (%(author)s::text IS NULL OR r.author = %(author)s)
   AND (%(since)s::timestamptz IS NULL OR r.asked_at >= %(since)s)
   AND (%(until)s::timestamptz IS NULL OR r.asked_at < %(until)s)
   AND (NOT %(open_only)s OR r.ended_at IS NULL)
 ORDER BY r.seq DESC
 LIMIT %(most)s
"""
"""What serves is looked up for each line of the page, so that a plan made before the tables grew joins nothing else."""

FOLDERS = """
SELECT DISTINCT folder FROM release WHERE service = %(service)s AND (ended_at IS NULL OR state = 'served')
"""
"""Of releases that may be carried out, or brought further, from the folder that their descriptor came from."""

OPEN_OF = """
SELECT id FROM release WHERE environment = %(environment)s AND service = %(service)s AND ended_at IS NULL ORDER BY number
"""
OPEN_WITH_ORIGIN = """
SELECT id FROM release
 WHERE environment = %(environment)s AND service = %(service)s AND origin = %(origin)s AND kind = 'promotion' AND ended_at IS NULL
"""
SET_STATE = """
UPDATE release SET state = %(state)s, why = %(why)s WHERE id = %(id)s AND ended_at IS NULL
"""
SET_WHY = "UPDATE release SET why = %(why)s WHERE id = %(id)s AND ended_at IS NULL"
SET_BEFORE = """
UPDATE release AS r SET before = coalesce(s.release, '')
  FROM release AS o
  LEFT JOIN serving s ON s.environment = o.environment AND s.service = o.service AND s.until IS NULL
 WHERE r.id = %(id)s AND o.id = r.id AND r.ended_at IS NULL
"""
END = """
UPDATE release
   SET state = %(state)s, why = %(why)s, at_target = %(at_target)s, artefact = %(artefact)s, ended_at = clock_timestamp()
 WHERE id = %(id)s AND ended_at IS NULL
RETURNING id
"""
SERVES = """
SELECT release, since FROM serving WHERE environment = %(environment)s AND service = %(service)s AND until IS NULL
"""
ALL_SERVE = """
SELECT s.service, s.release, r.at_target
  FROM serving s JOIN release r ON r.id = s.release
 WHERE s.environment = %(environment)s AND s.until IS NULL
 ORDER BY s.service
"""
SERVES_NO_MORE = """
UPDATE serving SET until = clock_timestamp()
 WHERE environment = %(environment)s AND service = %(service)s AND until IS NULL
"""
SERVES_NOW = """
INSERT INTO serving (environment, service, release) VALUES (%(environment)s, %(service)s, %(release)s)
"""
SERVED_THERE = """
SELECT s.since, s.until
  FROM serving s JOIN release r ON r.id = s.release
 WHERE s.environment = %(environment)s AND s.service = %(service)s
   AND (r.origin = %(origin)s OR (r.descriptor = %(descriptor)s AND r.version = %(version)s))
 ORDER BY s.since
"""
KEPT = """
SELECT k.id
  FROM unnest(%(environments)s::text[], %(services)s::text[]) AS p (environment, service)
 CROSS JOIN LATERAL (
       SELECT e.id, row_number() OVER (ORDER BY e.last DESC) AS place
         FROM (SELECT coalesce(nullif(r.returns_to, ''), r.id) AS id, max(s.since) AS last
                 FROM serving s JOIN release r ON r.id = s.release
                WHERE s.environment = p.environment AND s.service = p.service
                GROUP BY 1) AS e
       ) AS k
 WHERE k.place <= 1 + (SELECT r.keep FROM serving s JOIN release r ON r.id = s.release
                        WHERE s.environment = p.environment AND s.service = p.service AND s.until IS NULL)
 ORDER BY p.environment, p.service, k.place
"""
"""The one that serves is not among those that one can go back to, and so not counted."""

IS_KEPT = """
SELECT true
  FROM release r
 CROSS JOIN LATERAL (
       SELECT e.id, row_number() OVER (ORDER BY e.last DESC) AS place
         FROM (SELECT coalesce(nullif(o.returns_to, ''), o.id) AS id, max(s.since) AS last
                 FROM serving s JOIN release o ON o.id = s.release
                WHERE s.environment = r.environment AND s.service = r.service
                GROUP BY 1) AS e
       ) AS k
 WHERE r.id = %(id)s AND k.id = r.id
   AND k.place <= 1 + (SELECT n.keep FROM serving s JOIN release n ON n.id = s.release
                        WHERE s.environment = r.environment AND s.service = r.service AND s.until IS NULL)
"""
"""Of one release what :data:`KEPT` tells of whole places."""

KNOWN = "SELECT id FROM release WHERE id = ANY(%(ids)s::text[])"

ADD_EVENT = """
INSERT INTO event (release, at, step, state, text)
SELECT %(release)s, clock_timestamp() - g.age, g.step, g.state, g.text
  FROM unnest(%(ages)s::interval[], %(steps)s::text[], %(states)s::text[], %(texts)s::text[])
    WITH ORDINALITY AS g (age, step, state, text, place)
 ORDER BY g.place
"""
EVENTS = """
SELECT r.ended_at IS NOT NULL, e.number, e.at, e.step, e.state, e.text
  FROM release r
  LEFT JOIN LATERAL (
       SELECT * FROM event WHERE release = r.id AND number > %(after)s ORDER BY number LIMIT %(most)s
       ) AS e ON true
 WHERE r.id = %(release)s
 ORDER BY e.number
"""
"""Whether it has ended is of the same moment as the events, so that who reads both has all of them."""
GIVE_ORDER = """
INSERT INTO steering (release, verb, author, message) VALUES (%(release)s, %(verb)s, %(author)s, %(message)s) RETURNING number
"""
ORDERS = """
SELECT number, verb, author FROM steering WHERE release = %(release)s AND number > %(after)s ORDER BY number LIMIT 1000
"""
GIVE_WORD = """
INSERT INTO approval (release, author, teams, agrees, message)
VALUES (%(release)s, %(author)s, %(teams)s, %(agrees)s, %(message)s)
    ON CONFLICT (release, author) DO UPDATE
   SET teams = EXCLUDED.teams, agrees = EXCLUDED.agrees, message = EXCLUDED.message, at = clock_timestamp()
"""
WORDS = "SELECT author, teams, agrees, message, at FROM approval WHERE release = %(release)s ORDER BY at"
LOCK = "SELECT state FROM release WHERE id = %(id)s FOR UPDATE"

ROLLOUT = """
SELECT state, seen, orders, clock_timestamp() - begun_at FROM rollout WHERE release = %(release)s
"""
BEGIN_ROLLOUT = """
INSERT INTO rollout (release, state, seen) VALUES (%(release)s, %(state)s, %(seen)s) ON CONFLICT DO NOTHING
"""
KEEP_ROLLOUT = """
UPDATE rollout SET state = %(state)s, seen = %(seen)s, orders = %(orders)s WHERE release = %(release)s
"""
