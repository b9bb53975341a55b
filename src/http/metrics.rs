//! Prometheus metrics of the service.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Seconds; the promise is 5 ms for an uncached statistic, so the buckets are dense there.
const BUCKETS: [f64; 13] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RouteLabels {
    method: String,
    route: String,
}

/// Counters and histograms; cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram>,
    pool_open: Gauge,
    pool_idle: Gauge,
    pool_waiting: Gauge,
    statements: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("ict_index");
        let requests = Family::<RequestLabels, Counter>::default();
        let durations = Family::<RouteLabels, Histogram>::new_with_constructor(|| Histogram::new(BUCKETS));
        let (pool_open, pool_idle, pool_waiting, statements) =
            (Gauge::default(), Gauge::default(), Gauge::default(), Gauge::default());
        registry.register("http_requests", "Requests answered", requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "Time to answer",
            Unit::Seconds,
            durations.clone(),
        );
        registry.register("db_connections_open", "Pooled connections open", pool_open.clone());
        registry.register("db_connections_idle", "Pooled connections idle", pool_idle.clone());
        registry.register(
            "db_connections_waiting",
            "Requests waiting for a connection",
            pool_waiting.clone(),
        );
        registry.register("db_statements_sent", "Statements sent since the start", statements.clone());
        Self {
            registry: Arc::new(registry),
            requests,
            durations,
            pool_open,
            pool_idle,
            pool_waiting,
            statements,
        }
    }
}

impl Metrics {
    /// `route` is the template, so that the number of series stays bounded.
    pub fn observe(&self, method: &str, route: &str, status: u16, duration: Duration) {
        let (method, route) = (method.to_owned(), route.to_owned());
        self.durations
            .get_or_create(&RouteLabels { method: method.clone(), route: route.clone() })
            .observe(duration.as_secs_f64());
        self.requests.get_or_create(&RequestLabels { method, route, status }).inc();
    }

    /// The exposition format of all metrics.
    pub fn render(&self, db: &crate::db::Db) -> String {
        let (open, idle, waiting) = db.pool_status();
        let gauge = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        self.pool_open.set(gauge(open));
        self.pool_idle.set(gauge(idle));
        self.pool_waiting.set(gauge(waiting));
        self.statements.set(i64::try_from(db.statements()).unwrap_or(i64::MAX));
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
