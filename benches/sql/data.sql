-- What is measured on: 200 agencies, 2,000 procedures with their levels, targets, submissions; and `bench.counts`, which makes the
-- dossier counts of a month. Everything is drawn from hashes of its own key: the same figures on every run and server.
create schema bench;

insert into agencies (code, name, name_search, kind, parent_id, dossier_source, created_at, updated_at)
select 'XA-' || lpad(n::text, 3, '0'), '[bench] Xã số ' || n, '[bench] xa so ' || n, 'commune',
       (select id from agencies where code = 'UBND-TINH'), 'vnpt', '2015-01-01', '2015-01-01'
from generate_series(1, 200) as n order by n;

create table bench.agencies as
select row_number() over (order by code)::int as n, id, code from agencies where code ~ '^XA-\d{3}$';
alter table bench.agencies add primary key (n);

insert into services (code, name, name_search, field, tier, status, postal, information_complete, forms_complete, created_at, updated_at)
select '9.' || lpad(n::text, 6, '0'), '[bench] Thủ tục số ' || n, '[bench] thu tuc so ' || n, 'Lĩnh vực ' || (n % 15 + 1), 'commune', 'in_force',
       true, true, true, '2015-01-01', '2015-01-01'
from generate_series(0, 1999) as n order by n;

create table bench.services as
select row_number() over (order by code)::int - 1 as n, id, code from services where code ~ '^9\.\d{6}$' and name like '[bench]%';
alter table bench.services add primary key (n);

insert into service_statuses (service_id, effective_from, status) select id, '0001-01-01', 'in_force' from bench.services;
-- Every fifth procedure rises by a level in the middle of the last year.
insert into service_levels (service_id, effective_from, level, decision, created_at)
select id, date '2014-01-01', n % 4 + 1, '[bench]', timestamptz '2014-01-01' from bench.services
union all
select id, '2024-07-01', least(n % 4 + 2, 4), '[bench]', '2024-07-01' from bench.services where n % 5 = 0;

-- Which procedure the p-th row of an agency's month is about, and through which channel.
create function bench.service_of(agency integer, p integer) returns integer language sql immutable as
$$ select (agency * 37 + p / 3) % 2000 $$;

insert into service_agencies (service_id, agency_id)
select distinct s.id, a.id from bench.agencies a cross join generate_series(0, 2999, 3) as p
join bench.services s on s.n = bench.service_of(a.n, p);

insert into targets (id, subject, code, scope, year, comparator, value, unit, due, source, created_at, updated_at)
select md5('bench' || m.code || scope || year)::uuid, 'metric', m.code, scope, year, 'gte', m.value, 'percent', make_date(year, 12, 31), '[bench]',
       '2015-01-01', '2015-01-01'
from (values ('dossiers_level_3_resolved', 60), ('dossiers_level_4_resolved', 40)) as m (code, value)
cross join unnest(array['province', 'agency']) as scope cross join generate_series(2015, 2026) as year
on conflict do nothing;

create function bench.drawn(agency integer, p integer, month date, salt bigint, below integer) returns integer language sql immutable as
$$ select ((hashint8extended((agency::bigint << 40) + (p::bigint << 20) + (extract(year from month)::int * 12 + extract(month from month)::int), salt)
           & 1073741823) % below)::int $$;

-- `pairs` rows for each agency. `before`: how many rows each agency had in the month before, whose stocks are carried in.
create function bench.counts(on_month date, pairs integer, before integer)
returns table (month date, agency_id integer, agency text, service_id integer, service text, channel smallint, received integer,
    resolved_early integer, resolved_on_time integer, resolved_late integer, withdrawn integer, carried_in integer,
    in_progress_on_time integer, in_progress_overdue integer)
language sql stable as $$
    select $1, a.id, a.code, s.id, s.code, (p % 3 + 1)::smallint, d.received, e.early, e.resolved - e.early - e.late, e.late, d.received / 20,
           d.carried_in, d.left_over - d.left_over / 4, d.left_over / 4
    from bench.agencies a cross join generate_series(0, $2 - 1) as p
    join bench.services s on s.n = bench.service_of(a.n, p)
    cross join lateral (select 10 + bench.drawn(a.n, p, $1, 1, 40) as received, bench.drawn(a.n, p, $1, 2, 8) as left_over,
        case when p < $3 then bench.drawn(a.n, p, ($1 - interval '1 month')::date, 2, 8) else 0 end as carried_in,
        bench.drawn(a.n, p, $1, 3, 25) as early, bench.drawn(a.n, p, $1, 4, 10) as late) as d
    cross join lateral (select d.received + d.carried_in - d.received / 20 - d.left_over as resolved) as r
    cross join lateral (select r.resolved, r.resolved * (20 + d.early) / 100 as early, r.resolved * d.late / 100 as late) as e
    order by a.id, s.id, 6
$$;

-- Drafts that officers write into, ten agencies' months each, with ids that pgbench can work out.
create table bench.submissions as
select row_number() over (order by a.n, m)::int as n, a.id as agency_id, m::date as month
from bench.agencies a cross join generate_series('2024-01-01'::date, '2024-10-01', interval '1 month') as m;
insert into submissions (id, agency_id, month, state, created_by, created_at, updated_at)
select ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, agency_id, month, 'draft', 'user:coordinator', now(), now() from bench.submissions;
create table bench.indicators as
select (row_number() over (order by code))::int - 1 as position, code from indicators where numerator_name is not null order by code limit 10;
insert into submission_values (submission_id, indicator_code, position, numerator, denominator)
select ('00000000-0000-7000-8000-' || lpad(s.n::text, 12, '0'))::uuid, i.code, i.position, 50, 100 from bench.submissions s cross join bench.indicators i;
