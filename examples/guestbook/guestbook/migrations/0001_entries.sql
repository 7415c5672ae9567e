create table entries (
    id bigint generated always as identity primary key,
    name text not null,
    message text not null,
    written_at timestamptz not null default now()
);
