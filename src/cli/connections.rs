//! Connections that begin a further request and do not go on with it, and those of an address that has more than its share.
//!
//! actix waits for the first head of a connection, and for the next one to begin, but not for one that has begun: who sends half of
//! a second head would hold the connection for ever. So each connection is known here, and shut down when it has had neither a
//! request under way nor an end for too long.

use std::any::Any;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use rustix::net::{Shutdown, shutdown};

use crate::db::{AdmissionControl, Caller, Limits, Permit, Refused};
use crate::http::client_address::ClientAddress;
use crate::http::connection::ConnectionState;

/// How long a connection may be without a request: actix ends those that say nothing, and this those that say half.
pub const IDLE: Duration = Duration::from_secs(10);
const SLOW_REQUEST_TIMEOUT: Duration = Duration::from_secs(12);
const ROUND: Duration = Duration::from_secs(1);

/// Descriptors that are left for the database, files and listening.
const RESERVED: u64 = 512;
/// However many descriptors there may be.
const MOST_CONNECTIONS: u64 = 100_000;
/// An address may hold four fifths of the connections, since a proxy has but one, and leaves the rest to others.
const PER_FREE: usize = 4;

/// As many descriptors as the system lets this process have, and the connections that they suffice for: each takes two, and the usual
/// limit is a thousand.
pub fn raise_limit() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    if setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_err() {
        log::warn!(target: "serve", "cannot raise the open file limit");
    }
    connections_for(getrlimit(Resource::Nofile).current)
}

fn connections_for(descriptors: Option<u64>) -> usize {
    let descriptors = descriptors.unwrap_or(u64::MAX);
    let connections = (descriptors - RESERVED.min(descriptors / 2)) / 2;
    usize::try_from(connections.min(MOST_CONNECTIONS)).unwrap_or(usize::MAX)
}

/// The connections there are.
#[derive(Clone)]
pub struct Connections {
    all: Arc<Mutex<Vec<Weak<ConnectionState>>>>,
    admission: AdmissionControl,
}

impl Connections {
    /// At most so many, with a share for each address.
    pub fn new(permits: usize) -> Self {
        let admission = AdmissionControl::new(Limits { permits, per_free: PER_FREE, queue: 0 });
        Self { all: Arc::default(), admission }
    }

    /// For `HttpServer::on_connect`.
    pub fn on_connect(&self, connection: &dyn Any, extensions: &mut Extensions) {
        let Some(stream) = connection.downcast_ref::<TcpStream>() else { return };
        match self.admitted(stream, duplicate) {
            Some(activity) => drop(extensions.insert(activity)),
            // The other end may have been quicker.
            None => drop(shutdown(stream, Shutdown::Both)),
        }
    }

    /// `None`: no permit, or no descriptor for a second name of the connection, without which the reaper could not end it.
    fn admitted(
        &self,
        stream: &TcpStream,
        duplicate: impl FnOnce(&TcpStream) -> io::Result<std::net::TcpStream>,
    ) -> Option<Arc<ConnectionState>> {
        let permit = self.admit(stream.peer_addr().map(|peer| peer.ip()).ok()).ok()?;
        let activity = Arc::new(ConnectionState::of(duplicate(stream).ok()?, permit));
        self.all.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&activity));
        Some(activity)
    }

    fn admit(&self, address: Option<IpAddr>) -> Result<Permit, Refused> {
        self.admission.try_admit(
            address.map_or_else(|| Caller::named("address:unknown"), |ip| ClientAddress::of(ip).caller()),
        )
    }

    /// Ends what stands still, as long as the process runs.
    pub async fn reap_idle(self) {
        loop {
            actix_web::rt::time::sleep(ROUND).await;
            self.all.lock().unwrap_or_else(PoisonError::into_inner).retain(|known| {
                let activity = known.upgrade();
                activity.inspect(|activity| activity.end_if_waiting(SLOW_REQUEST_TIMEOUT)).is_some()
            });
        }
    }
}

fn duplicate(stream: &TcpStream) -> io::Result<std::net::TcpStream> {
    stream.as_fd().try_clone_to_owned().map(std::net::TcpStream::from)
}

#[cfg(test)]
mod tests {
    use actix_web::rt::net::{TcpListener, TcpSocket};

    use super::*;

    /// A connection from this address, and the service's end of it.
    async fn connect(listener: &TcpListener, from: &str) -> (TcpStream, TcpStream) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
        let client = socket.connect(listener.local_addr().unwrap()).await.unwrap();
        (client, listener.accept().await.unwrap().0)
    }

    /// Whether the service's end stays open.
    fn greeted(connections: &Connections, accepted: &TcpStream) -> (bool, Extensions) {
        let mut extensions = Extensions::new();
        connections.on_connect(accepted, &mut extensions);
        (extensions.contains::<Arc<ConnectionState>>(), extensions)
    }

    #[actix_web::test]
    async fn an_address_that_connects_as_often_as_it_can_leaves_connections_to_others() {
        let (listener, connections) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), Connections::new(10));
        let mut open = Vec::new();
        loop {
            let (client, accepted) = connect(&listener, "127.0.0.1").await;
            let (admitted, extensions) = greeted(&connections, &accepted);
            if !admitted {
                client.readable().await.unwrap();
                assert_eq!(client.try_read(&mut [0]).unwrap(), 0, "it is shut down at once");
                break;
            }
            open.push((client, accepted, extensions));
        }
        assert_eq!(open.len(), 8);
        let (_other, accepted) = connect(&listener, "127.0.0.2").await;
        assert!(greeted(&connections, &accepted).0);
        open.pop();
        let (_again, accepted) = connect(&listener, "127.0.0.1").await;
        assert!(greeted(&connections, &accepted).0, "a connection that ended gives its permit back");
    }

    #[actix_web::test]
    async fn a_connection_that_the_reaper_could_not_end_is_not_served() {
        let (listener, connections) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), Connections::new(10));
        let (_client, accepted) = connect(&listener, "127.0.0.1").await;
        let exhausted = |_: &TcpStream| Err(io::Error::from_raw_os_error(24));
        assert!(connections.admitted(&accepted, exhausted).is_none());
        assert_eq!(connections.admission.in_use().0, 0, "its permit is free again");
        assert!(connections.admitted(&accepted, duplicate).is_some());
    }

    #[test]
    fn descriptors_are_left_for_the_database() {
        assert_eq!(connections_for(Some(1024)), 256);
        assert_eq!(connections_for(Some(20_000)), 9_744);
        assert_eq!(connections_for(Some(0)), 0);
        assert_eq!(connections_for(None), 100_000);
    }
}
