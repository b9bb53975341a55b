create table plans (
    code text not null,
    number text not null,
    title text not null,
    title_search text not null,
    year integer not null,
    issued_on date not null,
    issuer_id integer not null,
    framework_code text,
    version integer not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint plans_pkey primary key (code),
    constraint plans_issuer_id_fkey foreign key (issuer_id) references agencies (id),
    constraint plans_year_check check (year between 1900 and 2199)
);
create index plans_issuer_id_idx on plans (issuer_id);
comment on column plans.number is 'Number of the document, such as 332/KH-UBND.';
comment on column plans.title_search is 'Folded title, number and code.';
comment on column plans.framework_code is 'Framework the plan works towards; text, as a plan may come before its framework.';

create table tasks (
    code text not null,
    plan_code text not null,
    section text not null,
    title text not null,
    title_search text not null,
    range_from date,
    range_to date,
    due_date date,
    source text,
    cancelled_at timestamptz,
    version integer not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint tasks_pkey primary key (code),
    constraint tasks_plan_code_fkey foreign key (plan_code) references plans (code),
    constraint tasks_range_check check ((range_from is null) = (range_to is null) and range_from < range_to),
    constraint tasks_deadline_check check (num_nonnulls(range_to, due_date) > 0)
);
create index tasks_plan_code_idx on tasks (plan_code);
comment on column tasks.range_from is 'First day of the first quarter.';
comment on column tasks.range_to is 'Last day of the last quarter.';
comment on column tasks.due_date is 'A date of its own; the deadline where there is one, else range_to is.';
comment on column tasks.source is 'Where the plan says so.';
comment on column tasks.cancelled_at is 'The whole task was given up; null: it was not.';

create table task_parties (
    task_code text not null,
    role text not null,
    position integer not null,
    agency_id integer,
    group_code text,
    constraint task_parties_pkey primary key (task_code, role, position),
    constraint task_parties_task_code_fkey foreign key (task_code) references tasks (code),
    constraint task_parties_agency_id_fkey foreign key (agency_id) references agencies (id),
    constraint task_parties_group_code_fkey foreign key (group_code) references agency_groups (code),
    constraint task_parties_agency_key unique (task_code, role, agency_id),
    constraint task_parties_group_key unique (task_code, role, group_code),
    constraint task_parties_role_check check (role in ('lead', 'coordinator')),
    constraint task_parties_one_check check (num_nonnulls(agency_id, group_code) = 1)
);
create index task_parties_agency_id_idx on task_parties (agency_id);
create index task_parties_group_code_idx on task_parties (group_code);
comment on table task_parties is 'Leads and coordinators as the plan names them: an agency or a group. View task_agencies has the agencies meant.';

create table task_indicators (
    task_code text not null,
    indicator_code text not null,
    constraint task_indicators_pkey primary key (task_code, indicator_code),
    constraint task_indicators_task_code_fkey foreign key (task_code) references tasks (code),
    constraint task_indicators_indicator_code_fkey foreign key (indicator_code) references indicators (code)
);
create index task_indicators_indicator_code_idx on task_indicators (indicator_code);

-- Lateral, so that a condition on task_code is met before anything is expanded.
create view task_agencies as
select t.code as task_code, m.role, m.agency_id
from tasks t
join plans p on p.code = t.plan_code
cross join lateral (
    select daterange(least(d.first_day, d.last_day), d.last_day, '[]') as days, d.last_day
    from (select coalesce(t.range_from, make_date(p.year, 1, 1)) as first_day, greatest(t.range_to, t.due_date) as last_day) d
) w
cross join lateral (
    with recursive members (role, agency_id) as (
        select n.role, a.id
        from task_parties n
        left join agency_groups g on g.code = n.group_code
        join agencies a on a.id = n.agency_id
            or (a.kind = any (g.kinds) and daterange(a.valid_from, a.valid_to) && w.days)
            or exists (select 1 from agency_group_members l where l.group_code = n.group_code and l.agency_id = a.id)
        where n.task_code = t.code
        union
        -- Also of those that ended before the task began: who was named then is answered for by the successor.
        select m.role, l.successor_id
        from members m
        join agencies a on a.id = m.agency_id and a.valid_to <= w.last_day
        join agency_successors l on l.agency_id = a.id
    )
    select m.role, m.agency_id from members m
    join agencies a on a.id = m.agency_id and daterange(a.valid_from, a.valid_to) && w.days
) m;
comment on view task_agencies is 'Leads and coordinators of a task at its dates: groups are their members, and who ends meanwhile is followed by the successors.';

create table task_progress (
    task_code text not null,
    agency_id integer not null,
    percent smallint not null default 0,
    completed_on date,
    reported_at timestamptz,
    confirmed_at timestamptz,
    confirmed_deadline date,
    cancelled_at timestamptz,
    due_date date,
    was_overdue boolean not null default false,
    constraint task_progress_pkey primary key (task_code, agency_id),
    constraint task_progress_task_code_fkey foreign key (task_code) references tasks (code),
    constraint task_progress_agency_id_fkey foreign key (agency_id) references agencies (id),
    constraint task_progress_percent_check check (percent between 0 and 100),
    constraint task_progress_completed_check check ((percent = 100) = (completed_on is not null)),
    constraint task_progress_confirmed_check check ((confirmed_at is null) = (confirmed_deadline is null) and (confirmed_at is null or percent = 100))
);
create index task_progress_agency_id_idx on task_progress (agency_id);
comment on table task_progress is 'Where each lead agency stands now; kept when an agency leads no more. Status is derived, never stored.';
comment on column task_progress.confirmed_deadline is 'Deadline at confirmation: a later extension of the task does not make a late lead punctual.';
comment on column task_progress.due_date is 'Extension for this lead alone.';
comment on column task_progress.was_overdue is 'It was overdue when its deadline was moved.';

create table task_updates (
    id uuid not null,
    task_code text not null,
    agency_id integer not null,
    percent smallint not null,
    narrative text not null,
    evidence text[] not null,
    completed_on date,
    actor text not null,
    at timestamptz not null,
    constraint task_updates_pkey primary key (id),
    constraint task_updates_task_code_fkey foreign key (task_code) references tasks (code),
    constraint task_updates_agency_id_fkey foreign key (agency_id) references agencies (id)
);
create index task_updates_task_code_idx on task_updates (task_code, id);
create index task_updates_agency_id_idx on task_updates (agency_id);
comment on table task_updates is 'What lead agencies reported; append-only.';

create table task_transitions (
    id uuid not null,
    task_code text not null,
    agency_id integer,
    action text not null,
    reason text,
    due_date date,
    actor text not null,
    at timestamptz not null,
    constraint task_transitions_pkey primary key (id),
    constraint task_transitions_task_code_fkey foreign key (task_code) references tasks (code),
    constraint task_transitions_agency_id_fkey foreign key (agency_id) references agencies (id),
    constraint task_transitions_action_check check (action in ('confirm', 'reopen', 'cancel', 'extend'))
);
create index task_transitions_task_code_idx on task_transitions (task_code, id);
create index task_transitions_agency_id_idx on task_transitions (agency_id);
comment on table task_transitions is 'What the coordinating department decided; append-only.';
comment on column task_transitions.agency_id is 'The lead it is about; null: the task, or all its leads.';

create function task_history_is_final() returns trigger language plpgsql as $$
begin
    raise exception 'the history of tasks is append-only';
end
$$;
create trigger task_updates_final before update or delete on task_updates
    for each row execute function task_history_is_final();
create trigger task_transitions_final before update or delete on task_transitions
    for each row execute function task_history_is_final();
