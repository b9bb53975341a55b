create table submissions (
    id uuid not null,
    agency_id integer not null,
    month date not null,
    state text not null,
    revision integer,
    accepted_revision integer,
    submitted_by text,
    submitted_at timestamptz,
    decision text,
    decided_by text,
    decided_at timestamptz,
    decision_reason text,
    unlocked_closing integer,
    version integer not null default 1,
    created_by text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint submissions_pkey primary key (id),
    constraint submissions_natural_key unique (agency_id, month),
    constraint submissions_agency_id_fkey foreign key (agency_id) references agencies (id),
    constraint submissions_month_check check (extract(day from month) = 1),
    constraint submissions_state_check check (state in ('draft', 'submitted', 'returned', 'accepted')),
    constraint submissions_decision_check check (decision in ('return', 'accept', 'reopen')),
    constraint submissions_submitted_check check ((revision is null) = (submitted_by is null) and (revision is null) = (submitted_at is null)),
    constraint submissions_accepted_check check (accepted_revision <= revision)
);
create index submissions_month_idx on submissions (month);
create index submissions_accepted_revision_idx on submissions (id, accepted_revision);
comment on table submissions is 'An agency''s figures of a month: the working copy and where it stands. What was submitted is in submission_revisions.';
comment on column submissions.state is 'An accepted one is shown as locked while its month is closed.';
comment on column submissions.revision is 'Number of the latest frozen revision; null until the first submit.';
comment on column submissions.accepted_revision is 'The revision whose figures count; stays through a correction until the next one is accepted.';
comment on column submissions.decision is 'The coordinating department''s last one; the whole history is in submission_transitions.';
comment on column submissions.unlocked_closing is 'Version of the closing of its month in spite of which it was reopened; any other closing locks it.';

create table submission_values (
    submission_id uuid not null,
    indicator_code text not null,
    position integer not null,
    numerator numeric(24, 6),
    denominator numeric(24, 6),
    value numeric(24, 6),
    note text,
    constraint submission_values_pkey primary key (submission_id, indicator_code),
    constraint submission_values_submission_id_fkey foreign key (submission_id) references submissions (id) on delete cascade,
    constraint submission_values_indicator_code_fkey foreign key (indicator_code) references indicators (code),
    constraint submission_values_figures_check check ((numerator is null) = (denominator is null) and (numerator is null) <> (value is null)),
    constraint submission_values_sign_check check (least(numerator, denominator, value) >= 0)
);
create index submission_values_indicator_code_idx on submission_values (indicator_code);
comment on table submission_values is 'The working copy, replaced as a whole.';
comment on column submission_values.position is 'Place in the list as it was sent, from 0.';

create table submission_revisions (
    submission_id uuid not null,
    revision integer not null,
    submitted_by text not null,
    submitted_at timestamptz not null,
    outcome text,
    decided_by text,
    decided_at timestamptz,
    reason text,
    constraint submission_revisions_pkey primary key (submission_id, revision),
    constraint submission_revisions_submission_id_fkey foreign key (submission_id) references submissions (id),
    constraint submission_revisions_outcome_check check (outcome in ('accepted', 'returned', 'withdrawn')),
    constraint submission_revisions_decided_check check ((outcome is null) = (decided_by is null) and (outcome is null) = (decided_at is null)),
    constraint submission_revisions_revision_check check (revision >= 1)
);
comment on table submission_revisions is 'What was submitted, frozen; its outcome is set once.';

create table submission_revision_values (
    submission_id uuid not null,
    revision integer not null,
    indicator_code text not null,
    position integer not null,
    numerator numeric(24, 6),
    denominator numeric(24, 6),
    value numeric(24, 6),
    note text,
    constraint submission_revision_values_pkey primary key (submission_id, revision, indicator_code),
    constraint submission_revision_values_revision_fkey foreign key (submission_id, revision) references submission_revisions (submission_id, revision),
    constraint submission_revision_values_indicator_code_fkey foreign key (indicator_code) references indicators (code)
);
create index submission_revision_values_indicator_code_idx on submission_revision_values (indicator_code);
comment on table submission_revision_values is 'Figures of a frozen revision; never changed.';

alter table submissions add constraint submissions_accepted_revision_fkey
    foreign key (id, accepted_revision) references submission_revisions (submission_id, revision);

create function submission_revisions_are_frozen() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and old.outcome is null and new.outcome is not null
        and (new.submission_id, new.revision, new.submitted_by, new.submitted_at)
            = (old.submission_id, old.revision, old.submitted_by, old.submitted_at) then
        return new;
    end if;
    raise exception 'a submitted revision is frozen';
end
$$;
create trigger submission_revisions_frozen before update or delete on submission_revisions
    for each row execute function submission_revisions_are_frozen();

create function submission_revision_values_are_frozen() returns trigger language plpgsql as $$
begin
    raise exception 'figures of a submitted revision are frozen';
end
$$;
create trigger submission_revision_values_frozen before update or delete on submission_revision_values
    for each row execute function submission_revision_values_are_frozen();

create table submission_transitions (
    id uuid not null,
    submission_id uuid not null,
    action text not null,
    from_state text not null,
    to_state text not null,
    revision integer not null,
    reason text,
    actor text not null,
    at timestamptz not null,
    constraint submission_transitions_pkey primary key (id),
    constraint submission_transitions_revision_fkey foreign key (submission_id, revision) references submission_revisions (submission_id, revision),
    constraint submission_transitions_action_check check (action in ('submit', 'withdraw', 'return', 'accept', 'reopen'))
);
create index submission_transitions_revision_idx on submission_transitions (submission_id, revision);
comment on table submission_transitions is 'Every change of state, in the order of the UUIDv7.';
comment on column submission_transitions.revision is 'The revision it made or was about.';

create table month_transitions (
    id uuid not null,
    month date not null,
    action text not null,
    reason text,
    actor text not null,
    at timestamptz not null,
    constraint month_transitions_pkey primary key (id),
    constraint month_transitions_month_check check (extract(day from month) = 1),
    constraint month_transitions_action_check check (action in ('close', 'reopen'))
);
create index month_transitions_month_idx on month_transitions (month, id);
comment on table month_transitions is 'Closing and reopening of months; their number is a month''s version.';
