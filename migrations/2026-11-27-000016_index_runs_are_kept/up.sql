-- The new run takes the place of the old one before it is there: checked at the end of the transaction.
alter table index_runs alter constraint index_runs_superseded_by_fkey deferrable initially deferred;

-- What was computed once stays as it was, whoever asks the database to change it.
create function refuse_change_of_run() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and tg_table_name = 'index_runs' then
        if old.superseded_by is null
            and to_jsonb(old) - array['superseded_by', 'superseded_at', 'version']
              = to_jsonb(new) - array['superseded_by', 'superseded_at', 'version'] then
            return new;
        end if;
    end if;
    raise exception 'an index run is never changed, only superseded' using errcode = 'restrict_violation';
end $$;
create trigger index_runs_are_kept before update or delete on index_runs for each row execute function refuse_change_of_run();
create trigger index_runs_are_not_truncated before truncate on index_runs for each statement execute function refuse_change_of_run();
create trigger index_run_scores_are_kept before update or delete on index_run_scores for each row execute function refuse_change_of_run();
create trigger index_run_scores_are_not_truncated before truncate on index_run_scores for each statement execute function refuse_change_of_run();
