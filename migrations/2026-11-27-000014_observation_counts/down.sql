alter table observation_sets
    drop column row_count,
    drop column unit_count,
    drop column created,
    drop column updated,
    drop column unchanged,
    drop column deleted;
