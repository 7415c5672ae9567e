-- Since when something differs. The values are not kept: they are read anew, and may be nobody else's business.
CREATE TABLE drift (
    environment text        NOT NULL,
    service     text        NOT NULL,
    field       text        NOT NULL,
    seen_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (environment, service, field)
);
