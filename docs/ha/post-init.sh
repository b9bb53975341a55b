#!/bin/sh
# Patroni runs this once, on the first leader, with a connection string of the superuser.
set -eu
psql -X -v ON_ERROR_STOP=1 -v owner="$ICT_INDEX_OWNER_PASSWORD" -v service="$ICT_INDEX_SERVICE_PASSWORD" "$1" <<'SQL'
create role ict_index_app nologin;
create role ict_index_read nologin;
-- The owner of the tables: migrate, seed, user add, verify, backups.
create role ict_index login createrole password :'owner';
grant ict_index_app, ict_index_read to ict_index with admin option;
-- What the instances log in as.
create role ict_index_service login password :'service' in role ict_index_app;
create database ict_index owner ict_index;
SQL
