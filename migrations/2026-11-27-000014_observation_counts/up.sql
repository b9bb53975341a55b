-- What a revision changed, so that a list of revisions need not read their figures.
alter table observation_sets
    add column row_count integer not null default 0,
    add column unit_count integer not null default 0,
    add column created integer not null default 0,
    add column updated integer not null default 0,
    add column unchanged integer not null default 0,
    add column deleted integer not null default 0;
update observation_sets set row_count = jsonb_array_length(rows), unit_count = jsonb_array_length(units);
alter table observation_sets
    alter column row_count drop default,
    alter column unit_count drop default,
    alter column created drop default,
    alter column updated drop default,
    alter column unchanged drop default,
    alter column deleted drop default,
    add constraint observation_sets_row_count_check check (row_count >= 0 and unit_count >= 0);
comment on column observation_sets.unit_count is 'Units that have a figure or are named in units.';
comment on column observation_sets.created is 'Figures that the revision before did not have; updated, unchanged and deleted likewise.';
