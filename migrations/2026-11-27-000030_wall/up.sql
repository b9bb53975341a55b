-- A second wall behind the filters of the service (docs/adr/0012): what an agency owns is shown by the database itself only to
-- whoever says that it is theirs. The owner of the tables sees past it; the service works as ict_index_app and does not.

-- --- who asks: settings that the service makes for each piece of work ---

create function wall_sees_all() returns boolean language sql stable parallel safe as $$
    select coalesce(pg_catalog.current_setting('ict_index.scope', true), '') = 'all'
$$;
comment on function wall_sees_all is 'The work is of somebody who sees every agency. Without the setting: of nobody.';

create function wall_agencies() returns integer[] language sql stable parallel safe as $$
    select case when pg_catalog.current_setting('ict_index.scope', true) ~ '^\{[0-9]+(,[0-9]+)*\}$'
        then pg_catalog.current_setting('ict_index.scope', true)::integer[] else '{}'::integer[] end
$$;
comment on function wall_agencies is 'Agencies that the work may see and change. Without the setting: none.';

create function wall_caller() returns text language sql stable parallel safe as $$
    select coalesce(pg_catalog.current_setting('ict_index.caller', true), '')
$$;
comment on function wall_caller is 'Whose repeated requests are answered; "system" for housekeeping, which no caller is named.';

-- --- policies. `(select …)` makes a question of each statement, not of each row ---

alter table submissions enable row level security;
create policy submissions_wall on submissions
    using ((select wall_sees_all()) or agency_id = any ((select wall_agencies())::integer[]));
alter table task_progress enable row level security;
create policy task_progress_wall on task_progress
    using ((select wall_sees_all()) or agency_id = any ((select wall_agencies())::integer[]));
alter table task_updates enable row level security;
create policy task_updates_wall on task_updates
    using ((select wall_sees_all()) or agency_id = any ((select wall_agencies())::integer[]));
-- A decision about the whole task is for everybody who sees the task.
alter table task_transitions enable row level security;
create policy task_transitions_wall on task_transitions
    using ((select wall_sees_all()) or agency_id = any ((select wall_agencies())::integer[]) or agency_id is null)
    with check ((select wall_sees_all()) or agency_id = any ((select wall_agencies())::integer[]));
alter table dossier_counts enable row level security;
create policy dossier_counts_wall on dossier_counts
    using ((select wall_sees_all()) or agency_id = any ((select wall_agencies())::integer[]));
alter table dossier_count_history enable row level security;
create policy dossier_count_history_wall on dossier_count_history
    using ((select wall_sees_all()) or agency_id = any ((select wall_agencies())::integer[]));
alter table dossier_parked_counts enable row level security;
create policy dossier_parked_counts_wall on dossier_parked_counts
    using ((select wall_sees_all()) or agency_id = any ((select wall_agencies())::integer[]));

-- What hangs on a submission is seen with it: the policy of submissions decides. Asked by key for each row, of
-- which there are few where it is asked (`exists` would be answered by reading all submissions).
alter table submission_values enable row level security;
create policy submission_values_wall on submission_values
    using ((select wall_sees_all()) or (select true from submissions s where s.id = submission_id));
alter table submission_revisions enable row level security;
create policy submission_revisions_wall on submission_revisions
    using ((select wall_sees_all()) or (select true from submissions s where s.id = submission_id));
alter table submission_revision_values enable row level security;
create policy submission_revision_values_wall on submission_revision_values
    using ((select wall_sees_all()) or (select true from submissions s where s.id = submission_id));
alter table submission_transitions enable row level security;
create policy submission_transitions_wall on submission_transitions
    using ((select wall_sees_all()) or (select true from submissions s where s.id = submission_id));

alter table idempotency_keys enable row level security;
create policy idempotency_keys_wall on idempotency_keys
    using (caller = (select wall_caller()) or (select wall_caller()) = 'system');

-- Everybody's work is recorded; the trail is read by those who see every agency.
alter table audit_events enable row level security;
create policy audit_events_are_written on audit_events for insert with check (true);
create policy audit_events_wall on audit_events for select using ((select wall_sees_all()));

-- --- what statistics lawfully count of all agencies: figures that count, and how far everybody is; no words ---

create view reported_submissions as
select s.agency_id, s.month, s.state, s.accepted_revision is not null as accepted,
    (select min(r.submitted_at at time zone 'Asia/Ho_Chi_Minh')::date from submission_revisions r
     where r.submission_id = s.id and r.outcome is distinct from 'withdrawn') as submitted_on
from submissions s;
comment on view reported_submissions is 'Who has reported a month, when, and how it stands; of every agency, past the wall.';

create view reported_figures as
select s.agency_id, s.month, v.indicator_code, v.numerator, v.denominator, v.value
from submissions s join submission_revision_values v on v.submission_id = s.id and v.revision = s.accepted_revision;
comment on view reported_figures is 'Accepted figures, without notes; of every agency, past the wall.';

