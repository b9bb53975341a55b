drop table index_run_scores;
drop table index_runs;
drop table observation_sets;
drop trigger frameworks_definition_is_kept on frameworks;
drop function refuse_other_definition();

alter table framework_nodes
    add column weight numeric(24, 6),
    add column aggregate text,
    add column renormalise text,
    add column direction smallint,
    add column normalise jsonb,
    add column max_points numeric(24, 6);
-- Points have no place in the table as it was: such a leaf becomes its bare figure. Alternatives of a best-of had none at all.
with recursive nodes (framework_code, node) as (
    select code, definition -> 'root' from frameworks
    union all
    select n.framework_code, c.node from nodes n cross join lateral jsonb_array_elements(n.node -> 'children') as c (node)
)
update framework_nodes f set
    weight = coalesce((n.node ->> 'weight')::numeric, 1),
    aggregate = n.node ->> 'aggregate',
    renormalise = n.node ->> 'renormalise',
    direction = case when f.is_leaf then coalesce((n.node ->> 'direction')::smallint, 1) end,
    normalise = case when f.is_leaf then coalesce(n.node -> 'normalise', '{"method": "none"}') end,
    max_points = (n.node ->> 'max_points')::numeric
from nodes n where n.framework_code = f.framework_code and n.node ->> 'code' = f.code;
delete from framework_nodes where weight is null;
alter table framework_nodes
    drop column is_leaf,
    alter column weight set not null,
    add constraint framework_nodes_aggregate_check check (aggregate in ('arithmetic', 'geometric', 'harmonic', 'sum')),
    add constraint framework_nodes_direction_check check (direction in (1, -1)),
    add constraint framework_nodes_leaf_check check ((aggregate is null) = (normalise is not null));
comment on table framework_nodes is 'The tree: a node aggregates its children, a leaf normalises the figure of one indicator.';
comment on column framework_nodes.normalise is 'Of a leaf: {method, lo?, hi?, scale?}.';
alter table frameworks drop column definition;
