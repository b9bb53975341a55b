//! Connections that begin a further request and do not go on with it.
//!
//! actix waits for the first head of a connection, and for the next one to begin, but not for one that has begun: who sends half of
//! a second head would hold the connection for ever. So each connection is known here, and shut down when it has had neither a
//! request under way nor an end for too long.

use std::any::Any;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use actix_web::dev::Extensions;

use crate::http::connection::Activity;

/// How long a connection may be without a request: actix ends those that say nothing, and this those that say half.
pub const IDLE: Duration = Duration::from_secs(10);
const HALF_SAID: Duration = Duration::from_secs(12);
const ROUND: Duration = Duration::from_secs(1);

/// As many descriptors as the system lets this process have: each connection takes two, and the usual limit is a thousand.
pub fn raise_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    if setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_err() {
        log::warn!(target: "serve", "the limit of open files stays as it is");
    }
}

/// The connections there are.
#[derive(Clone, Default)]
pub struct Connections {
    all: Arc<Mutex<Vec<Weak<Activity>>>>,
}

impl Connections {
    /// For `HttpServer::on_connect`.
    pub fn greet(&self, connection: &dyn Any, extensions: &mut Extensions) {
        let Some(stream) = connection.downcast_ref::<actix_web::rt::net::TcpStream>() else { return };
        // Out of descriptors: the connection is served all the same.
        let Ok(socket) = stream.as_fd().try_clone_to_owned().map(TcpStream::from) else { return };
        let activity = Arc::new(Activity::of(socket));
        self.all.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&activity));
        extensions.insert(activity);
    }

    /// Ends what stands still, as long as the process runs.
    pub async fn look_after(self) {
        loop {
            actix_web::rt::time::sleep(ROUND).await;
            self.all.lock().unwrap_or_else(PoisonError::into_inner).retain(|known| {
                let activity = known.upgrade();
                activity.inspect(|activity| activity.end_if_waiting(HALF_SAID)).is_some()
            });
        }
    }
}
