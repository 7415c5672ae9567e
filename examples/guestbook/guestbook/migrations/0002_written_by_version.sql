-- The default lets a release that does not know the column go on writing.
alter table entries add column written_by_version text not null default '';
