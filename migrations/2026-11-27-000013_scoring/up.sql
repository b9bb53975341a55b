-- A framework is one document; its nodes are kept beside it for joins.
alter table frameworks add column definition jsonb;

create function framework_node_as_document(framework text, node text) returns jsonb language sql stable as $$
    select jsonb_strip_nulls(jsonb_build_object(
        'code', n.code, 'name', n.name, 'weight', n.weight, 'aggregate', n.aggregate, 'renormalise', n.renormalise,
        'direction', n.direction, 'normalise', n.normalise, 'max_points', n.max_points,
        'children', (select jsonb_agg(framework_node_as_document(framework, c.code) order by c.position, c.code)
                     from framework_nodes c where c.framework_code = framework and c.parent_code = node)))
    from framework_nodes n where n.framework_code = framework and n.code = node
$$;
update frameworks f set definition = jsonb_build_object(
    'code', f.code, 'name', f.name, 'unit_type', f.unit_type, 'status', f.status,
    'rank', jsonb_build_object('decimals', f.rank_decimals, 'ties', f.rank_ties), 'missing', f.missing,
    'root', framework_node_as_document(f.code,
        (select n.code from framework_nodes n where n.framework_code = f.code and n.parent_code is null)));
drop function framework_node_as_document;
alter table frameworks alter column definition set not null;
comment on column frameworks.definition is 'The whole framework as the scoring engine reads it; never changed once written.';

alter table framework_nodes add column is_leaf boolean;
update framework_nodes set is_leaf = normalise is not null;
alter table framework_nodes
    alter column is_leaf set not null,
    drop column weight, drop column aggregate, drop column renormalise, drop column direction, drop column normalise,
    drop column max_points;
comment on table framework_nodes is 'The codes of a framework''s tree, written with its definition: what other tables join over.';
comment on column framework_nodes.is_leaf is 'Whether figures are observed under this code; alternatives of a best-of stand below their indicator, which is observed through them alone.';

create function refuse_other_definition() returns trigger language plpgsql as $$
begin
    raise exception 'the definition of a framework is never changed' using errcode = 'restrict_violation';
end $$;
create trigger frameworks_definition_is_kept before update on frameworks for each row
    when (old.definition is distinct from new.definition) execute function refuse_other_definition();

create table observation_sets (
    framework_code text not null,
    data_year integer not null,
    revision integer not null,
    rows jsonb not null,
    units jsonb not null,
    digest text not null,
    reason text,
    recorded_at timestamptz not null,
    recorded_by text not null,
    constraint observation_sets_pkey primary key (framework_code, data_year, revision),
    constraint observation_sets_framework_code_fkey foreign key (framework_code) references frameworks (code),
    constraint observation_sets_data_year_check check (data_year between 2000 and 2199),
    constraint observation_sets_revision_check check (revision >= 1)
);
comment on table observation_sets is 'What was observed of the units that a framework scores, whole, per data year; the highest revision counts, none is ever changed.';
comment on column observation_sets.rows is '[{unit, indicator, value | numerator + denominator, note?, source}], by unit and indicator.';
comment on column observation_sets.units is '[{code, peer_group?, attributes?, not_applicable?}]: what is known of units beside their figures.';
comment on column observation_sets.digest is 'SHA-256 of rows and units: the same again makes no revision.';

create table index_runs (
    id uuid not null,
    framework_code text not null,
    data_year integer not null,
    index_year integer not null,
    kind text not null,
    label text not null,
    observations_revision integer not null,
    engine_version text not null,
    input_hash text not null,
    units integer not null,
    version integer not null default 1,
    created_at timestamptz not null,
    created_by text not null,
    superseded_by uuid,
    superseded_at timestamptz,
    constraint index_runs_pkey primary key (id),
    constraint index_runs_observations_fkey foreign key (framework_code, data_year, observations_revision)
        references observation_sets (framework_code, data_year, revision),
    constraint index_runs_superseded_by_fkey foreign key (superseded_by) references index_runs (id),
    constraint index_runs_kind_check check (kind in ('provisional', 'official')),
    constraint index_runs_index_year_check check (index_year between 2000 and 2199),
    constraint index_runs_superseded_check check ((superseded_by is null) = (superseded_at is null))
);
create index index_runs_observations_idx on index_runs (framework_code, data_year, observations_revision);
create index index_runs_superseded_by_idx on index_runs (superseded_by);
create unique index index_runs_official_idx on index_runs (framework_code, index_year)
    where kind = 'official' and superseded_by is null;
comment on table index_runs is 'A framework computed on one revision of its observations. Never changed, but for what superseded it.';
comment on column index_runs.index_year is 'Year the index is named after; its data are often of the year before.';
comment on column index_runs.input_hash is 'SHA-256 over engine version, framework and input, whatever their order.';

create table index_run_scores (
    run_id uuid not null,
    node text not null,
    unit text not null,
    position integer not null,
    score numeric,
    rounded numeric,
    rank integer,
    band text,
    tied_with text[] not null,
    missing text[] not null,
    constraint index_run_scores_pkey primary key (run_id, position, unit),
    constraint index_run_scores_run_id_fkey foreign key (run_id) references index_runs (id)
);
create index index_run_scores_unit_idx on index_run_scores (run_id, unit, position);
comment on table index_run_scores is 'Every unit at every node of a run, as computed; verification computes them again.';
comment on column index_run_scores.position is 'Place of the node in the tree, the root 0.';
comment on column index_run_scores.rounded is 'Half up to the framework''s decimals: what is ranked.';
