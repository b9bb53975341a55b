drop trigger sessions_tell on sessions;
drop trigger clients_tell on clients;
drop trigger users_tell on users;
drop trigger agencies_tell_scopes on agencies;
drop trigger targets_tell on targets;
drop trigger agencies_tell on agencies;
drop trigger service_agencies_tell on service_agencies;
drop trigger service_levels_tell on service_levels;
drop trigger service_statuses_tell on service_statuses;
drop trigger services_tell on services;
drop trigger dossier_service_rollups_tell on dossier_service_rollups;
drop trigger dossier_agency_rollups_tell on dossier_agency_rollups;
drop trigger dossier_counts_tell on dossier_counts;
drop trigger dossier_batches_tell on dossier_batches;
drop function tell_change;

do $$
declare
    part regclass;
begin
    for part in select inhrelid from pg_inherits where inhparent = 'dossier_counts'::regclass loop
        execute format('alter table %s reset (fillfactor)', part);
    end loop;
end
$$;

create index dossier_counts_source_idx on dossier_counts (source, month);
alter table dossier_batches drop column parked;
drop table dossier_parked_counts;

do $$
begin
    for slot in 1..4 loop
        execute format('drop table dossier_stage_%s', slot);
    end loop;
end
$$;

drop table dossier_service_rollups;
drop table dossier_agency_rollups;
