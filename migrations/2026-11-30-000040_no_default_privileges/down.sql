delete from table_privileges where relation in ('reported_dossier_history', 'reported_dossiers', 'reported_figures', 'reported_progress', 'reported_submissions', 'task_agencies');
comment on table table_privileges is 'What ict_index_app and ict_index_read may do with a table where it is not all and reading. grant_service_roles() puts it into force.';

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
select grant_service_roles();
