//! `Db` owns the pool and the runtime the pool's connections live on, and hands neither out.
//!
//! actix drops a handler when its client resets the connection, and runs each worker on a single thread. Work done right
//! in a handler could thus be cut in the middle of a transaction, or stalled by another handler's computation. So every
//! piece of work is *spawned* on a runtime that belongs to the database alone; a departing caller cannot interrupt it.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use deadpool::managed::Pool;
use diesel_async::AsyncPgConnection;
use tokio::runtime::Runtime;

use super::admission::{AdmissionControl, Caller, Limits, Permit};
use super::checkout::CheckoutQueue;
use super::copy::Staging;
use super::durability::{self, Inspection};
use super::generations::Generations;
use super::leader::Target;
use super::replica::Replica;
use super::session::Sessions;
use super::settings::{DbSettings, Setup};
use super::shared::SharedPool;
use super::work::Work;
use super::{DbError, RlsContext};

/// Requests admitted for each pooled connection: one that is worked for, and five that wait before or behind it. At the usual few
/// milliseconds a piece of work they wait a fraction of the time that they are ready to.
const REQUESTS_FOR_EACH: usize = 6;
/// However small the pool: requests that hold a permit while they wait for a processor must not take the last one.
const LEAST_REQUESTS: usize = 96;
/// Logins and the like, before the caller is known: they wait for the pool next to requests of known callers. The queue is for those that
/// were admitted before and have been to the hashes or the identity provider meanwhile.
const ANONYMOUS: Limits = Limits { permits: 48, per_free: 2, queue: 128 };

fn request_limits(connections: usize) -> Limits {
    let permits = connections.saturating_mul(REQUESTS_FOR_EACH).max(LEAST_REQUESTS);
    Limits { permits, per_free: 2, queue: 0 }
}

/// How long making a connection may take at the least.
const LEAST_CONNECTING: Duration = Duration::from_millis(900);

/// A connection inside one piece of work.
pub type Conn = AsyncPgConnection;

/// The database, as all of the service sees it. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    pub(super) inner: Arc<Inner>,
    /// Held by the work that this handle begins, until that ends.
    permit: Option<Arc<Permit>>,
}

