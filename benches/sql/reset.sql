-- Back to the data as generated: what the lines delivered lies in years of its own.
begin;
truncate dossier_counts_2025, dossier_counts_2026;
delete from dossier_count_history where month >= '2025-01-01';
delete from dossier_parked_counts where month >= '2025-01-01';
delete from dossier_batches where month >= '2025-01-01';
delete from dossier_agency_rollups where period >= '2025-01-01';
delete from dossier_service_rollups where period >= '2025-01-01';
commit;
vacuum (analyze) dossier_agency_rollups, dossier_service_rollups, dossier_batches, dossier_count_history;
checkpoint;
