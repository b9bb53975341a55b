//! How connections are made and what each of them says first.

/// The role that the service works as: it owns nothing, and the wall holds for it.
pub const APPLICATION: &str = "ict_index_app";

/// How the pool is set up. Times are milliseconds, as PostgreSQL takes them.
#[derive(Clone, Debug)]
pub struct DbSettings {
    pub url: String,
    pub max_connections: usize,
    pub statement_timeout_ms: u64,
    /// How long a write waits for others on the same row before it is told to come again; see [`super::PATIENTLY`]. PostgreSQL counts it
    /// twice where several wait for one row: once for the turn to wait for whoever holds it, once for that one to end.
    pub lock_timeout_ms: u64,
    /// How long a request waits for a free connection before it is told to come again.
    pub checkout_timeout_ms: u64,
    /// How long after a heartbeat of the listening connection what is kept in memory is used.
    pub changes_trusted_ms: u64,
    /// A hot standby that statistics may be read from.
    pub replica_url: Option<String>,
    /// Works with the rights that the URL's user has, instead of those of [`APPLICATION`].
    pub as_owner: bool,
}

impl DbSettings {
    pub fn new(url: String) -> Self {
        Self {
            url,
            max_connections: 16,
            statement_timeout_ms: 30_000,
            lock_timeout_ms: 450,
            checkout_timeout_ms: 500,
            changes_trusted_ms: super::changes::TRUSTED_MS,
            replica_url: None,
            as_owner: false,
        }
    }
}

/// Session settings go in with one round trip when a connection is opened. Notices are how triggers tell of changes. No just-in-time
/// compilation: where a table has not been analysed yet, estimates are high enough for two seconds of it before 50 ms of work.
pub(super) fn session_settings(settings: &DbSettings) -> String {
    // The role is missing where no migration has made it; whoever examines the database says so.
    let role = if settings.as_owner {
        String::new()
    } else {
        format!(
            "; select set_config('role', rolname, false) from pg_roles \
             where rolname = '{APPLICATION}' and pg_has_role(oid, 'member')"
        )
    };
    format!(
        "set application_name = 'ict-index'; set statement_timeout = {}; set lock_timeout = {}; \
         set idle_in_transaction_session_timeout = 60000; set time zone 'UTC'; set client_min_messages = notice; set jit = off{role}",
        settings.statement_timeout_ms, settings.lock_timeout_ms
    )
}
