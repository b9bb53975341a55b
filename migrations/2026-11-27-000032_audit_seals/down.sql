delete from table_privileges where relation in ('audit_seals', 'audit_sealed_events');
drop table audit_sealed_events;
drop table audit_seals;
