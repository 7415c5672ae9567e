-- Names compare by their bytes, so that pages of a list are the same under every locale.
CREATE TABLE registry_service (
    name        text COLLATE "C" PRIMARY KEY,
    -- What the name looks like to somebody who reads quickly.
    skeleton    text COLLATE "C" NOT NULL,
    team        text        NOT NULL,
    tier        smallint    CHECK (tier BETWEEN 0 AND 3),
    description text        NOT NULL,
    links       text        NOT NULL,
    since       timestamptz NOT NULL,
    by          text        NOT NULL,
    -- When it first ran anywhere, when it last ceased to run everywhere, and when its team gave it up.
    ran_at      timestamptz,
    gone_at     timestamptz,
    retired_at  timestamptz
);
CREATE INDEX registry_service_skeleton ON registry_service (skeleton);
CREATE INDEX registry_service_team ON registry_service (team, name);
CREATE INDEX registry_service_critical ON registry_service (name) WHERE tier <= 1;

CREATE TABLE registry_target (
    name text COLLATE "C" PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('here', 'platform', 'simulated')),
    url  text NOT NULL
);

CREATE TABLE registry_environment (
    name   text COLLATE "C" PRIMARY KEY,
    type   text    NOT NULL CHECK (type IN ('local', 'dev', 'staging', 'prod')),
    region text    NOT NULL,
    target text    NOT NULL,
    after  text    NOT NULL,
    keep   integer NOT NULL CHECK (keep > 0)
);

-- Where services run.
CREATE TABLE registry_presence (
    service     text COLLATE "C" NOT NULL REFERENCES registry_service (name),
    environment text COLLATE "C" NOT NULL REFERENCES registry_environment (name),
    PRIMARY KEY (service, environment)
);
CREATE INDEX registry_presence_environment ON registry_presence (environment);

-- Services that their teams want to give to another one.
CREATE TABLE registry_offer (
    service text COLLATE "C" PRIMARY KEY REFERENCES registry_service (name),
    team    text        NOT NULL,
    by      text        NOT NULL,
    ends_at timestamptz NOT NULL
);
