//! What a request carries to the database: who asks, what is charged for it, and the permit of its work.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpMessage, HttpRequest};
use chrono::{DateTime, Utc};

use super::repeat::Repeat;
use crate::db::{Caller, Db, Permit, RlsContext};
use crate::http::Problem;
use crate::http::offload::Offload;
use crate::http::request::RequestId;

/// Whose request it is, and what its work for the database holds.
pub(super) struct RequestContext {
    pub db: Db,
    /// Tells row-level security who asks.
    pub ctx: RlsContext,
    pub now: DateTime<Utc>,
    pub request_id: RequestId,
    pub repeat: Option<Repeat>,
    pub lag: Option<ReplicaLag>,
    pub caller: Caller,
    pub offload: Offload,
    /// Taken with the first work for the pool, held until the handler has written its answer and lets go of its [`super::Access`], and by the
    /// work itself: that goes on when the handler is dropped.
    pub permit: RefCell<Option<Arc<Permit>>>,
}

impl RequestContext {
    /// The database, for work that holds this request's permit.
    pub fn admitted(&self) -> Result<Db, Problem> {
        let mut held = self.permit.borrow_mut();
        let permit = match held.take() {
            Some(permit) => permit,
            None => Arc::new(self.db.admit(&self.caller)?),
        };
        *held = Some(permit.clone());
        Ok(self.db.holding(permit))
    }
}

/// How far behind the standby was that an answer was read from; left with the request where there is a standby.
#[derive(Clone, Debug, Default)]
pub struct ReplicaLag(Rc<Cell<Option<Duration>>>);

impl ReplicaLag {
    /// Seconds; `None` when the primary answered.
    pub fn seconds(&self) -> Option<f64> {
        self.0.get().map(|lag| lag.as_secs_f64())
    }

    pub(super) fn set(&self, lag: Option<Duration>) {
        self.0.set(lag);
    }
}

impl std::fmt::Debug for RequestContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestContext").field("request_id", &self.request_id.0).finish_non_exhaustive()
    }
}

pub(super) fn lag_of(request: &HttpRequest) -> ReplicaLag {
    let lag = ReplicaLag::default();
    request.extensions_mut().insert(lag.clone());
    lag
}
