-- Policies of one's own; those of the house lie in the distribution.
CREATE TABLE guard_policy (
    name text        PRIMARY KEY,
    said text        NOT NULL,
    by   text        NOT NULL,
    at   timestamptz NOT NULL
);

-- What an admin made of a policy, of the house or not.
CREATE TABLE guard_mode (
    name   text        PRIMARY KEY,
    mode   text        NOT NULL CHECK (mode IN ('refuse', 'warn', 'off')),
    reason text        NOT NULL,
    by     text        NOT NULL,
    at     timestamptz NOT NULL
);

-- One row: counts changes of the two tables above, so that who judges knows whether to read them again.
CREATE TABLE guard_version (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    version bigint  NOT NULL
);
INSERT INTO guard_version (version) VALUES (1);

CREATE TABLE guard_exception (
    name         text        PRIMARY KEY,
    policy       text        NOT NULL,
    service      text        NOT NULL,
    said         text        NOT NULL,
    asked_by     text        NOT NULL,
    asked_behind text        NOT NULL,
    asked_at     timestamptz NOT NULL,
    allowed_by   text        NOT NULL DEFAULT '',
    allowed_at   timestamptz,
    CHECK (allowed_by = '' OR allowed_by NOT IN (asked_by, asked_behind))
);
CREATE INDEX guard_exception_service ON guard_exception (service);

CREATE TABLE guard_freeze (
    name text PRIMARY KEY,
    said text NOT NULL,
    by   text NOT NULL
);

-- The latest changes of each service, for those who try policies.
CREATE TABLE guard_judgement (
    number      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    service     text        NOT NULL,
    environment text        NOT NULL,
    at          timestamptz NOT NULL,
    change      text        NOT NULL,
    findings    text        NOT NULL
);
CREATE INDEX guard_judgement_service ON guard_judgement (service, number);
