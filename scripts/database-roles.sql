-- The database of the service and its logins; may be run again. For psql, as an administrator of the cluster:
--
--   psql -U postgres -f database-roles.sql [-v owner=… -v service=… -v database=… -v secrets=DIRECTORY]
--
-- owner (ict_index)            owns the tables: migrate, seed, user add, verify, audit, backups. Sees past row-level security, is no superuser
-- service (ict_index_service)  what `serve` connects as: a member of ict_index_app and nothing else
--
-- Their passwords are read from the files owner_password and service_password in the directory.
\set ON_ERROR_STOP on
\if :{?owner} \else \set owner ict_index \endif
\if :{?service} \else \set service ict_index_service \endif
\if :{?database} \else \set database ict_index \endif
\if :{?secrets} \else \set secrets /run/secrets \endif
\setenv ICT_INDEX_SECRETS :secrets
\set owner_password `cat "$ICT_INDEX_SECRETS/owner_password"`
\set service_password `cat "$ICT_INDEX_SECRETS/service_password"`
-- An empty one would let no login in, or every one.
select length(:'owner_password') >= 12 and length(:'service_password') >= 12 as passwords_are_there \gset
\if :passwords_are_there
\else
  \warn 'owner_password and service_password: each needs a file with 12 characters or more'
  select 1 / 0 as passwords_are_missing;
\endif

-- Statements with passwords must not be readable in the server's log.
set log_statement = 'none';
set log_min_duration_statement = -1;
set log_min_error_statement = 'panic';
set password_encryption = 'scram-sha-256';

select format('create role %I', name) from unnest(array[:'owner', :'service', 'ict_index_app', 'ict_index_read']) as name
where not exists (select 1 from pg_roles where rolname = name) \gexec

-- The first role of a cluster stays a superuser: where that is the owner (clusters of before), it is not what `serve` connects as.
select format('alter role %I nosuperuser nocreatedb nocreaterole noreplication nobypassrls', rolname) from pg_roles
where rolname in (:'owner', :'service', 'ict_index_app', 'ict_index_read') and oid <> 10 \gexec
alter role :"owner" login password :'owner_password';
alter role :"service" login password :'service_password';
alter role ict_index_app nologin;
alter role ict_index_read nologin;
grant ict_index_app to :"owner";
grant ict_index_app to :"service";

select format('create database %I owner %I', :'database', :'owner')
where not exists (select 1 from pg_database where datname = :'database') \gexec
revoke all on database :"database" from public;
grant connect on database :"database" to :"service", ict_index_read;
