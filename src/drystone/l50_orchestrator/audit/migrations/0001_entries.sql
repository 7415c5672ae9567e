-- Who did what. Entries are added at the end and never change; each has the hash of the one before.
CREATE TABLE audit_entry (
    number   bigint      PRIMARY KEY CHECK (number > 0),
    at       timestamptz NOT NULL,
    actor    text        NOT NULL,
    kind     text        NOT NULL,
    behind   text        NOT NULL,
    glass    bigint      NOT NULL,
    action   text        NOT NULL,
    subject  text        NOT NULL,
    -- As it was hashed, letter by letter; a type for JSON would write it anew.
    fields   text        NOT NULL,
    previous text        NOT NULL UNIQUE,
    hash     text        NOT NULL
);

CREATE INDEX audit_entry_actor ON audit_entry (actor, number);
CREATE INDEX audit_entry_subject ON audit_entry (subject, number);
CREATE INDEX audit_entry_behind ON audit_entry (behind, number) WHERE behind <> '';

CREATE FUNCTION audit_entry_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'entries of the audit log are never changed' USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER audit_entry_stays BEFORE UPDATE OR DELETE ON audit_entry
    FOR EACH ROW EXECUTE FUNCTION audit_entry_stays();
CREATE TRIGGER audit_entry_stays_whole BEFORE TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_stays();

REVOKE UPDATE, DELETE, TRUNCATE ON audit_entry FROM CURRENT_USER;

-- The function below works with the rights of its owner: it must not find a table of the caller's in the place of this one, and
-- tables of the session come first unless they are named.
SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);

-- The only way to add an entry: its number, moment and hashes are not the caller's to say. Whoever waits for the lock sees what was
-- committed meanwhile, since each statement of a volatile function looks anew.
CREATE FUNCTION audit_append(
    new_actor text, new_kind text, new_behind text, new_glass bigint, new_action text, new_subject text, new_fields text
) RETURNS bigint LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    place  bigint      := 1;
    before text        := repeat('0', 64);
    moment timestamptz;
    own    text;
BEGIN
    PERFORM pg_advisory_xact_lock(24949, hashtext(current_schema()));
    SELECT e.number + 1, e.hash INTO place, before FROM audit_entry e ORDER BY e.number DESC LIMIT 1;
    IF NOT FOUND THEN
        place := 1;
        before := repeat('0', 64);
    END IF;
    moment := clock_timestamp();
    SELECT encode(sha256(convert_to(string_agg(octet_length(convert_to(t, 'UTF8')) || ':' || t || ',', '' ORDER BY n), 'UTF8')), 'hex')
      INTO own
      FROM unnest(ARRAY['drystone-audit-1', place::text, to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                        new_actor, new_kind, new_behind, new_glass::text, new_action, new_subject, new_fields, before])
           WITH ORDINALITY AS u (t, n);
    INSERT INTO audit_entry (number, at, actor, kind, behind, glass, action, subject, fields, previous, hash)
    VALUES (place, moment, new_actor, new_kind, new_behind, new_glass, new_action, new_subject, new_fields, before, own);
    RETURN place;
END
$$;
REVOKE EXECUTE ON FUNCTION audit_append FROM PUBLIC;
