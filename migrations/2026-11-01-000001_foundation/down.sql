drop table audit_events;
drop function audit_events_are_final();
drop table idempotency_keys;
drop extension btree_gist;
