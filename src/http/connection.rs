//! What a connection is doing.

use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};

use crate::db::Permit;

/// Since when a connection waits for its next request. Left with each connection when it is accepted, and gone with it.
#[derive(Debug)]
pub struct ConnectionState {
    /// `None` before its first request and while one is under way.
    waits_since: Mutex<Option<Instant>>,
    /// A request could be read two ways: what follows on this connection may be part of it.
    doubtful: AtomicBool,
    /// The connection's second name, so that it can be shut down by others than those who serve it.
    socket: TcpStream,
    _permit: Permit,
}

impl ConnectionState {
    pub fn of(socket: TcpStream, permit: Permit) -> Self {
        Self { waits_since: Mutex::default(), doubtful: AtomicBool::new(false), socket, _permit: permit }
    }

    /// Shuts the connection down if it has waited for longer.
    pub fn end_if_waiting(&self, limit: Duration) {
        let since = *self.waits_since.lock().unwrap_or_else(PoisonError::into_inner);
        if since.is_some_and(|since| since.elapsed() > limit) {
            // The other end may have been quicker.
            let _ = self.socket.shutdown(Shutdown::Both);
        }
    }

    /// It waits for the other end from now on: for a request, or for the next piece of an answer to be taken.
    pub fn idle(&self) {
        self.set(Some(Instant::now()));
    }

    /// The other end waits for the service.
    pub fn is_waited_for(&self) {
        self.set(None);
    }

    fn set(&self, waits_since: Option<Instant>) {
        *self.waits_since.lock().unwrap_or_else(PoisonError::into_inner) = waits_since;
    }
}

/// A request is under way on its connection. `false`: it has both a length and chunks, or comes behind one that has. Two readers could
/// see its end in two places, so it is refused and its connection ended (RFC 9112, 6.3).
pub fn request_started(request: &HttpRequest) -> bool {
    let headers = request.headers();
    let doubtful = headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH);
    let Some(activity) = connection_of(request) else { return !doubtful };
    activity.set(None);
    if doubtful {
        activity.doubtful.store(true, Ordering::Relaxed);
    }
    !activity.doubtful.load(Ordering::Relaxed)
}

/// It is answered. A long answer or a stream says so again with each piece.
pub fn request_finished(request: &HttpRequest, body: &impl MessageBody) {
    if !matches!(body.size(), BodySize::Stream)
        && let Some(activity) = connection_of(request)
    {
        activity.idle();
    }
}

pub(super) fn connection_of(request: &HttpRequest) -> Option<&Arc<ConnectionState>> {
    request.conn_data::<Arc<ConnectionState>>()
}
