drop trigger index_run_scores_are_not_truncated on index_run_scores;
drop trigger index_run_scores_are_kept on index_run_scores;
drop trigger index_runs_are_not_truncated on index_runs;
drop trigger index_runs_are_kept on index_runs;
drop function refuse_change_of_run;
alter table index_runs alter constraint index_runs_superseded_by_fkey not deferrable;
