-- `so-yt` next to `SO-YT`, or `Admin` next to `admin`, would be mistaken for one another. Fails where there are two such already: the
-- message names them, and one of them has to be renamed first.
create unique index agencies_folded_code_key on agencies (lower(code));
create unique index clients_folded_id_key on clients (lower(client_id));
create unique index frameworks_folded_code_key on frameworks (lower(code));
create unique index indicators_folded_code_key on indicators (lower(code));
create unique index plans_folded_code_key on plans (lower(code));
create unique index services_folded_code_key on services (lower(code));
create unique index tasks_folded_code_key on tasks (lower(code));
create unique index users_folded_username_key on users (lower(username));
