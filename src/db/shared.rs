//! Read connections that many requests share: statements of all of them are under way at once, one behind the other.
//!
//! Each thread has its own few, driven by its own runtime, so that a read crosses no thread. There is never a transaction
//! on them. See `docs/adr/0010-shared-pipelined-reads.md`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::admission::{AdmissionControl, Caller, Limits, Permit};
use super::generations::ChangeTracker;
use super::leader::Target;
use super::lifetime::Lifetime;
use super::settings::Setup;
use super::{Conn, DbError, connect};

/// A connection that others read from at the same time.
pub type Reader<'c> = &'c Conn;

/// Connections of a thread to one server.
const CONNECTIONS: usize = 2;
/// Reads that a thread has under way at the most: excess ones would wait longer than is worth it.
const READS: Limits = Limits { permits: 256, per_free: 2, queue: 0 };
/// After a failure the next attempt waits this long; who comes in between is told at once.
const BACK_OFF: Duration = Duration::from_millis(200);

/// How to reach one server.
pub(super) struct SharedPool {
    id: u64,
    target: Target,
    setup: Setup,
    connecting: Duration,
    max_age: Duration,
    statements: Arc<AtomicU64>,
    refused: AtomicU64,
    shares_refused: AtomicU64,
    /// Its connections, on whatever thread, end with it.
    open: watch::Sender<()>,
}

impl SharedPool {
    pub fn new(
        target: Target,
        setup: &Setup,
        connecting: Duration,
        max_age: Duration,
        statements: Arc<AtomicU64>,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            target,
            setup: setup.with("set default_transaction_read_only = on"),
            connecting,
            max_age,
            statements,
            refused: AtomicU64::new(0),
            shares_refused: AtomicU64::new(0),
            open: watch::channel(()).0,
        }
    }

    pub fn target(&self) -> &Target {
        &self.target
    }

    /// A use of a connection of this thread, unless the thread, or the caller on it, has as much under way as is good.
    pub async fn try_acquire(&self, caller: &Caller) -> Result<Lease, DbError> {
        let permit = of_thread(self.id).admission.try_admit(caller).map_err(|refused| {
            let fault = DbError::from(refused);
            let counter = match fault {
                DbError::ShareUsedUp => &self.shares_refused,
                _ => &self.refused,
            };
            counter.fetch_add(1, Ordering::Relaxed);
            fault
        })?;
        Ok(Lease::of(self.acquire().await?, Some(permit)))
    }

    /// How often there was too much under way, and how often of one caller.
    pub fn refused(&self) -> (u64, u64) {
        (self.refused.load(Ordering::Relaxed), self.shares_refused.load(Ordering::Relaxed))
    }

    /// As [`SharedPool::try_acquire`], however much is under way.
    pub async fn acquire_always(&self) -> Result<Lease, DbError> {
        Ok(Lease::of(self.acquire().await?, None))
    }

    /// A connection of this thread, opened if need be.
    async fn acquire(&self) -> Result<Arc<SharedConnection>, DbError> {
        let own = of_thread(self.id);
        let slots = &own.slots;
        let Some(slot) = slots.iter().min_by_key(|slot| slot.in_use()) else {
            return Err(DbError::Internal("no connection to choose".into()));
        };
        if let Some(connection) = slot.acquire() {
            let replaced = if connection.lifetime.is_over() { self.replace_in(slot).await } else { None };
            return Ok(replaced.unwrap_or(connection));
        }
        // Another one may do: the server was out of connections, say.
        self.open_in(slot).await.or_else(|fault| slots.iter().find_map(Slot::acquire).ok_or(fault))
    }

    /// Opens another connection for one that has served long enough. One caller waits for it; the others, and all when it cannot be
    /// had, go on with the old one while it is not full; it ends with its last use.
    async fn replace_in(&self, slot: &Slot) -> Option<Arc<SharedConnection>> {
        let _one = slot.opening.try_lock().ok()?;
        if slot.is_backing_off() {
            return None;
        }
        self.open_locked(slot).await.ok()
    }

    /// Opens one connection, however many ask for it.
    async fn open_in(&self, slot: &Slot) -> Result<Arc<SharedConnection>, DbError> {
        let _one = slot.opening.lock().await;
        if let Some(connection) = slot.acquire() {
            return Ok(connection);
        }
        if slot.is_backing_off() {
            return Err(DbError::Unavailable("the database cannot be reached".into()));
        }
        self.open_locked(slot).await
    }

    /// Called with the slot's lock held.
    async fn open_locked(&self, slot: &Slot) -> Result<Arc<SharedConnection>, DbError> {
        match self.open().await {
            Ok(connection) => {
                let connection = Arc::new(connection);
                *slot.connection.borrow_mut() = Some(connection.clone());
                slot.refused.set(None);
                Ok(connection)
            }
            Err(fault) => {
                slot.refused.set(Some(Instant::now()));
                Err(fault)
            }
        }
    }

    async fn open(&self) -> Result<SharedConnection, DbError> {
        let unavailable = |error: &dyn std::fmt::Display| DbError::Unavailable(error.to_string());
        let until = Some(self.open.subscribe());
        let opened = connect::open(&self.target, &self.setup, self.connecting, until, |_| ()).await?;
        let mut conn = AsyncPgConnection::try_from(opened.client).await.map_err(|e| unavailable(&e))?;
        let lifetime = Lifetime::within(self.max_age);
        conn.set_instrumentation(ChangeTracker::of_reads(self.statements.clone(), lifetime.clone()));
        let statements = self.statements.clone();
        Ok(SharedConnection { conn, ended: opened.ended, in_use: AtomicUsize::new(0), lifetime, statements })
    }
}

