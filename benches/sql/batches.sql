-- The deliveries that would have brought the counts (the demo data's of the same source included).
insert into dossier_batches (source, month, revision, rows, received, created, updated, unchanged, deleted, reason, actor, at)
select source, month, 1, count(*), sum(received), count(*), 0, 0, 0, null, 'client:vnpt', now() from dossier_counts where source = 'vnpt'
group by source, month
on conflict (source, month, revision) do update set rows = excluded.rows, received = excluded.received, created = excluded.created;
