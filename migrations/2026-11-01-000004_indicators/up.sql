create table frameworks (
    code text not null,
    name text not null,
    unit_type text not null,
    status text not null,
    rank_decimals integer not null,
    rank_ties text not null,
    missing text not null,
    version integer not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint frameworks_pkey primary key (code),
    constraint frameworks_status_check check (status in ('official', 'assumed')),
    constraint frameworks_rank_ties_check check (rank_ties in ('competition', 'dense')),
    constraint frameworks_rank_decimals_check check (rank_decimals between 0 and 10),
    constraint frameworks_missing_check check (missing in ('exclude_and_reweight', 'zero', 'block'))
);
comment on table frameworks is 'A way to compute an index, as data: a new one needs no release.';
comment on column frameworks.unit_type is 'What is scored: province, agency, district, commune.';
comment on column frameworks.rank_decimals is 'Decimals the score is rounded to before it is ranked.';

create table framework_nodes (
    framework_code text not null,
    code text not null,
    parent_code text,
    position integer not null,
    name text not null,
    weight numeric(24, 6) not null,
    aggregate text,
    renormalise text,
    direction smallint,
    normalise jsonb,
    max_points numeric(24, 6),
    constraint framework_nodes_pkey primary key (framework_code, code),
    constraint framework_nodes_framework_code_fkey foreign key (framework_code) references frameworks (code),
    constraint framework_nodes_parent_fkey foreign key (framework_code, parent_code) references framework_nodes (framework_code, code),
    constraint framework_nodes_aggregate_check check (aggregate in ('arithmetic', 'geometric', 'harmonic', 'sum')),
    constraint framework_nodes_direction_check check (direction in (1, -1)),
    constraint framework_nodes_leaf_check check ((aggregate is null) = (normalise is not null))
);
create index framework_nodes_parent_idx on framework_nodes (framework_code, parent_code);
comment on table framework_nodes is 'The tree: a node aggregates its children, a leaf normalises the figure of one indicator.';
comment on column framework_nodes.normalise is 'Of a leaf: {method, lo?, hi?, scale?}.';

create table indicators (
    code text not null,
    group_code text not null,
    subgroup_code text not null,
    name text not null,
    name_search text not null,
    numerator_name text,
    denominator_name text,
    unit text not null,
    direction text not null,
    definition_status text not null,
    version integer not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint indicators_pkey primary key (code),
    constraint indicators_direction_check check (direction in ('up', 'down')),
    constraint indicators_definition_status_check check (definition_status in ('official', 'assumed')),
    constraint indicators_ratio_check check ((numerator_name is null) = (denominator_name is null))
);
comment on column indicators.unit is 'percent, per_100, ratio, kbps_per_head, score, …; percent: the numerator is part of the denominator.';
comment on column indicators.numerator_name is 'Null, like the denominator, for an indicator that is reported as a value.';

create table indicator_baselines (
    indicator_code text not null,
    year integer not null,
    value numeric(24, 6) not null,
    unit text not null,
    note text not null,
    constraint indicator_baselines_pkey primary key (indicator_code, year),
    constraint indicator_baselines_indicator_code_fkey foreign key (indicator_code) references indicators (code)
);
comment on table indicator_baselines is 'Figures the plan names of years before it.';

create table national_results (
    index_year integer not null,
    node text not null,
    score numeric(24, 6),
    rank integer,
    units integer,
    source text not null,
    version integer not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint national_results_pkey primary key (index_year, node),
    constraint national_results_rank_check check (rank between 1 and units)
);
comment on table national_results is 'Published results; beside what is computed here, never mixed with it.';
comment on column national_results.units is 'How many provinces were ranked.';
