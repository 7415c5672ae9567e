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
