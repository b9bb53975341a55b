//! How connections are made and what each of them is before its first use: settings pinned, role taken on, row-level security verified.

use std::time::Duration;

use tokio_postgres::{Client, SimpleQueryMessage};

use super::DbError;
use super::error::describe;

/// Nothing cached is used when the last heartbeat of the listening connection was sent longer ago (ms).
pub const TRUSTED_MS: u64 = 700;

/// Whether row-level security holds for this connection: its role neither stands above it nor owns the tables.
pub(super) const RLS_HOLDS: &str = "select not rolsuper and not rolbypassrls and not exists (select 1 from pg_catalog.pg_class c \
    where c.relnamespace = to_regnamespace('public') and c.relrowsecurity and pg_has_role(c.relowner, 'usage')) as value \
    from pg_catalog.pg_roles where rolname = current_user";

/// The role that the service works as: it owns nothing, and row-level security holds for it.
pub const APPLICATION: &str = "ict_index_app";

/// Settings that decide what a text means, what a statement does or what an answer looks like. A server, database or role may have
/// others; a session of ours has these. Those that only some versions know are set where they are known.
pub const PINNED: [(&str, &str); 38] = [
    // What quotes and names mean.
    ("standard_conforming_strings", "on"),
    ("backslash_quote", "safe_encoding"),
    ("escape_string_warning", "on"),
    ("search_path", "public, pg_temp"),
    ("client_encoding", "UTF8"),
    ("quote_all_identifiers", "off"),
    ("transform_null_equals", "off"),
    ("array_nulls", "on"),
    ("default_text_search_config", "pg_catalog.simple"),
    // What values look like as text, and how text is read.
    ("DateStyle", "ISO, MDY"),
    ("IntervalStyle", "postgres"),
    ("TimeZone", "UTC"),
    ("timezone_abbreviations", "Default"),
    ("bytea_output", "hex"),
    ("extra_float_digits", "1"),
    ("xmlbinary", "base64"),
    ("xmloption", "content"),
    ("lc_monetary", "C"),
    ("lc_numeric", "C"),
    ("lc_time", "C"),
    // What transactions and sessions are.
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_read_only", "off"),
    ("default_transaction_deferrable", "off"),
    ("idle_in_transaction_session_timeout", "60000"),
    ("idle_session_timeout", "0"),
    ("transaction_timeout", "0"),
    ("exit_on_error", "off"),
    // The RLS context: empty, until a piece of work sets it.
    ("row_security", "on"),
    ("ict_index.scope", ""),
    ("ict_index.caller", ""),
    // Triggers report changes as notices.
    ("client_min_messages", "notice"),
    ("check_function_bodies", "on"),
    ("plpgsql.extra_errors", "none"),
    ("gin_fuzzy_search_limit", "0"),
    ("restrict_nonsystem_relation_kind", ""),
    ("plan_cache_mode", "auto"),
    // Where a table has not been analysed yet, estimates are high enough for two seconds of compiling before 50 ms of work.
    ("jit", "off"),
    ("application_name", "ict-index"),
];

/// Settings that only a superuser may change: made right where that is allowed; elsewhere the connection fails and says which.
/// Triggers must fire, and faults are distinguished by their English texts (`fault.rs`).
pub const REQUIRED: [(&str, &str, &str); 2] = [
    ("session_replication_role", "origin", "current_setting('session_replication_role') <> 'origin'"),
    ("lc_messages", "C", "current_setting('lc_messages') !~ '^(C|POSIX|en)([._@-].*)?$'"),
];

/// How the pool is set up. Times are milliseconds, as PostgreSQL takes them.
#[derive(Clone, Debug)]
pub struct DbSettings {
    pub url: String,
    pub max_connections: usize,
    pub statement_timeout_ms: u64,
    /// How long a write waits for others on the same row before it is answered to try again; see [`super::locks::Patience`]. PostgreSQL counts it
    /// twice where several wait for one row: once for the turn to wait for its holder, once for that one to end.
    pub lock_timeout_ms: u64,
    /// How long a request waits for a free connection before it is answered to try again.
    pub checkout_timeout_ms: u64,
    /// How long after a heartbeat of the listening connection what is cached in memory is used.
    pub changes_trusted_ms: u64,
    /// A connection is replaced when it is this old (some a little earlier, so that not all are at once): a backend keeps what it
    /// has learnt of tables and statements as long as it lives.
    pub max_connection_age: Duration,
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
            changes_trusted_ms: TRUSTED_MS,
            max_connection_age: Duration::from_secs(1800),
            replica_url: None,
            as_owner: false,
        }
    }
}

/// What a connection says first, in one round trip, and what has to be true of it afterwards.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    text: String,
    needs_rls: bool,
}

impl Setup {
    pub fn of(settings: &DbSettings) -> Self {
        let timeouts = format!(
            "set statement_timeout = {}; set lock_timeout = {}",
            settings.statement_timeout_ms, settings.lock_timeout_ms
        );
        if settings.as_owner { Self::owner().with(&timeouts) } else { Self::application().with(&timeouts) }
    }

    /// With the rights of the URL's user.
    pub fn owner() -> Self {
        Self { text: pins(), needs_rls: false }
    }

    /// As [`APPLICATION`], or not at all.
    pub fn application() -> Self {
        Self { text: format!("{}; set role {APPLICATION}", pins()), needs_rls: true }
    }

    /// The same, and something more.
    pub fn with(&self, more: &str) -> Self {
        Self { text: format!("{}; {more}", self.text), needs_rls: self.needs_rls }
    }

    /// Fails when a setting cannot be made, the role not be taken on, or row-level security does not hold.
    pub async fn apply(&self, client: &Client) -> Result<(), DbError> {
        let text = if self.needs_rls { format!("{}; {RLS_HOLDS}", self.text) } else { self.text.clone() };
        let rows = client.simple_query(&text).await.map_err(|error| {
            DbError::Unavailable(format!("a connection cannot be set up: {}", describe(&error)))
        })?;
        let rls_holds = rows.iter().rev().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(0) == Some("t")),
            _ => None,
        });
        if self.needs_rls && rls_holds != Some(true) {
            return Err(DbError::Unavailable(format!("row-level security does not hold for {APPLICATION}")));
        }
        Ok(())
    }
}

/// No value holds a quote or a backslash: these statements mean the same under every setting.
fn pins() -> String {
    let pinned: Vec<String> = PINNED
        .iter()
        .map(|(name, value)| {
            let known = format!("current_setting('{name}', true) is not null or '{name}' ~ '[.]'");
            format!("case when {known} then set_config('{name}', '{value}', false) end")
        })
        .collect();
    let required = REQUIRED
        .iter()
        .map(|(name, value, wrong)| format!("select set_config('{name}', '{value}', false) where {wrong}"));
    let mut statements =
        vec!["set search_path = pg_catalog".to_owned(), format!("select {}", pinned.join(", "))];
    statements.extend(required);
    statements.join("; ")
}
