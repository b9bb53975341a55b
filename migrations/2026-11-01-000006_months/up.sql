create table closed_months (
    month date not null,
    closed_at timestamptz not null,
    closed_by text not null,
    version integer not null default 1,
    constraint closed_months_pkey primary key (month),
    constraint closed_months_month_check check (extract(day from month) = 1)
);
comment on table closed_months is 'Months the coordinating department has closed: figures in them are locked. A month that is not here is open.';
