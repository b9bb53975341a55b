delete from table_privileges where relation in ('second_factors', 'recovery_codes');
drop trigger sessions_tell on sessions;
create trigger sessions_tell after update of id, user_id, revoked_at, expires_at or delete or truncate on sessions
    for each statement execute function tell_change('callers');
comment on column sessions.revoked_reason is 'ended: by its user, from another session.';
update sessions set revoked_reason = 'account' where revoked_reason = 'second_factor';
alter table sessions drop constraint sessions_revoked_reason_check;
alter table sessions add constraint sessions_revoked_reason_check
    check (revoked_reason in ('logout', 'reuse', 'password', 'account', 'ended'));
alter table sessions drop column second_factor_at;
drop table recovery_codes;
drop table second_factors;
