-- The counts of one year; `first` is the first year of all.
insert into dossier_counts (month, agency_id, service_id, channel, source, received, resolved_early, resolved_on_time, resolved_late, withdrawn,
    carried_in, in_progress_on_time, in_progress_overdue, revision)
select c.month, c.agency_id, c.service_id, c.channel, 'vnpt', c.received, c.resolved_early, c.resolved_on_time, c.resolved_late, c.withdrawn,
       c.carried_in, c.in_progress_on_time, c.in_progress_overdue, 1
from generate_series(1, 12) as m
cross join lateral bench.counts(make_date(:year, m, 1), :pairs, case when :year = :first and m = 1 then 0 else :pairs end) as c;
