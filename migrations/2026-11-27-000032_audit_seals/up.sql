create table audit_seals (
    number integer not null,
    sealed_at timestamptz not null,
    covers_until timestamptz not null,
    events integer not null,
    hash bytea not null,
    constraint audit_seals_pkey primary key (number),
    constraint audit_seals_number_check check (number > 0),
    constraint audit_seals_events_check check (events > 0)
);
comment on table audit_seals is 'A chain: each hash holds the one before and the hashes of the events that were not sealed yet. `ict-index audit verify` compares.';
comment on column audit_seals.covers_until is 'Every event there was with an earlier time is under this seal or one before.';

create table audit_sealed_events (
    seal integer not null,
    place integer not null,
    event_id uuid not null,
    hash bytea not null,
    constraint audit_sealed_events_pkey primary key (seal, place),
    constraint audit_sealed_events_event_id_key unique (event_id),
    constraint audit_sealed_events_seal_fkey foreign key (seal) references audit_seals (number)
);
comment on table audit_sealed_events is 'What an event was when it was sealed. No foreign key to it: that it is gone must be seen.';
comment on column audit_sealed_events.hash is 'SHA-256 of the event''s columns as a JSON array.';

create trigger audit_seals_final before update or delete on audit_seals
    for each row execute function audit_events_are_final();
create trigger audit_seals_no_truncate before truncate on audit_seals
    for each statement execute function audit_events_are_final();
create trigger audit_sealed_events_final before update or delete on audit_sealed_events
    for each row execute function audit_events_are_final();
create trigger audit_sealed_events_no_truncate before truncate on audit_sealed_events
    for each statement execute function audit_events_are_final();

-- Whoever makes seals is the owner: the service that writes events can neither make nor read them.
insert into table_privileges (relation, application, reading) values
    ('audit_seals', '', 'select'),
    ('audit_sealed_events', '', 'select');
select grant_service_roles();
