//! Read connections that many requests share: statements of all of them are under way at once, one behind the other.
//!
//! Each thread has its own few, driven by its own runtime, so that a read crosses no thread. There is never a transaction
//! on them. See `docs/adr/0010-shared-pipelined-reads.md`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use diesel_async::{AsyncConnection, AsyncPgConnection};
use tokio::sync::watch;

use super::admission::{AdmissionControl, Caller, Limits, Permit};
use super::changes::Watch;
use super::leader::Target;
use super::lifetime::Lifetime;
use super::settings::Setup;
use super::{Conn, Fault, connect};

/// A connection that others read from at the same time.
pub type Reader<'c> = &'c Conn;

/// Connections of a thread to one server.
const LINES: usize = 2;
/// Reads that a thread has under way at the most: excess ones would wait longer than is worth it.
const READS: Limits = Limits { permits: 256, per_free: 2, queue: 0 };
/// After a failure the next attempt waits this long; who comes in between is told at once.
const BACK_OFF: Duration = Duration::from_millis(200);

/// How to reach one server.
pub(super) struct Server {
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

impl Server {
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

    /// As [`Server::line`], unless this thread, or the caller on it, has as much under way as is good.
    pub async fn line_if_free(&self, caller: &Caller) -> Result<Use, Fault> {
        let permit = of_thread(self.id).admission.try_admit(caller).map_err(|refused| {
            let fault = Fault::from(refused);
            let counter = match fault {
                Fault::ShareUsedUp => &self.shares_refused,
                _ => &self.refused,
            };
            counter.fetch_add(1, Ordering::Relaxed);
            fault
        })?;
        let mut line = self.line().await?;
        line.permit = Some(permit);
        Ok(line)
    }

    /// How often there was too much under way, and how often of one caller.
    pub fn refused(&self) -> (u64, u64) {
        (self.refused.load(Ordering::Relaxed), self.shares_refused.load(Ordering::Relaxed))
    }

    /// A connection of this thread, opened if need be.
    pub async fn line(&self) -> Result<Use, Fault> {
        let own = of_thread(self.id);
        let slots = &own.slots;
        let Some(slot) = slots.iter().min_by_key(|slot| slot.in_use()) else {
            return Err(Fault::Internal("no connection to choose".into()));
        };
        if let Some(line) = slot.line() {
            let replaced = if line.lifetime.is_over() { self.replace_in(slot).await } else { None };
            return Ok(Use::of(replaced.unwrap_or(line)));
        }
        match self.open_in(slot).await {
            Ok(line) => Ok(Use::of(line)),
            // Another one may do: the server was out of connections, say.
            Err(fault) => slots.iter().find_map(Slot::line).map(Use::of).ok_or(fault),
        }
    }

    /// Opens another connection for one that has served long enough. One caller waits for it; the others, and all when it cannot be
    /// had, go on with the old one, which ends with its last use.
    async fn replace_in(&self, slot: &Slot) -> Option<Rc<Line>> {
        let _one = slot.opening.try_lock().ok()?;
        if slot.is_backing_off() {
            return None;
        }
        self.open_locked(slot).await.ok()
    }

    /// Opens one connection, however many ask for it.
    async fn open_in(&self, slot: &Slot) -> Result<Rc<Line>, Fault> {
        let _one = slot.opening.lock().await;
        if let Some(line) = slot.line() {
            return Ok(line);
        }
        if slot.is_backing_off() {
            return Err(Fault::Unavailable("the database cannot be reached".into()));
        }
        self.open_locked(slot).await
    }

    /// Called with the slot's lock held.
    async fn open_locked(&self, slot: &Slot) -> Result<Rc<Line>, Fault> {
        match self.open().await {
            Ok(line) => {
                let line = Rc::new(line);
                *slot.line.borrow_mut() = Some(line.clone());
                slot.refused.set(None);
                Ok(line)
            }
            Err(fault) => {
                slot.refused.set(Some(Instant::now()));
                Err(fault)
            }
        }
    }

    async fn open(&self) -> Result<Line, Fault> {
        let unavailable = |error: &dyn std::fmt::Display| Fault::Unavailable(error.to_string());
        let until = Some(self.open.subscribe());
        let opened = connect::open(&self.target, &self.setup, self.connecting, until, |_| ()).await?;
        let mut conn = AsyncPgConnection::try_from(opened.client).await.map_err(|e| unavailable(&e))?;
        let lifetime = Lifetime::within(self.max_age);
        conn.set_instrumentation(Watch::of_reads(self.statements.clone(), lifetime.clone()));
        Ok(Line { conn, ended: opened.ended, in_use: Cell::new(0), lifetime })
    }
}

struct Line {
    conn: Conn,
    ended: Arc<AtomicBool>,
    /// Pieces of work that go on.
    in_use: Cell<usize>,
    lifetime: Lifetime,
}

/// One piece of work's hold on a connection.
pub(super) struct Use {
    line: Rc<Line>,
    /// Held for its drop.
    permit: Option<Permit>,
}

impl Use {
    fn of(line: Rc<Line>) -> Self {
        line.in_use.set(line.in_use.get() + 1);
        Self { line, permit: None }
    }

    pub fn reader(&self) -> Reader<'_> {
        &self.line.conn
    }

    pub fn has_ended(&self) -> bool {
        self.line.ended.load(Ordering::Acquire)
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        self.line.in_use.set(self.line.in_use.get().saturating_sub(1));
        drop(self.permit.take());
    }
}

#[derive(Default)]
struct Slot {
    line: RefCell<Option<Rc<Line>>>,
    opening: tokio::sync::Mutex<()>,
    refused: Cell<Option<Instant>>,
}

impl Slot {
    /// The connection, unless it has ended.
    fn line(&self) -> Option<Rc<Line>> {
        self.line.borrow().clone().filter(|line| !line.ended.load(Ordering::Acquire))
    }

    fn is_backing_off(&self) -> bool {
        self.refused.get().is_some_and(|at| at.elapsed() < BACK_OFF)
    }

    fn in_use(&self) -> usize {
        self.line.borrow().as_ref().map_or(0, |line| line.in_use.get())
    }
}

/// What a thread has of one server.
struct OfThread {
    slots: [Slot; LINES],
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
        all.retain(|(_, own)| own.slots.iter().any(|slot| slot.line().is_some()));
        let own = Rc::new(OfThread { slots: Default::default(), admission: AdmissionControl::new(READS) });
        all.push((server, own.clone()));
        own
    })
}
