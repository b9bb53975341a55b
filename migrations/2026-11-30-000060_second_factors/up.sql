create table second_factors (
    user_id uuid not null,
    secret text,
    confirmed_at timestamptz,
    last_step bigint,
    pending_secret text,
    pending_since timestamptz,
    constraint second_factors_pkey primary key (user_id),
    constraint second_factors_user_id_fkey foreign key (user_id) references users (id) on delete cascade,
    constraint second_factors_secret_check check (num_nonnulls(secret, confirmed_at, last_step) in (0, 3)),
    constraint second_factors_pending_check check (num_nonnulls(pending_secret, pending_since) in (0, 2)),
    constraint second_factors_content_check check (num_nonnulls(secret, pending_secret) > 0)
);
comment on table second_factors is 'TOTP (RFC 6238) of users: the one in force, and one that waits for its first code.';
comment on column second_factors.secret is 'Key id, nonce and ciphertext (AES-256-GCM); the keys are in SECOND_FACTOR_KEY_FILE.';
comment on column second_factors.last_step is 'Time step (30 s) of the last accepted code: an older or equal one is a replay.';

create table recovery_codes (
    user_id uuid not null,
    hash bytea not null,
    used_at timestamptz,
    constraint recovery_codes_pkey primary key (user_id, hash),
    constraint recovery_codes_user_id_fkey foreign key (user_id) references users (id) on delete cascade
);
comment on table recovery_codes is 'Each replaces a code of the second factor once.';
comment on column recovery_codes.hash is 'SHA-256 of 120 random bits.';

alter table sessions add column second_factor_at timestamptz;
comment on column sessions.second_factor_at is 'When the session proved a second factor; null: password alone.';
alter table sessions drop constraint sessions_revoked_reason_check;
alter table sessions add constraint sessions_revoked_reason_check
    check (revoked_reason in ('logout', 'reuse', 'password', 'account', 'ended', 'second_factor'));
comment on column sessions.revoked_reason is 'ended: by its user, from another session. second_factor: enrolled, removed or reset.';

-- A session that proves a second factor may do more from then on.
drop trigger sessions_tell on sessions;
create trigger sessions_tell after update of id, user_id, revoked_at, expires_at, second_factor_at or delete or truncate on sessions
    for each statement execute function tell_change('callers');

insert into table_privileges (relation, application, reading) values
    ('second_factors', 'select, insert, update, delete', ''),
    ('recovery_codes', 'select, insert, update, delete', '');
select grant_service_roles();
