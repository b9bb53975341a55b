//! A pooled connection that knows whose work it does, so that saying it costs no round trip of its own where it can be helped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use diesel::QueryResult;
use diesel_async::pooled_connection::PoolableConnection;
use diesel_async::{
    AnsiTransactionManager, AsyncConnection, AsyncPgConnection, SimpleAsyncConnection, TransactionManager,
};

use super::generations::{ChangeTracker, Generations, PendingChanges, TransactionState};
use super::leader::Target;
use super::lifetime::Lifetime;
use super::settings::Setup;
use super::{Conn, DbError, RlsContext, connect};

/// A pooled connection.
pub(super) struct Session {
    pub conn: Conn,
    /// What its settings say outside transactions; `None`: not known.
    context: Option<RlsContext>,
    statements: Arc<AtomicU64>,
    lifetime: Lifetime,
}

impl Session {
    /// Sets the RLS context of what follows.
    pub async fn set_context(&mut self, ctx: &RlsContext) -> QueryResult<()> {
        if self.context.as_ref() == Some(ctx) {
            return Ok(());
        }
        self.context = None;
        self.conn.batch_execute(&ctx.set_sql("set")).await?;
        // Part of the way in, as BEGIN is: not counted among the statements of the work.
        self.statements.fetch_sub(1, Ordering::Relaxed);
        self.context = Some(ctx.clone());
        Ok(())
    }

    /// Begins a transaction in this RLS context, in one round trip.
    pub async fn begin(&mut self, ctx: &RlsContext) -> QueryResult<()> {
        if self.context.as_ref() == Some(ctx) {
            return AnsiTransactionManager::begin_transaction(&mut self.conn).await;
        }
        // Said inside, it ends with the transaction, however that ends.
        let begin = format!("begin; {}", ctx.set_sql("set local"));
        AnsiTransactionManager::begin_transaction_sql(&mut self.conn, &begin).await
    }

    /// Ends it: committed when the work went well, rolled back otherwise.
    pub async fn end<T, E: From<diesel::result::Error>>(&mut self, worked: Result<T, E>) -> Result<T, E> {
        use diesel::result::Error;
        match worked {
            Ok(answer) => {
                AnsiTransactionManager::commit_transaction(&mut self.conn).await?;
                Ok(answer)
            }
            Err(fault) => match AnsiTransactionManager::rollback_transaction(&mut self.conn).await {
                // The fault of the work is what broke it, and what its caller wants to know.
                Ok(()) | Err(Error::BrokenTransactionManager) => Err(fault),
                Err(error) => Err(error.into()),
            },
        }
    }
}

/// Opens sessions whose notices and statements are observed.
pub(super) struct Sessions {
    pub target: Target,
    pub setup: Setup,
    pub connecting: Duration,
    pub max_age: Duration,
    pub statements: Arc<AtomicU64>,
    pub generations: Generations,
}

impl Manager for Sessions {
    type Type = Session;
    type Error = Cause;

    async fn create(&self) -> Result<Session, Cause> {
        let pending = PendingChanges::default();
        let lifetime = Lifetime::within(self.max_age);
        let watch = ChangeTracker {
            statements: self.statements.clone(),
            pending: pending.clone(),
            generations: self.generations.clone(),
            state: TransactionState::Outside,
            lifetime: lifetime.clone(),
        };
        let hear = move |message| pending.receive(&message);
        let opened = connect::open(&self.target, &self.setup, self.connecting, None, hear).await?;
        let mut conn = AsyncPgConnection::try_from(opened.client).await.map_err(|e| Cause(e.to_string()))?;
        conn.set_instrumentation(watch);
        // The setup has set an empty RLS context: no caller's work.
        Ok(Session {
            conn,
            context: Some(RlsContext::default()),
            statements: self.statements.clone(),
            lifetime,
        })
    }

    /// Sends the server nothing: a dead connection shows at its first use anyway and is answered 503.
    async fn recycle(&self, session: &mut Session, _: &Metrics) -> RecycleResult<Cause> {
        if std::thread::panicking() || session.conn.is_broken() {
            return Err(RecycleError::message("broken"));
        }
        if session.lifetime.is_over() {
            return Err(RecycleError::message("served long enough"));
        }
        Ok(())
    }
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) struct Cause(String);

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Cause {}

impl From<DbError> for Cause {
    fn from(fault: DbError) -> Self {
        match fault {
            DbError::Unavailable(why) | DbError::Internal(why) => Self(why),
            other => Self(format!("{other:?}")),
        }
    }
}
