create table dossier_batches (
    source text not null,
    month date not null,
    revision integer not null,
    rows integer not null,
    received bigint not null,
    created integer not null,
    updated integer not null,
    unchanged integer not null,
    deleted integer not null,
    reason text,
    actor text not null,
    at timestamptz not null,
    constraint dossier_batches_pkey primary key (source, month, revision)
);
comment on table dossier_batches is 'Every change of a source''s month; a batch that changes nothing makes no row.';
comment on column dossier_batches.reason is 'Why a closed month was corrected.';

-- Facts: no foreign keys (codes are resolved in the join that writes them) and no row triggers: both cost more than they are worth here.
create table dossier_counts (
    month date not null,
    agency_id integer not null,
    service_id integer not null,
    channel smallint not null,
    source text not null,
    received integer not null,
    resolved_early integer not null,
    resolved_on_time integer not null,
    resolved_late integer not null,
    withdrawn integer not null,
    carried_in integer not null,
    in_progress_on_time integer not null,
    in_progress_overdue integer not null,
    revision integer not null,
    constraint dossier_counts_pkey primary key (month, agency_id, service_id, channel),
    constraint dossier_counts_channel_check check (channel between 1 and 3),
    constraint dossier_counts_values_check check (least(received, resolved_early, resolved_on_time, resolved_late, withdrawn, carried_in, in_progress_on_time, in_progress_overdue) >= 0)
) partition by range (month);
create index dossier_counts_source_idx on dossier_counts (source, month);
comment on table dossier_counts is 'Dossiers of a month by agency, procedure and channel (1 online, 2 in_person, 3 postal); partitioned by year.';
comment on column dossier_counts.revision is 'Revision of the source''s month that wrote these figures.';

do $$
begin
    for year in 2015..2040 loop
        execute format('create table dossier_counts_%s partition of dossier_counts for values from (%L) to (%L)',
                       year, make_date(year, 1, 1), make_date(year + 1, 1, 1));
    end loop;
end
$$;
create table dossier_counts_other partition of dossier_counts default;

create table dossier_count_history (
    month date not null,
    agency_id integer not null,
    service_id integer not null,
    channel smallint not null,
    source text not null,
    received integer not null,
    resolved_early integer not null,
    resolved_on_time integer not null,
    resolved_late integer not null,
    withdrawn integer not null,
    carried_in integer not null,
    in_progress_on_time integer not null,
    in_progress_overdue integer not null,
    revision integer not null,
    replaced_by integer not null,
    constraint dossier_count_history_pkey primary key (month, agency_id, service_id, channel, source, revision)
);
comment on table dossier_count_history is 'Figures as they were before a later revision replaced or removed them.';
comment on column dossier_count_history.replaced_by is 'The revision that replaced or removed them.';
