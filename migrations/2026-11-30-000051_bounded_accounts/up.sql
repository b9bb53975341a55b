-- What a caller can make grow is counted, so that it can be bounded.
alter table refresh_tokens add column further_uses integer not null default 0;
comment on column refresh_tokens.further_uses is 'Uses after the first, within its grace.';

alter table idempotency_keys add column body_bytes integer not null generated always as (octet_length(body)) stored;
create index idempotency_keys_caller_created_at_idx on idempotency_keys (caller, created_at) include (body_bytes);
comment on column idempotency_keys.body_bytes is 'Bytes; their sum over a caller is bounded, and read from the index alone.';
