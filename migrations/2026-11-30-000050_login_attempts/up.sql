-- Attempts are counted before they are decided: one upsert takes the budget and says whether it was there.
create table login_attempts (
    subject text not null,
    attempts integer not null,
    budget integer not null,
    expires_at timestamptz not null,
    constraint login_attempts_pkey primary key (subject),
    constraint login_attempts_attempts_check check (attempts >= 0)
);
create index login_attempts_expires_at_idx on login_attempts (expires_at);
comment on table login_attempts is 'Counters of the login throttle (docs/adr/0022): per account and origin, per address, per account.';
comment on column login_attempts.attempts is 'Attempts that failed or are being decided; a success gives its own back.';
comment on column login_attempts.budget is 'Attempts let through until expires_at.';

create table login_addresses (
    user_id uuid not null,
    address text not null,
    last_login_at timestamptz not null,
    constraint login_addresses_pkey primary key (user_id, address),
    constraint login_addresses_user_id_fkey foreign key (user_id) references users (id) on delete cascade
);
create index login_addresses_last_login_at_idx on login_addresses (last_login_at);
comment on table login_addresses is 'Addresses (IPv6: networks of /64) that a user has logged in from lately: failures of others elsewhere do not close the account to them.';

comment on table login_failures is 'Not used any more (login_attempts is); read by releases before it, and dropped later.';

insert into table_privileges (relation, application, reading) values
    ('login_attempts', 'select, insert, update, delete', ''),
    ('login_addresses', 'select, insert, update, delete', '');
select grant_service_roles();
