//! Many rows on their way in and out: the few connections for COPY, and who may have one.
//!
//! diesel-async has no COPY, so these few connections are tokio-postgres's own. They live on the runtime of [`super::Db`].

use std::future::Future;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_postgres::Client;

pub use super::copied_out::CopiedOut;

use super::admission::{AdmissionControl, Caller, Charged, Limits};
use super::connect::{self, Canceller};
use super::copied_out::{Outgoing, hand_on};
use super::leader::Target;
use super::lifetime::Lifetime;
use super::minimum_rate::IDLE_TIMEOUT;
use super::settings::Setup;
use super::{DbError, DbSettings, RlsContext};

/// A COPY lasts as long as its sender takes; senders are not waited for longer than this.
const COPY_TIMEOUT_MS: u64 = 660_000;

/// Exports at a time: each has a connection of its own in addition to the pool. One caller gets two of them.
const EXPORTS: Limits = Limits { permits: 4, per_free: 1, queue: 0 };
/// Deliveries at a time, likewise. Excess ones wait, with the little of their body that has been read, for
/// [`CLAIM_WAIT`](super::stage::CLAIM_WAIT).
const DELIVERIES: Limits = Limits { permits: 4, per_free: 1, queue: 64 };

/// A text as SQL writes it; nothing ends it but its own closing quote, whatever `standard_conforming_strings` is. For `copy … to`
/// and `set`, which take no parameters.
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''").replace('\0', "");
    // Only what holds a backslash could mean two things: this form of it means one.
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// The way to the tables. Cheap to clone.
#[derive(Clone)]
pub struct Staging {
    pub(super) inner: Arc<Inner>,
    ctx: RlsContext,
    pub(super) charged: Charged,
}

pub(super) struct Inner {
    primary: Target,
    connecting: Duration,
    setup: Setup,
    max_age: Duration,
    idle: Mutex<Vec<Connection>>,
    exports: AdmissionControl,
    pub deliveries: AdmissionControl,
    pub runtime: Handle,
    pub statements: Arc<AtomicU64>,
}

impl Staging {
    pub(super) fn new(
        settings: &DbSettings,
        primary: Target,
        connecting: Duration,
        runtime: Handle,
        statements: Arc<AtomicU64>,
    ) -> Self {
        let setup = Setup::of(settings).with(&format!("set statement_timeout = {COPY_TIMEOUT_MS}"));
        let (idle, max_age) = (Mutex::default(), settings.max_connection_age);
        let (exports, deliveries) = (AdmissionControl::new(EXPORTS), AdmissionControl::new(DELIVERIES));
        let inner =
            Inner { primary, connecting, setup, max_age, idle, exports, deliveries, runtime, statements };
        let charged = Caller::system().into();
        Self { inner: Arc::new(inner), ctx: RlsContext::default(), charged }
    }

    /// The same, in this RLS context.
    pub fn seeing(self, ctx: RlsContext) -> Self {
        Self { ctx, ..self }
    }

    /// The same, with permits charged to this caller.
    pub fn charged_to(self, charged: impl Into<Charged>) -> Self {
        Self { charged: charged.into(), ..self }
    }

    /// The same, with permits charged to the source as well.
    pub fn delivering_for(self, source: &str) -> Self {
        Self { charged: self.charged.and(Caller::named(format!("source:{source}"))), ..self }
    }

    /// How often all permits were taken, and how often a caller's share was used up.
    pub(super) fn refused(&self) -> (u64, u64) {
        let (exports, deliveries) = (self.inner.exports.refused(), self.inner.deliveries.refused());
        (exports.0 + deliveries.0, exports.1 + deliveries.1)
    }

    /// (exports, deliveries) that hold a permit.
    pub fn in_use(&self) -> (usize, usize) {
        (self.inner.exports.in_use().0, self.inner.deliveries.in_use().0)
    }

    /// Begins `work` on the database's runtime, where it goes on to its end whether or not anybody waits for it.
    pub fn spawn<T, E, F>(&self, work: F) -> impl Future<Output = Result<T, E>> + use<T, E, F>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        let running = self.inner.runtime.spawn(work);
        async move {
            running.await.unwrap_or_else(|error| {
                Err(DbError::Unavailable(format!("staging ended early: {error}")).into())
            })
        }
    }

    /// The answer of a `copy … to stdout`, in pieces of some tens of kilobytes, as fast as they are taken. The statement is
    /// whole when this answers; what fails later ends the pieces with an error.
    pub async fn copy_out(&self, text: String) -> Result<CopiedOut, DbError> {
        let (home, ctx) = (self.inner.clone(), self.ctx.set_sql("set"));
        let permit = home.exports.try_admit(self.charged.clone())?;
        self.spawn(async move {
            let client = home.connection().await?;
            // Said each time: these connections are everybody's.
            client.batch_execute(&ctx).await?;
            let rows = client.copy_out(&text).await?;
            home.statements.fetch_add(1, Ordering::Relaxed);
            let (sender, copied) = CopiedOut::channel();
            let runtime = home.runtime.clone();
            runtime.spawn(async move {
                if hand_on(rows, &sender).await {
                    // Before the reader learns of the end: it may ask for its next export at once.
                    home.keep(client);
                    drop(permit);
                    let _ = sender.send_timeout(Outgoing::End, IDLE_TIMEOUT).await;
                } else {
                    drop(sender);
                    // Left in the middle, the connection is of no use to anybody else.
                    client.end().await;
                    // Not before the database has done with it: the reader may be long gone.
                    drop(permit);
                }
            });
            Ok(copied)
        })
        .await
    }
}

impl Inner {
    pub async fn connection(&self) -> Result<Connection, DbError> {
        if let Some(connection) = self.take() {
            return Ok(connection);
        }
        let (primary, setup, connecting) = (self.primary.clone(), self.setup.clone(), self.connecting);
        let opening = self
            .runtime
            .spawn(async move { connect::open(&primary, &setup, connecting, None, |_| ()).await });
        let opened =
            opening.await.map_err(|error| DbError::Internal(format!("connecting ended early: {error}")))?;
        let opened = opened?;
        let (canceller, lifetime) = (opened.canceller(), Lifetime::within(self.max_age));
        Ok(Connection { client: opened.client, canceller, lifetime })
    }

    fn take(&self) -> Option<Connection> {
        self.usable().pop()
    }

    pub fn keep(&self, connection: Connection) {
        self.usable().push(connection);
    }

    /// Idle connections, without those that have ended or are too old: the last of the list are used first, and the others would
    /// never be looked at.
    fn usable(&self) -> MutexGuard<'_, Vec<Connection>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(Connection::is_usable);
        idle
    }
}

/// One of these few connections.
pub(super) struct Connection {
    client: Client,
    canceller: Canceller,
    lifetime: Lifetime,
}

impl Connection {
    fn is_usable(&self) -> bool {
        !self.client.is_closed() && !self.lifetime.is_over()
    }

    /// Answers when the server has done with its last statement.
    pub async fn end(self) {
        self.canceller.end(self.client).await;
    }
}

impl Deref for Connection {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}