create view reported_progress as
select task_code, agency_id, percent, completed_on, confirmed_deadline, cancelled_at is not null as cancelled, due_date
from task_progress;
comment on view reported_progress is 'What the state of a task is computed from; of every lead, past the wall.';

create view reported_dossiers as select * from dossier_counts;
comment on view reported_dossiers is 'Dossier counts, which statistics sum; of every agency, past the wall.';

create view reported_dossier_history as select * from dossier_count_history;
comment on view reported_dossier_history is 'Dossier counts as they were; of every agency, past the wall.';

-- --- roles ---

create table table_privileges (
    relation text not null,
    application text not null,
    reading text not null,
    constraint table_privileges_pkey primary key (relation)
);
comment on table table_privileges is 'What ict_index_app and ict_index_read may do with a table where it is not all and reading. grant_service_roles() puts it into force.';
comment on column table_privileges.application is 'Privileges as GRANT names them; empty: none.';
comment on column table_privileges.reading is 'Likewise; may name columns.';
insert into table_privileges (relation, application, reading) values
    ('__diesel_schema_migrations', 'select', 'select'),
    ('table_privileges', 'select', 'select'),
    -- What is only ever added.
    ('audit_events', 'select, insert', 'select'),
    ('dossier_batches', 'select, insert', 'select'),
    ('dossier_count_history', 'select, insert', 'select'),
    ('index_run_scores', 'select, insert', 'select'),
    ('month_transitions', 'select, insert', 'select'),
    ('observation_sets', 'select, insert', 'select'),
    ('submission_revision_values', 'select, insert', 'select'),
    ('submission_transitions', 'select, insert', 'select'),
    ('task_transitions', 'select, insert', 'select'),
    ('task_updates', 'select, insert', 'select'),
    -- What is added and settled.
    ('index_runs', 'select, insert, update', 'select'),
    ('submission_revisions', 'select, insert, update', 'select'),
    -- What batches wait in.
    ('dossier_stage_1', 'select, insert, update, delete, truncate', ''),
    ('dossier_stage_2', 'select, insert, update, delete, truncate', ''),
    ('dossier_stage_3', 'select, insert, update, delete, truncate', ''),
    ('dossier_stage_4', 'select, insert, update, delete, truncate', ''),
    -- Secrets, and answers that hold what they were given for.
    ('users', 'select, insert, update, delete', 'select (id, username, display_name, role, agency_id, disabled_at, version, created_at, updated_at)'),
    ('sessions', 'select, insert, update, delete', 'select'),
    ('refresh_tokens', 'select, insert, update, delete', ''),
    ('client_secrets', 'select, insert, update, delete', ''),
    ('idempotency_keys', 'select, insert, update, delete', ''),
    ('login_failures', 'select, insert, update, delete', '');

create function grant_service_roles() returns void language plpgsql as $$
declare
    role_name text;
    relation record;
begin
    begin
        -- Roles belong to the cluster: other databases may make them at the same moment.
        foreach role_name in array array['ict_index_app', 'ict_index_read'] loop
            if not exists (select 1 from pg_roles where rolname = role_name) then
                begin
                    execute format('create role %I nologin', role_name);
                exception
                    when duplicate_object or unique_violation then null;
                end;
            end if;
        end loop;
        -- So that a service that connects as the owner can drop to it.
        if not pg_has_role(current_user, 'ict_index_app', 'member') then
            execute format('grant ict_index_app to %I', current_user);
        end if;
    exception
        when insufficient_privilege then
            raise exception 'the roles of the service are missing, and % may not make them', current_user
                using hint = format('As an administrator: create role ict_index_app nologin; create role ict_index_read nologin; '
                    'grant ict_index_app to %I;', current_user);
    end;
    grant usage on schema public to ict_index_app, ict_index_read;
    -- Not the partitions: on them no policy holds.
    for relation in
        select c.oid::regclass as name,
            coalesce(p.application, case when c.relkind = 'v' then 'select' else 'select, insert, update, delete' end) as application,
            coalesce(p.reading, 'select') as reading
        from pg_class c left join table_privileges p on p.relation = c.relname
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v') and not c.relispartition
    loop
        execute format('revoke all on %s from ict_index_app, ict_index_read', relation.name);
        if relation.application <> '' then
            execute format('grant %s on %s to ict_index_app', relation.application, relation.name);
        end if;
        if relation.reading <> '' then
            execute format('grant %s on %s to ict_index_read', relation.reading, relation.name);
        end if;
    end loop;
    -- For numbers that are taken before their rows are written.
    grant usage on all sequences in schema public to ict_index_app;
    -- What later migrations make, until they say otherwise.
    alter default privileges in schema public grant usage on sequences to ict_index_app;
    alter default privileges in schema public grant select, insert, update, delete on tables to ict_index_app;
end
$$;
comment on function grant_service_roles is 'Makes the roles where they are missing and puts table_privileges into force; after a migration that changes them, and after a restore.';
select grant_service_roles();
