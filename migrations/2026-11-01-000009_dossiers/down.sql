drop table dossier_count_history;
drop table dossier_counts;
drop table dossier_batches;