pub(super) struct Inner {
    pool: CheckoutQueue,
    requests: AdmissionControl,
    anonymous: AdmissionControl,
    pub(super) primary: SharedPool,
    pub(super) replica: Option<Replica>,
    pub(super) generations: Generations,
    target: Target,
    setup: Setup,
    statements: Arc<AtomicU64>,
    staging: Staging,
    runtime: Option<Runtime>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // A runtime may not be dropped inside another one's task; its threads end by themselves.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Db {
    /// Builds the pool; opens no connection yet, so a service can start while its database does.
    pub fn new(settings: &DbSettings) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("database")
            .enable_all()
            .build()
            .map_err(|error| format!("cannot start the database runtime: {error}"))?;
        let statements = Arc::new(AtomicU64::new(0));
        let generations = Generations::new(Duration::from_millis(settings.changes_trusted_ms));
        let (setup, target) = (Setup::of(settings), Target::new(&settings.url));
        let waiting = Duration::from_millis(settings.checkout_timeout_ms);
        let connecting = waiting.max(LEAST_CONNECTING);
        let manager = Sessions {
            target: target.clone(),
            setup: setup.clone(),
            connecting,
            max_age: settings.max_connection_age,
            statements: statements.clone(),
            generations: generations.clone(),
        };
        let pool = Pool::builder(manager)
            .max_size(settings.max_connections)
            .wait_timeout(Some(waiting))
            .create_timeout(Some(connecting))
            .recycle_timeout(Some(connecting))
            .runtime(deadpool::Runtime::Tokio1)
            .build()
            .map_err(|error| format!("cannot build the connection pool: {error}"))?;
        let max_age = settings.max_connection_age;
        let server = |target: &Target| {
            SharedPool::new(target.clone(), &setup, connecting, max_age, statements.clone())
        };
        let inner = Inner {
            pool: CheckoutQueue::new(pool, settings.max_connections),
            requests: AdmissionControl::new(request_limits(settings.max_connections)),
            anonymous: AdmissionControl::new(ANONYMOUS),
            primary: server(&target),
            replica: settings.replica_url.as_deref().map(|url| Replica::new(server(&Target::new(url)))),
            generations,
            setup: setup.clone(),
            staging: Staging::new(
                settings,
                target.clone(),
                connecting,
                runtime.handle().clone(),
                statements.clone(),
            ),
            target,
            statements: statements.clone(),
            runtime: Some(runtime),
        };
        Ok(Self { inner: Arc::new(inner), permit: None })
    }

    /// Begins to listen for changes that other processes commit (and to follow the standby, if there is one); until then,
    /// and whenever the listener is cut off, nothing is answered from memory.
    pub fn listen(&self) {
        let Some(runtime) = &self.inner.runtime else { return };
        if !self.inner.generations.claim() {
            return;
        }
        runtime.spawn(self.inner.generations.clone().listen(self.inner.target.clone()));
        if let Some(replica) = &self.inner.replica {
            runtime.spawn(replica.follow(self.inner.target.clone(), self.inner.generations.clone()));
        }
    }

    /// What a connection of its own finds the database and its login to be.
    pub async fn inspect(&self) -> Result<Inspection, DbError> {
        let (target, setup) = (self.inner.target.clone(), self.inner.setup.clone());
        self.spawn(async move { durability::inspect(&target, &setup).await }).await
    }

    /// Generations of what is kept in memory.
    pub fn generations(&self) -> &Generations {
        &self.inner.generations
    }

    /// The standby, if there is one.
    pub fn replica(&self) -> Option<&Replica> {
        self.inner.replica.as_ref()
    }

    /// The same database, on behalf of a request with this permit: whatever it begins holds the permit until it has ended, although the
    /// request may have departed long before.
    pub fn holding(&self, permit: impl Into<Arc<Permit>>) -> Self {
        Self { inner: self.inner.clone(), permit: Some(permit.into()) }
    }

    /// Admits a request to the pool; the permit is held until the request is answered and its work ([`Db::holding`]) has ended. The pool
    /// alone does not bound them: it gives its connection to the next one as soon as the rows are read, while what is read still waits to
    /// be written as an answer.
    pub fn admit(&self, caller: &Caller) -> Result<Permit, DbError> {
        Ok(self.inner.requests.try_admit(caller)?)
    }

    /// As [`Db::admit`], for a request before it is known whose it is: charged to its address, apart from the requests of known callers.
    pub fn admit_anonymous(&self, address: &Caller) -> Result<Permit, DbError> {
        Ok(self.inner.anonymous.try_admit(address)?)
    }

    /// As [`Db::admit_anonymous`], for a request that gave its permit back while it waited for something else: it waits its turn, because
    /// what it has done already is not to be thrown away.
    pub async fn readmit_anonymous(&self, address: &Caller) -> Result<Permit, DbError> {
        Ok(self.inner.anonymous.admit(address).await?)
    }

    /// As [`Db::transaction_as`], of nothing that an agency owns.
    pub async fn transaction<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
        for<'c> F: AsyncFnOnce(&'c mut Conn) -> Result<T, E>
            + Work<&'c mut Conn, Result<T, E>, Fut: Send>
            + Send
            + 'static,
    {
        self.transaction_as(RlsContext::default(), work).await
    }

    /// Runs `work` in one transaction: committed when it answers `Ok`, rolled back otherwise.
    pub async fn transaction_as<T, E, F>(&self, ctx: RlsContext, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
        for<'c> F: AsyncFnOnce(&'c mut Conn) -> Result<T, E>
            + Work<&'c mut Conn, Result<T, E>, Fut: Send>
            + Send
            + 'static,
    {
        let pool = self.inner.pool.clone();
        self.spawn(async move {
            let mut session = pool.checkout().await?;
            session.begin(&ctx).await?;
            let worked = work(&mut session.conn).await;
            session.end(worked).await
        })
        .await
    }

    /// As [`Db::read_as`], of nothing that an agency owns.
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
        for<'c> F: AsyncFnOnce(&'c mut Conn) -> Result<T, E>
            + Work<&'c mut Conn, Result<T, E>, Fut: Send>
            + Send
            + 'static,
    {
        self.read_as(RlsContext::default(), work).await
    }

    /// Runs reads that need no common snapshot, without a transaction.
    pub async fn read_as<T, E, F>(&self, ctx: RlsContext, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
        for<'c> F: AsyncFnOnce(&'c mut Conn) -> Result<T, E>
            + Work<&'c mut Conn, Result<T, E>, Fut: Send>
            + Send
            + 'static,
    {
        let pool = self.inner.pool.clone();
        self.spawn(async move {
            let mut session = pool.checkout().await?;
            session.set_context(&ctx).await?;
            work(&mut session.conn).await
        })
        .await
    }

    async fn spawn<T, E>(&self, work: impl Future<Output = Result<T, E>> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        let Some(runtime) = &self.inner.runtime else {
            return Err(DbError::Unavailable("the database runtime is shut down".into()).into());
        };
        let permit = self.permit.clone();
        let spawned = runtime.spawn(async move {
            let _until_ended = permit;
            work.await
        });
        match spawned.await {
            Ok(answer) => answer,
            Err(error) => Err(DbError::Internal(format!("database work ended early: {error}")).into()),
        }
    }

    /// Where rows wait, copied in, for the transaction that takes them over; sees nothing on its way out ([`Staging::seeing`]).
    pub fn staging(&self) -> Staging {
        self.inner.staging.clone()
    }

    /// Statements sent since the start, without BEGIN, COMMIT and what says whose work it is; tests count with it that no request asks row by row.
    pub fn statements(&self) -> u64 {
        self.inner.statements.load(Ordering::Relaxed)
    }

    /// (connections open, connections idle, requests waiting for one)
    pub fn pool_status(&self) -> (usize, usize, usize) {
        let status = self.inner.pool.status();
        (status.size, status.available, status.waiting)
    }

    /// (reads, transactions, either because of a caller's share) that were rejected because too many were under way.
    pub fn refused(&self) -> (u64, u64, u64) {
        let inner = &self.inner;
        let (reads, read_shares) = inner.primary.refused();
        let controls = [inner.requests.refused(), inner.anonymous.refused(), inner.staging.refused()];
        let all: u64 = controls.iter().map(|(all, _)| all).sum();
        let shares: u64 = controls.iter().map(|(_, shares)| shares).sum();
        (reads, all + inner.pool.refused(), read_shares + shares)
    }
}
