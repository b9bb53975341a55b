-- Runs are computed from revisions of observations: what was recorded stays, a change is a new revision.
create function refuse_change_of_observations() returns trigger language plpgsql as $$
begin
    raise exception 'a revision of observations is never changed: store another one' using errcode = 'restrict_violation';
end $$;
create trigger observation_sets_are_kept before update or delete on observation_sets for each row execute function refuse_change_of_observations();
create trigger observation_sets_are_not_truncated before truncate on observation_sets for each statement execute function refuse_change_of_observations();
