//! Prometheus metrics of the service.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::db::Db;

/// Seconds; the promise is 5 ms for an uncached statistic, so the buckets are dense there.
const BUCKETS: [f64; 13] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: String,
}

/// Series that a thread holds handles of at the most.
const HANDLES: usize = 512;

/// A thread's own way to the series of a kind of request: no lock of the families, no text copied.
struct Handle {
    /// Of which [`Metrics`]; a process of tests has many.
    registry: usize,
    labels: RequestLabels,
    requests: Counter,
    durations: Histogram,
}

thread_local! {
    static THIS_THREADS: RefCell<Vec<Handle>> = const { RefCell::new(Vec::new()) };
}

/// Counters and histograms; cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram>,
    gauges: Gauges,
    /// Failed background jobs (cleanup, key reload).
    pub background_failures: Counter,
}

/// What is read off when somebody asks for the metrics.
#[derive(Clone, Debug, Default)]
struct Gauges {
    pool_open: Gauge,
    pool_idle: Gauge,
    pool_waiting: Gauge,
    statements: Gauge,
    answer_bytes: Gauge,
    listening: Gauge,
    replica: Gauge,
    refused_reads: Reading,
    refused_transactions: Reading,
    refused_shares: Reading,
    answer_hits: Reading,
    answer_misses: Reading,
    token_hits: Reading,
    token_misses: Reading,
    body_bytes: Gauge,
    refused_bodies: Reading,
}

/// A counter that is kept elsewhere.
type Reading = Counter<u64, AtomicU64>;

fn read_off(reading: &Reading, now: u64) {
    reading.inner().store(now, std::sync::atomic::Ordering::Relaxed);
}

impl Gauges {
    fn register(&self, registry: &mut Registry) {
        registry.register("db_connections_open", "Pooled connections open", self.pool_open.clone());
        registry.register("db_connections_idle", "Pooled connections idle", self.pool_idle.clone());
        registry.register(
            "db_connections_waiting",
            "Requests waiting for a connection",
            self.pool_waiting.clone(),
        );
        registry.register("db_statements_sent", "Statements sent since the start", self.statements.clone());
        registry.register(
            "refused_reads",
            "Reads rejected by load shedding (too many in progress)",
            self.refused_reads.clone(),
        );
        registry.register(
            "refused_transactions",
            "Transactions rejected by load shedding (too many waiting for a connection)",
            self.refused_transactions.clone(),
        );
        registry.register(
            "refused_shares",
            "Requests rejected because their caller used its whole share of permits",
            self.refused_shares.clone(),
        );
        registry.register("answers_hits", "Response cache hits", self.answer_hits.clone());
        registry.register("answers_misses", "Response cache misses", self.answer_misses.clone());
        registry.register("answers_bytes", "Response cache size in bytes", self.answer_bytes.clone());
        registry.register("tokens_hits", "Access token cache hits", self.token_hits.clone());
        registry.register("tokens_misses", "Access token cache misses", self.token_misses.clone());
        registry.register("bodies_bytes", "Bytes of request bodies held in memory", self.body_bytes.clone());
        registry.register(
            "refused_bodies",
            "Request bodies rejected by load shedding (too many bytes in memory)",
            self.refused_bodies.clone(),
        );
        registry.register(
            "changes_listening",
            "1 if change notifications are received and the response cache is in use",
            self.listening.clone(),
        );
        registry.register(
            "replica_in_use",
            "1 if statistics are read from the standby",
            self.replica.clone(),
        );
    }

    fn read(&self, db: &Db, answers: (u64, u64, u64), tokens: (u64, u64), bodies: (u64, u64), shares: u64) {
        let (open, idle, waiting) = db.pool_status();
        let gauge = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let long = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        self.pool_open.set(gauge(open));
        self.pool_idle.set(gauge(idle));
        self.pool_waiting.set(gauge(waiting));
        self.statements.set(long(db.statements()));
        self.answer_bytes.set(long(answers.2));
        self.listening.set(db.generations().is_trusted().into());
        self.replica.set(db.replica().is_some_and(|replica| replica.lag(db.generations()).is_some()).into());
        let (reads, transactions, _) = db.refused();
        read_off(&self.refused_reads, reads);
        read_off(&self.refused_transactions, transactions);
        read_off(&self.refused_shares, shares);
        read_off(&self.answer_hits, answers.0);
        read_off(&self.answer_misses, answers.1);
        read_off(&self.token_hits, tokens.0);
        read_off(&self.token_misses, tokens.1);
        self.body_bytes.set(long(bodies.0));
        read_off(&self.refused_bodies, bodies.1);
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("ict_index");
        let requests = Family::<RequestLabels, Counter>::default();
        let durations = Family::<RouteLabels, Histogram>::new_with_constructor(|| Histogram::new(BUCKETS));
        registry.register("http_requests", "Requests", requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "Time until the response is complete",
            Unit::Seconds,
            durations.clone(),
        );
        let gauges = Gauges::default();
        gauges.register(&mut registry);
        let background_failures = Counter::default();
        registry.register(
            "background_failures",
            "Failed background jobs (cleanup, key reload)",
            background_failures.clone(),
        );
        Self { registry: Arc::new(registry), requests, durations, gauges, background_failures }
    }
}

impl Metrics {
    /// `method` is a [`super::methods::label`] and `route` the template of one of our routes or `-`: closed sets, so that no caller
    /// can add series.
    pub fn observe(&self, method: &'static str, route: &str, status: u16, duration: Duration) {
        let registry = Arc::as_ptr(&self.registry).addr();
        THIS_THREADS.with_borrow_mut(|handles| {
            let place = handles.iter().position(|handle| {
                handle.registry == registry
                    && handle.labels.status == status
                    && handle.labels.route == route
                    && handle.labels.method == method
            });
            // What is asked for often moves to the front.
            let place = place.map(|place| (place, place / 2)).map(|(from, to)| {
                handles.swap(from, to);
                to
            });
            let handle = match place {
                Some(place) => handles.get(place),
                None => {
                    handles.truncate(HANDLES - 1);
                    handles.push(self.handle(registry, method, route, status));
                    handles.last()
                }
            };
            if let Some(handle) = handle {
                handle.durations.observe(duration.as_secs_f64());
                handle.requests.inc();
            }
        });
    }

    fn handle(&self, registry: usize, method: &'static str, route: &str, status: u16) -> Handle {
        let labels = RequestLabels { method, route: route.to_owned(), status };
        let of_route = RouteLabels { method, route: route.to_owned() };
        let requests = self.requests.get_or_create_owned(&labels);
        let durations = self.durations.get_or_create_owned(&of_route);
        Handle { registry, labels, requests, durations }
    }

    /// The exposition format of all metrics. `answers`: found, not found, bytes; `tokens`: found, not found; `bodies`: bytes, refused;
    /// `shares`: refused, of whatever.
    pub fn render(
        &self,
        db: &Db,
        answers: (u64, u64, u64),
        tokens: (u64, u64),
        bodies: (u64, u64),
        shares: u64,
    ) -> String {
        self.gauges.read(db, answers, tokens, bodies, shares);
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
