-- The order of the releases of a service in an environment, and what is locked to add one.
CREATE TABLE place (
    environment text    NOT NULL,
    service     text    NOT NULL,
    numbers     integer NOT NULL DEFAULT 0,
    PRIMARY KEY (environment, service)
);

CREATE TABLE release (
    id          text        PRIMARY KEY,
    seq         bigint      GENERATED ALWAYS AS IDENTITY UNIQUE,
    environment text        NOT NULL,
    service     text        NOT NULL,
    number      integer     NOT NULL,
    kind        text        NOT NULL CHECK (kind IN ('deploy', 'promotion', 'rollback', 'adopted')),
    -- The release whose code and configuration this one brings: itself, unless it goes back or comes from elsewhere.
    origin      text        NOT NULL,
    team        text        NOT NULL,
    version     text        NOT NULL,
    message     text        NOT NULL,
    author      text        NOT NULL,
    behind      text        NOT NULL,
    kind_of     text        NOT NULL,
    teams       text[]      NOT NULL,
    roles       text[]      NOT NULL,
    file        text        NOT NULL,
    folder      text        NOT NULL,
    descriptor  text        NOT NULL,
    confirm     text[]      NOT NULL DEFAULT '{}',
    rest        text[]      NOT NULL DEFAULT '{}',
    -- How many releases can be gone back to while this one serves.
    keep        integer     NOT NULL DEFAULT 0,
    state       text        NOT NULL DEFAULT 'queued'
                CHECK (state IN ('queued', 'waiting', 'starting', 'rolling', 'settling', 'withdrawing',
                                 'served', 'failed', 'refused', 'aborted', 'rolled-back')),
    why         text        NOT NULL DEFAULT '',
    expected    text        NOT NULL DEFAULT '',
    -- Of a way back: the release of this very place that serves again.
    returns_to  text        NOT NULL DEFAULT '',
    artefact    text        NOT NULL DEFAULT '',
    at_target   integer     NOT NULL DEFAULT 0,
    before      text        NOT NULL DEFAULT '',
    asked_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at    timestamptz,
    UNIQUE (environment, service, number),
    CHECK ((ended_at IS NOT NULL) = (state IN ('served', 'failed', 'refused', 'aborted', 'rolled-back')))
) WITH (fillfactor = 80);
CREATE INDEX release_by_team ON release (team, seq);
CREATE INDEX release_by_author ON release (author, seq);
CREATE INDEX release_by_service ON release (service, seq);
CREATE INDEX release_open ON release (environment, service) WHERE ended_at IS NULL;

-- Texts of descriptors, compressed: releases that bring the same share it.
CREATE TABLE descriptor (
    digest text  PRIMARY KEY,
    body   bytea NOT NULL
);

-- What is large and read seldom, as compressed JSON: terms, plan, findings.
CREATE TABLE document (
    release text  NOT NULL REFERENCES release,
    name    text  NOT NULL,
    body    bytea NOT NULL,
    PRIMARY KEY (release, name)
);

CREATE TABLE event (
    release text        NOT NULL,
    number  bigint      GENERATED ALWAYS AS IDENTITY,
    at      timestamptz NOT NULL,
    step    text        NOT NULL,
    state   text        NOT NULL,
    text    text        NOT NULL,
    PRIMARY KEY (release, number)
);

CREATE TABLE steering (
    release text        NOT NULL REFERENCES release,
    number  bigint      GENERATED ALWAYS AS IDENTITY,
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    verb    text        NOT NULL CHECK (verb IN ('promote', 'pause', 'resume', 'abort')),
    author  text        NOT NULL,
    message text        NOT NULL,
    PRIMARY KEY (release, number)
);

-- The last word of each person counts.
CREATE TABLE approval (
    release text        NOT NULL REFERENCES release,
    author  text        NOT NULL,
    teams   text[]      NOT NULL,
    agrees  boolean     NOT NULL,
    message text        NOT NULL,
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (release, author)
);

-- How far a progressive rollout has come; what was counted at the last look stands beside it.
CREATE TABLE rollout (
    release  text        PRIMARY KEY REFERENCES release,
    state    bytea       NOT NULL,
    seen     bytea       NOT NULL,
    orders   bigint      NOT NULL DEFAULT 0,
    begun_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- What served, from when to when.
CREATE TABLE serving (
    environment text        NOT NULL,
    service     text        NOT NULL,
    release     text        NOT NULL REFERENCES release,
    since       timestamptz NOT NULL DEFAULT clock_timestamp(),
    until       timestamptz
);
CREATE UNIQUE INDEX serving_now ON serving (environment, service) WHERE until IS NULL;
CREATE INDEX serving_then ON serving (environment, service, since);
