-- What statistics read: sums that the transaction of a batch (or of a level) keeps up, over months, quarters and years.
create table dossier_agency_rollups (
    grain smallint not null,
    period date not null,
    agency_id integer not null,
    level smallint not null,
    rows integer not null,
    received bigint not null,
    resolved bigint not null,
    in_time bigint not null,
    online_received bigint not null,
    online_resolved bigint not null,
    constraint dossier_agency_rollups_pkey primary key (grain, period, agency_id, level),
    constraint dossier_agency_rollups_grain_check check (grain in (1, 3, 12)),
    constraint dossier_agency_rollups_level_check check (level between 0 and 4)
) with (fillfactor = 50);
comment on table dossier_agency_rollups is 'Dossiers of an agency in a period by the level that their procedures have on its last day.';
comment on column dossier_agency_rollups.grain is 'Length of the period in months: 1, 3 or 12.';
comment on column dossier_agency_rollups.period is 'First day of the period.';
comment on column dossier_agency_rollups.level is 'Level in force on the last day of the period; 0: none.';
comment on column dossier_agency_rollups.rows is 'Rows of dossier_counts that are summed here; a sum of none is not kept.';
comment on column dossier_agency_rollups.received is 'Dossiers, every channel; online_received are those handed in online.';
comment on column dossier_agency_rollups.resolved is 'Dossiers resolved early, on time or late; in_time without the late ones.';

create table dossier_service_rollups (
    grain smallint not null,
    period date not null,
    service_id integer not null,
    rows integer not null,
    received bigint not null,
    resolved bigint not null,
    in_time bigint not null,
    online_received bigint not null,
    online_resolved bigint not null,
    constraint dossier_service_rollups_pkey primary key (grain, period, service_id),
    constraint dossier_service_rollups_grain_check check (grain in (1, 3, 12))
) with (fillfactor = 50);
comment on table dossier_service_rollups is 'Dossiers of a procedure in a period, over all agencies; columns as in dossier_agency_rollups.';

-- What is there already.
with sums as (
    select p.grain, p.period, c.agency_id, c.service_id, count(*) as rows, sum(c.received) as received,
        sum(c.resolved_early::bigint + c.resolved_on_time + c.resolved_late) as resolved,
        sum(c.resolved_early::bigint + c.resolved_on_time) as in_time,
        coalesce(sum(c.received) filter (where c.channel = 1), 0) as online_received,
        coalesce(sum(c.resolved_early::bigint + c.resolved_on_time + c.resolved_late) filter (where c.channel = 1), 0) as online_resolved
    from dossier_counts c cross join lateral (values
        (1::smallint, c.month),
        (3::smallint, date_trunc('quarter', c.month::timestamp)::date),
        (12::smallint, date_trunc('year', c.month::timestamp)::date)) as p (grain, period)
    group by p.grain, p.period, c.agency_id, c.service_id
), of_agencies as (
    insert into dossier_agency_rollups
    select s.grain, s.period, s.agency_id, coalesce(l.level, 0), sum(s.rows), sum(s.received), sum(s.resolved), sum(s.in_time),
        sum(s.online_received), sum(s.online_resolved)
    from sums s left join lateral (
        select v.level from service_levels v
        where v.service_id = s.service_id and v.effective_from < s.period + make_interval(months => s.grain)
        order by v.effective_from desc limit 1) as l on true
    group by s.grain, s.period, s.agency_id, coalesce(l.level, 0)
)
insert into dossier_service_rollups
select grain, period, service_id, sum(rows), sum(received), sum(resolved), sum(in_time), sum(online_received), sum(online_resolved)
from sums group by grain, period, service_id;

