//! A pooled connection that knows whose work it does, so that saying it costs no round trip of its own where it can be helped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use deadpool::managed::{Manager, Metrics, RecycleResult};
use diesel::QueryResult;
use diesel_async::pooled_connection::{
    AsyncDieselConnectionManager, ManagerConfig, PoolError, RecyclingMethod,
};
use diesel_async::{
    AnsiTransactionManager, AsyncConnection, AsyncPgConnection, SimpleAsyncConnection, TransactionManager,
};
use futures_util::FutureExt;

use super::changes::{Changes, Place, Told, Watch};
use super::leader::Target;
use super::{Conn, Sight, connect};

/// A pooled connection.
pub(super) struct Session {
    pub conn: Conn,
    /// What its settings say outside transactions; `None`: not known.
    said: Option<Sight>,
    statements: Arc<AtomicU64>,
}

impl Session {
    /// What follows is work of this sight.
    pub async fn say(&mut self, sight: &Sight) -> QueryResult<()> {
        if self.said.as_ref() == Some(sight) {
            return Ok(());
        }
        self.said = None;
        self.conn.batch_execute(&sight.said_by("set")).await?;
        // Part of the way in, as BEGIN is: not counted among the statements of the work.
        self.statements.fetch_sub(1, Ordering::Relaxed);
        self.said = Some(sight.clone());
        Ok(())
    }

    /// Begins a transaction of this sight, in one round trip.
    pub async fn begin(&mut self, sight: &Sight) -> QueryResult<()> {
        if self.said.as_ref() == Some(sight) {
            return AnsiTransactionManager::begin_transaction(&mut self.conn).await;
        }
        // Said inside, it ends with the transaction, however that ends.
        let begin = format!("begin; {}", sight.said_by("set local"));
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

/// Makes them.
pub(super) struct Sessions {
    pub connections: AsyncDieselConnectionManager<AsyncPgConnection>,
    pub statements: Arc<AtomicU64>,
}

impl Manager for Sessions {
    type Type = Session;
    type Error = PoolError;

    async fn create(&self) -> Result<Session, PoolError> {
        let conn = Manager::create(&self.connections).await?;
        Ok(Session { conn, said: Some(Sight::default()), statements: self.statements.clone() })
    }

    async fn recycle(&self, session: &mut Session, metrics: &Metrics) -> RecycleResult<PoolError> {
        Manager::recycle(&self.connections, &mut session.conn, metrics).await
    }
}

/// How they are opened: within a time, with `setup` said first, heard and watched.
pub(super) fn manager_config(
    primary: Target,
    setup: String,
    connecting: Duration,
    statements: Arc<AtomicU64>,
    changes: Changes,
) -> ManagerConfig<AsyncPgConnection> {
    let mut config = ManagerConfig::default();
    // The default asks the server at each checkout; a dead connection shows at its first use anyway and is answered 503.
    config.recycling_method = RecyclingMethod::Fast;
    config.custom_setup = Box::new(move |_| {
        let (primary, setup) = (primary.clone(), setup.clone());
        let told = Told::default();
        let watch = Watch {
            statements: statements.clone(),
            told: told.clone(),
            changes: changes.clone(),
            place: Place::Outside,
        };
        async move {
            let opened = connect::open(&primary, connecting, None, move |message| told.hear(&message)).await;
            let opened =
                opened.map_err(|fault| diesel::ConnectionError::BadConnection(format!("{fault:?}")))?;
            let mut conn = AsyncPgConnection::try_from(opened.client).await?;
            conn.batch_execute(&setup).await.map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
            conn.set_instrumentation(watch);
            Ok(conn)
        }
        .boxed()
    });
    config
}
