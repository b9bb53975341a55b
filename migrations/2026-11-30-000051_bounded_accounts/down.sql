drop index idempotency_keys_caller_created_at_idx;
alter table idempotency_keys drop column body_bytes;
alter table refresh_tokens drop column further_uses;
