-- The roles stay: they belong to the cluster, and other databases may use them.
alter default privileges in schema public revoke all on tables from ict_index_app;
alter default privileges in schema public revoke all on sequences from ict_index_app;
revoke all on all sequences in schema public from ict_index_app;
revoke all on all tables in schema public from ict_index_app, ict_index_read;
revoke all on schema public from ict_index_app, ict_index_read;
drop function grant_service_roles;
drop table table_privileges;

drop view reported_dossier_history;
drop view reported_dossiers;
drop view reported_progress;
drop view reported_figures;
drop view reported_submissions;

do $$
declare
    policy record;
begin
    for policy in select policyname, tablename from pg_policies where schemaname = 'public' loop
        execute format('drop policy %I on %I', policy.policyname, policy.tablename);
        execute format('alter table %I disable row level security', policy.tablename);
    end loop;
end
$$;
drop function wall_caller;
drop function wall_agencies;
drop function wall_sees_all;
