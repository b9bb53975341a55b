create table agencies (
    id integer generated always as identity,
    code text not null,
    name text not null,
    name_en text,
    name_search text not null,
    kind text not null,
    parent_id integer,
    gso_code text,
    qcvn102_code text,
    eid_code text,
    valid_from date,
    valid_to date,
    dossier_source text,
    version integer not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint agencies_pkey primary key (id),
    constraint agencies_code_key unique (code),
    constraint agencies_parent_id_fkey foreign key (parent_id) references agencies (id),
    constraint agencies_kind_check check (kind in ('province', 'department', 'district', 'commune', 'vertical', 'media', 'enterprise')),
    constraint agencies_validity_check check (valid_from < valid_to),
    constraint agencies_gso_code_excl exclude using gist (gso_code with =, daterange(valid_from, valid_to) with &&)
);
create index agencies_parent_id_idx on agencies (parent_id);
create index agencies_name_idx on agencies (name collate "vi-x-icu", code);
comment on column agencies.name_search is 'Folded name and code: no case, no diacritics, d for đ.';
comment on column agencies.valid_from is 'First day; null: as long as anyone remembers.';
comment on column agencies.valid_to is 'First day on which it no longer exists (half-open range); null: still exists.';
comment on column agencies.gso_code is 'Statistics code; unique only together with its validity.';
comment on column agencies.dossier_source is 'The one source of its dossier counts: a feed or an agency code; null: whoever reports a month first.';

create table agency_successors (
    agency_id integer not null,
    successor_id integer not null,
    constraint agency_successors_pkey primary key (agency_id, successor_id),
    constraint agency_successors_agency_id_fkey foreign key (agency_id) references agencies (id),
    constraint agency_successors_successor_id_fkey foreign key (successor_id) references agencies (id),
    constraint agency_successors_other_check check (agency_id <> successor_id)
);
create index agency_successors_successor_id_idx on agency_successors (successor_id);

create table agency_groups (
    code text not null,
    name text not null,
    kinds text[] not null default '{}',
    constraint agency_groups_pkey primary key (code)
);
comment on column agency_groups.kinds is 'Every agency of these kinds is a member while it exists.';

create table agency_group_members (
    group_code text not null,
    agency_id integer not null,
    constraint agency_group_members_pkey primary key (group_code, agency_id),
    constraint agency_group_members_group_code_fkey foreign key (group_code) references agency_groups (code),
    constraint agency_group_members_agency_id_fkey foreign key (agency_id) references agencies (id)
);
create index agency_group_members_agency_id_idx on agency_group_members (agency_id);
comment on table agency_group_members is 'Members named one by one.';
