-- What is to be done, how far it has come, and who is at it.
CREATE TABLE workflow (
    id        text        PRIMARY KEY,
    number    bigint      GENERATED ALWAYS AS IDENTITY UNIQUE,
    kind      text        NOT NULL,
    version   integer     NOT NULL,
    input     text        NOT NULL,
    state     text        NOT NULL DEFAULT 'open'
              CHECK (state IN ('open', 'queued', 'parked', 'done', 'failed', 'cancelled')),
    queue     text,
    parent    text,
    -- When somebody has to look: at once, when a sleep or a wait is over, or, while it has an owner, when the lease ends.
    wake_at   timestamptz,
    waits_for text,
    owner     text,
    attempt   integer     NOT NULL DEFAULT 0,
    -- How many steps the journal had when it was last claimed, and how often in a row it had no more than that.
    reached   integer     NOT NULL DEFAULT 0,
    stalled   integer     NOT NULL DEFAULT 0,
    -- How many signals have come. A row's own counter, so that who lies down to wait cannot overlook one.
    signals   integer     NOT NULL DEFAULT 0,
    cancel    text,
    failing   integer,
    tries     integer     NOT NULL DEFAULT 0,
    trouble   text,
    result    text,
    error     text,
    begun_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at  timestamptz,
    CHECK ((ended_at IS NOT NULL) = (state IN ('done', 'failed', 'cancelled'))),
    CHECK (state = 'open' OR (owner IS NULL AND wake_at IS NULL))
) WITH (fillfactor = 70);

CREATE INDEX workflow_due ON workflow (kind, version, wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX workflow_queue ON workflow (queue, number) WHERE queue IS NOT NULL AND ended_at IS NULL;
CREATE INDEX workflow_ended ON workflow (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX workflow_open ON workflow (number) WHERE ended_at IS NULL;

-- The journal. It refers to its workflow without a foreign key: whoever writes holds that row anyway.
CREATE TABLE step (
    workflow text        NOT NULL,
    seq      integer     NOT NULL,
    kind     text        NOT NULL,
    name     text        NOT NULL,
    output   text,
    error    text,
    attempt  integer     NOT NULL,
    tries    integer     NOT NULL,
    ended_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workflow, seq)
);

CREATE TABLE signal (
    workflow text        NOT NULL,
    number   integer     NOT NULL,
    name     text        NOT NULL,
    payload  text        NOT NULL,
    key      text,
    taken    boolean     NOT NULL DEFAULT false,
    came_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workflow, number)
);
CREATE UNIQUE INDEX signal_key ON signal (workflow, key) WHERE key IS NOT NULL;

-- Who is there, and what it can carry out: to say why something is not carried out.
CREATE TABLE worker (
    id      text        PRIMARY KEY,
    codes   text[]      NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
