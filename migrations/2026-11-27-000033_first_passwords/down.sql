comment on column sessions.revoked_reason is null;
update sessions set revoked_reason = 'logout' where revoked_reason = 'ended';
alter table sessions drop constraint sessions_revoked_reason_check;
alter table sessions add constraint sessions_revoked_reason_check check (revoked_reason in ('logout', 'reuse', 'password', 'account'));
alter table users drop column given_out_hash;
alter table users drop column must_change_password;
