create table targets (
    id uuid not null,
    subject text not null,
    code text not null,
    scope text not null,
    agency_id integer,
    year integer not null,
    comparator text not null,
    value numeric(24, 6) not null,
    value_to numeric(24, 6),
    unit text,
    due date not null,
    source text not null,
    version integer not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint targets_pkey primary key (id),
    constraint targets_agency_id_fkey foreign key (agency_id) references agencies (id),
    constraint targets_subject_check check (subject in ('indicator', 'metric')),
    constraint targets_scope_check check (scope in ('province', 'agency')),
    constraint targets_comparator_check check (comparator in ('gte', 'gt', 'lte', 'between')),
    constraint targets_between_check check ((comparator = 'between') = (value_to is not null) and value <= coalesce(value_to, value)),
    constraint targets_agency_check check (agency_id is null or scope = 'agency')
);
create unique index targets_natural_key on targets (subject, code, scope, coalesce(agency_id, 0), year);
create index targets_agency_id_idx on targets (agency_id);
comment on column targets.code is 'Indicator code (perhaps with a breakdown after a colon), or the id of the rate it is tested against.';
comment on column targets.agency_id is 'With scope agency: that one; null: every agency.';
comment on column targets.value is 'In percent for a metric, else in the indicator''s unit.';
