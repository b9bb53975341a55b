drop table audit_sealed_events;
drop table audit_seals;
