create table users (
    id uuid not null,
    username text not null,
    display_name text not null,
    role text not null,
    agency_id integer,
    password_hash text not null,
    disabled_at timestamptz,
    epoch integer not null default 1,
    version integer not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint users_pkey primary key (id),
    constraint users_username_key unique (username),
    constraint users_role_check check (role in ('admin', 'coordinator', 'monitor', 'officer')),
    constraint users_officer_has_agency_check check (role <> 'officer' or agency_id is not null),
    constraint users_agency_id_fkey foreign key (agency_id) references agencies (id)
);
create index users_agency_id_idx on users (agency_id);
comment on column users.password_hash is 'PHC string, argon2id.';
comment on column users.epoch is 'Part of every access token; counts up to end all of them (password, role, agency, disabling).';

create table sessions (
    id uuid not null,
    user_id uuid not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    revoked_at timestamptz,
    revoked_reason text,
    constraint sessions_pkey primary key (id),
    constraint sessions_user_id_fkey foreign key (user_id) references users (id),
    constraint sessions_revoked_reason_check check (revoked_reason in ('logout', 'reuse', 'password', 'account'))
);
create index sessions_user_id_idx on sessions (user_id);
comment on table sessions is 'One login: the family of refresh tokens that come of it.';

create table refresh_tokens (
    hash bytea not null,
    session_id uuid not null,
    issued_at timestamptz not null,
    used_at timestamptz,
    constraint refresh_tokens_pkey primary key (hash),
    constraint refresh_tokens_session_id_fkey foreign key (session_id) references sessions (id) on delete cascade
);
create index refresh_tokens_session_id_idx on refresh_tokens (session_id);
comment on column refresh_tokens.hash is 'SHA-256 of the opaque token, which is random enough to need no more.';

create table clients (
    client_id text not null,
    name text not null,
    scopes text[] not null,
    disabled_at timestamptz,
    epoch integer not null default 1,
    version integer not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint clients_pkey primary key (client_id)
);
comment on table clients is 'Machine clients (OAuth2 client credentials).';

create table client_secrets (
    id uuid not null,
    client_id text not null,
    hash bytea not null,
    created_at timestamptz not null,
    expires_at timestamptz,
    constraint client_secrets_pkey primary key (id),
    constraint client_secrets_client_id_fkey foreign key (client_id) references clients (client_id) on delete cascade
);
create index client_secrets_client_id_idx on client_secrets (client_id);
comment on column client_secrets.expires_at is 'Set when a newer secret replaces it: the overlap ends then.';

create table login_failures (
    subject text not null,
    failures integer not null,
    window_start timestamptz not null,
    constraint login_failures_pkey primary key (subject)
);
comment on table login_failures is 'Counters of the login throttle, per account and address and per address.';