-- Rows of a batch on their way in: copied here first, so that an upload of any length holds neither a lock nor a transaction.
-- Not logged: what a crash leaves here was not accepted yet. A delivery takes one of them for itself.
do $$
begin
    for slot in 1..4 loop
        execute format('create unlogged table dossier_stage_%s (
            place integer not null, agency_id integer not null, service_id integer, parked_code text, channel smallint not null,
            received integer not null, resolved_early integer not null, resolved_on_time integer not null,
            resolved_late integer not null, withdrawn integer not null, carried_in integer not null,
            in_progress_on_time integer not null, in_progress_overdue integer not null) with (autovacuum_enabled = off)', slot);
        execute format('comment on table dossier_stage_%s is %L', slot, 'Rows of the delivery that holds this slot; parked_code names a procedure that is not known yet.');
    end loop;
end
$$;

-- Rows whose procedure the catalogue does not know yet: no figure counts them; they move to dossier_counts when it does.
create table dossier_parked_counts (
    month date not null,
    source text not null,
    agency_id integer not null,
    service_code text not null,
    channel smallint not null,
    received integer not null,
    resolved_early integer not null,
    resolved_on_time integer not null,
    resolved_late integer not null,
    withdrawn integer not null,
    carried_in integer not null,
    in_progress_on_time integer not null,
    in_progress_overdue integer not null,
    constraint dossier_parked_counts_pkey primary key (month, source, agency_id, service_code, channel),
    constraint dossier_parked_counts_channel_check check (channel between 1 and 3)
);
create index dossier_parked_counts_service_code_idx on dossier_parked_counts (service_code);
comment on table dossier_parked_counts is 'Delivered rows of procedures that the catalogue does not know yet.';
alter table dossier_batches add column parked integer not null default 0;
comment on column dossier_batches.parked is 'Rows of the batch that wait for their procedure to become known.';

-- The primary key begins with the month: of a source''s month it reads no more than that month.
drop index dossier_counts_source_idx;

-- Half-full pages let a changed row stay on its page, so that a correction touches no index.
do $$
declare
    part regclass;
begin
    for part in select inhrelid from pg_inherits where inhparent = 'dossier_counts'::regclass loop
        execute format('alter table %s set (fillfactor = 50)', part);
    end loop;
end
$$;

-- The commit that changes what answers are made of tells every instance; the notice tells the one whose statement it was
-- before the commit is answered (docs/adr/0011).
create function tell_change() returns trigger language plpgsql as $$
begin
    perform pg_notify('ict_index_changes', tg_argv[0]);
    raise notice 'ict_index_changes' using detail = tg_argv[0];
    return null;
end
$$;
comment on function tell_change is 'Tells listeners, at the commit, which kind of cached knowledge has changed; and the session at once.';

-- Everything that a statistic reads …
create trigger dossier_batches_tell after insert or truncate on dossier_batches for each statement execute function tell_change('figures');
create trigger dossier_counts_tell after insert or update or delete or truncate on dossier_counts for each statement execute function tell_change('figures');
create trigger dossier_agency_rollups_tell after insert or update or delete or truncate on dossier_agency_rollups for each statement execute function tell_change('figures');
create trigger dossier_service_rollups_tell after insert or update or delete or truncate on dossier_service_rollups for each statement execute function tell_change('figures');
create trigger services_tell after insert or update or delete or truncate on services for each statement execute function tell_change('figures');
create trigger service_statuses_tell after insert or update or delete or truncate on service_statuses for each statement execute function tell_change('figures');
create trigger service_levels_tell after insert or update or delete or truncate on service_levels for each statement execute function tell_change('figures');
create trigger service_agencies_tell after insert or update or delete or truncate on service_agencies for each statement execute function tell_change('figures');
create trigger agencies_tell after insert or update or delete or truncate on agencies for each statement execute function tell_change('figures');
create trigger targets_tell after insert or update or delete or truncate on targets for each statement execute function tell_change('figures');
-- … and a principal. What is new changes nobody: no token was made for it yet.
create trigger agencies_tell_scopes after insert or update or delete or truncate on agencies for each statement execute function tell_change('callers');
create trigger users_tell after update or delete or truncate on users for each statement execute function tell_change('callers');
create trigger clients_tell after update or delete or truncate on clients for each statement execute function tell_change('callers');
create trigger sessions_tell after update of id, user_id, revoked_at, expires_at or delete or truncate on sessions for each statement execute function tell_change('callers');
