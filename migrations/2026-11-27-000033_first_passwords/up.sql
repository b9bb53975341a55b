alter table users add column must_change_password boolean not null default false;
comment on column users.must_change_password is 'The password was given out by an administrator: until it is changed, the own account is all that can be seen to.';

alter table sessions drop constraint sessions_revoked_reason_check;
alter table sessions add constraint sessions_revoked_reason_check check (revoked_reason in ('logout', 'reuse', 'password', 'account', 'ended'));
comment on column sessions.revoked_reason is 'ended: by its user, from another session.';
