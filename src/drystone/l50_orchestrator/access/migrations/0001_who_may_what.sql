-- People, teams, what they may do, and tokens that do it for them.
CREATE TABLE access_person (
    name    text        PRIMARY KEY,
    called  text        NOT NULL,
    since   timestamptz NOT NULL,
    by      text        NOT NULL,
    -- Who has left keeps the name: what the audit log says of it stays about one person.
    left_at timestamptz
);

CREATE TABLE access_team (
    name        text        PRIMARY KEY,
    description text        NOT NULL,
    since       timestamptz NOT NULL,
    by          text        NOT NULL
);

CREATE TABLE access_member (
    team          text        NOT NULL REFERENCES access_team ON DELETE CASCADE,
    person        text        NOT NULL REFERENCES access_person,
    is_maintainer boolean     NOT NULL,
    since         timestamptz NOT NULL,
    by            text        NOT NULL,
    PRIMARY KEY (team, person)
);
CREATE INDEX access_member_person ON access_member (person);

CREATE TABLE access_grant (
    id    text        PRIMARY KEY,
    who   text        NOT NULL,
    role  text        NOT NULL CHECK (role IN ('viewer', 'deployer', 'owner', 'admin')),
    over  text        NOT NULL,
    place text        NOT NULL,
    since timestamptz NOT NULL,
    by    text        NOT NULL
);
CREATE INDEX access_grant_who ON access_grant (who);
CREATE INDEX access_grant_over ON access_grant (over);

CREATE TABLE access_token (
    number      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id          text        NOT NULL UNIQUE,
    -- SHA-256; the token itself is nowhere.
    digest      bytea       NOT NULL UNIQUE,
    label       text        NOT NULL,
    kind        text        NOT NULL CHECK (kind IN ('personal', 'service', 'deploy')),
    maker       text        NOT NULL REFERENCES access_person,
    scopes      text[]      NOT NULL,
    service     text,
    environment text,
    since       timestamptz NOT NULL,
    expires     timestamptz NOT NULL,
    used_at     timestamptz,
    revoked_at  timestamptz,
    revoked_by  text,
    CHECK (kind <> 'deploy' OR (service IS NOT NULL AND environment IS NOT NULL))
);
CREATE INDEX access_token_maker ON access_token (maker, number);
CREATE INDEX access_token_service ON access_token (service, number) WHERE service IS NOT NULL;

CREATE TABLE access_glass (
    number   bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person   text        NOT NULL REFERENCES access_person,
    reason   text        NOT NULL,
    since    timestamptz NOT NULL,
    until    timestamptz NOT NULL CHECK (until <= since + interval '1 hour'),
    ended_at timestamptz,
    ended_by text
);
CREATE INDEX access_glass_person ON access_glass (person, number);
