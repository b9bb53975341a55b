create table services (
    id integer generated always as identity,
    code text not null,
    name text not null,
    name_search text not null,
    field text not null,
    tier text not null,
    status text not null,
    duplicate_of_id integer,
    postal boolean not null,
    information_complete boolean not null,
    forms_complete boolean not null,
    version integer not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint services_pkey primary key (id),
    constraint services_code_key unique (code),
    constraint services_duplicate_of_id_fkey foreign key (duplicate_of_id) references services (id),
    constraint services_tier_check check (tier in ('province', 'district', 'commune')),
    constraint services_status_check check (status in ('in_force', 'abolished', 'duplicate')),
    constraint services_duplicate_check check ((status = 'duplicate') = (duplicate_of_id is not null)),
    constraint services_duplicate_other_check check (duplicate_of_id <> id)
);
create index services_duplicate_of_id_idx on services (duplicate_of_id);
create index services_field_idx on services (field);
comment on table services is 'Administrative procedures; the code is the key, never the title.';
comment on column services.status is 'Status in force today; its history is in service_statuses.';

create table service_statuses (
    service_id integer not null,
    effective_from date not null,
    status text not null,
    constraint service_statuses_pkey primary key (service_id, effective_from),
    constraint service_statuses_service_id_fkey foreign key (service_id) references services (id),
    constraint service_statuses_status_check check (status in ('in_force', 'abolished', 'duplicate'))
);
comment on table service_statuses is 'Status from a day on, so that a past period does not drift; the first row begins at 0001-01-01 (-infinity is no calendar date to a client).';

create table service_agencies (
    service_id integer not null,
    agency_id integer not null,
    constraint service_agencies_pkey primary key (service_id, agency_id),
    constraint service_agencies_service_id_fkey foreign key (service_id) references services (id),
    constraint service_agencies_agency_id_fkey foreign key (agency_id) references agencies (id)
);
create index service_agencies_agency_id_idx on service_agencies (agency_id);

create table service_levels (
    service_id integer not null,
    effective_from date not null,
    level smallint not null,
    decision text not null,
    created_at timestamptz not null,
    constraint service_levels_pkey primary key (service_id, effective_from),
    constraint service_levels_service_id_fkey foreign key (service_id) references services (id),
    constraint service_levels_level_check check (level between 1 and 4)
);
comment on table service_levels is 'Level (decree 43/2011) from a day on, by a decision.';
