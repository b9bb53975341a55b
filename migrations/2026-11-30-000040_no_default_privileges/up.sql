-- Nothing is granted by default: a new table, partition or view was the application's before any migration had put it under a policy.
insert into table_privileges (relation, application, reading) values
    ('reported_dossier_history', 'select', 'select'),
    ('reported_dossiers', 'select', 'select'),
    ('reported_figures', 'select', 'select'),
    ('reported_progress', 'select', 'select'),
    ('reported_submissions', 'select', 'select'),
    ('task_agencies', 'select', 'select');
comment on table table_privileges is 'What ict_index_app and ict_index_read may do with a table where it is not all and reading, and with a view where it is not nothing. grant_service_roles() puts it into force.';

create or replace function grant_service_roles() returns void language plpgsql as $$
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
        -- From 16 on, who has made a role is its member without being allowed to become it.
        if not pg_has_role(current_user, 'ict_index_app',
            case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end) then
            execute format('grant ict_index_app to %I', current_user);
        end if;
    exception
        when insufficient_privilege then
            raise exception 'the roles of the service are missing, and % may not make them', current_user
                using hint = format('As an administrator: create role ict_index_app nologin; create role ict_index_read nologin; '
                    'grant ict_index_app to %I;', current_user);
    end;
    grant usage on schema public to ict_index_app, ict_index_read;
    -- A partition has no policies of its own: it is reached by its parent alone. A view has its owner's rights unless it says
    -- otherwise: it is listed, or not granted.
    for relation in
        select c.oid::regclass as name,
            case when c.relispartition then '' else coalesce(p.application, case
                when c.relkind in ('r', 'p') then 'select, insert, update, delete'
                when o.is_invoker then 'select' else '' end) end as application,
            case when c.relispartition then '' else coalesce(p.reading, case
                when c.relkind in ('r', 'p') or o.is_invoker then 'select' else '' end) end as reading
        from pg_class c left join table_privileges p on p.relation = c.relname
        cross join lateral (select c.relkind = 'v' and coalesce((select option_value::boolean from pg_options_to_table(c.reloptions)
            where option_name = 'security_invoker'), false) as is_invoker) o
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
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
    -- What is made later is not granted until a migration has put it under a policy and called this again.
    alter default privileges in schema public revoke all on sequences from ict_index_app, ict_index_read;
    alter default privileges in schema public revoke all on tables from ict_index_app, ict_index_read;
end
$$;
select grant_service_roles();
