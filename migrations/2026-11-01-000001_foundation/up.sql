-- Ranges of dates in exclusion constraints (a code may be used again when its holder has ended).
create extension if not exists btree_gist;

create table idempotency_keys (
    caller text not null,
    key text not null,
    fingerprint bytea not null,
    status integer not null,
    content_type text,
    etag text,
    location text,
    body bytea not null,
    created_at timestamptz not null,
    constraint idempotency_keys_pkey primary key (caller, key)
);
create index idempotency_keys_created_at_idx on idempotency_keys (created_at);
comment on table idempotency_keys is 'Answers kept 72 hours with their effect, for repeated POST requests.';
comment on column idempotency_keys.fingerprint is 'SHA-256 of method, target and SHA-256 of the body.';

create table audit_events (
    id uuid not null,
    at timestamptz not null,
    actor text not null,
    request_id text not null,
    action text not null,
    entity text not null,
    entity_key text not null,
    before jsonb,
    after jsonb,
    constraint audit_events_pkey primary key (id)
);
create index audit_events_entity_idx on audit_events (entity, entity_key, id);
create index audit_events_actor_idx on audit_events (actor, id);
create index audit_events_at_idx on audit_events (at);
comment on table audit_events is 'Who did what, when, to which thing; written with the change in one transaction; append-only.';
comment on column audit_events.id is 'UUIDv7: sorts by time.';
comment on column audit_events.actor is 'user:<username>, client:<client_id> or system.';

create function audit_events_are_final() returns trigger language plpgsql as $$
begin
    raise exception 'audit events are append-only';
end
$$;
create trigger audit_events_final before update or delete on audit_events
    for each row execute function audit_events_are_final();
create trigger audit_events_no_truncate before truncate on audit_events
    for each statement execute function audit_events_are_final();