struct SharedConnection {
    conn: Conn,
    ended: CancellationToken,
    /// Pieces of work that go on.
    in_use: AtomicUsize,
    lifetime: Lifetime,
    statements: Arc<AtomicU64>,
}

impl SharedConnection {
    /// Answers when the server has done with all that was sent before: statements are answered in their order.
    async fn drained(&self) {
        let _ = SimpleAsyncConnection::batch_execute(&mut &self.conn, "").await;
        // It is none of anybody's work.
        self.statements.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One piece of work's hold on a connection. Dropped before it is over, the hold lasts until the server has done with what was sent: a
/// caller that departs does not get room for more by it.
pub(super) struct Lease {
    held: Arc<Held>,
    is_over: bool,
}

struct Held {
    connection: Arc<SharedConnection>,
    /// Held for its drop.
    _permit: Option<Permit>,
}

impl Lease {
    fn of(connection: Arc<SharedConnection>, permit: Option<Permit>) -> Self {
        connection.in_use.fetch_add(1, Ordering::Relaxed);
        Self { held: Arc::new(Held { connection, _permit: permit }), is_over: false }
    }

    pub fn reader(&self) -> Reader<'_> {
        &self.held.connection.conn
    }

    pub fn has_ended(&self) -> bool {
        self.held.connection.ended.is_cancelled()
    }

    /// Everything that was sent is answered.
    pub fn over(mut self) {
        self.is_over = true;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.is_over
            && !self.has_ended()
            && let Ok(runtime) = Handle::try_current()
        {
            let held = self.held.clone();
            runtime.spawn(async move { held.connection.drained().await });
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.connection.in_use.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Slot {
    connection: RefCell<Option<Arc<SharedConnection>>>,
    opening: tokio::sync::Mutex<()>,
    refused: Cell<Option<Instant>>,
}

impl Slot {
    /// The connection, unless it has ended or is full.
    fn acquire(&self) -> Option<Arc<SharedConnection>> {
        self.open_connection().filter(|connection| !connection.lifetime.is_full())
    }

    fn open_connection(&self) -> Option<Arc<SharedConnection>> {
        self.connection.borrow().clone().filter(|connection| !connection.ended.is_cancelled())
    }

    fn is_backing_off(&self) -> bool {
        self.refused.get().is_some_and(|at| at.elapsed() < BACK_OFF)
    }

    fn in_use(&self) -> usize {
        self.connection.borrow().as_ref().map_or(0, |connection| connection.in_use.load(Ordering::Relaxed))
    }
}

/// What a thread has of one server.
struct OfThread {
    slots: [Slot; CONNECTIONS],
    admission: AdmissionControl,
}

thread_local! {
    static THIS_THREADS: RefCell<Vec<(u64, Rc<OfThread>)>> = const { RefCell::new(Vec::new()) };
}

fn of_thread(server: u64) -> Rc<OfThread> {
    THIS_THREADS.with_borrow_mut(|all| {
        if let Some((_, own)) = all.iter().find(|(id, _)| *id == server) {
            return own.clone();
        }
        // What is left of servers that are gone.
        all.retain(|(_, own)| own.slots.iter().any(|slot| slot.open_connection().is_some()));
        let own = Rc::new(OfThread { slots: Default::default(), admission: AdmissionControl::new(READS) });
        all.push((server, own.clone()));
        own
    })
}
