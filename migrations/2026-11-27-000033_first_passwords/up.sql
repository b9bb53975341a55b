alter table users add column must_change_password boolean not null default false;
alter table users add column given_out_hash text;
comment on column users.given_out_hash is 'Of the last password that was given out: it does not become the user''s own, not even later.';
comment on column users.must_change_password is 'The password was given out by an administrator: until it is changed, the own account is all that can be seen to.';

alter table sessions drop constraint sessions_revoked_reason_check;
alter table sessions add constraint sessions_revoked_reason_check check (revoked_reason in ('logout', 'reuse', 'password', 'account', 'ended'));
comment on column sessions.revoked_reason is 'ended: by its user, from another session.';
