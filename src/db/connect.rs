//! Opens a connection, sets it up, and drives it in a task of its own, so that what the server says unasked is heard.
//!
//! There is no other way to a connection: each has its settings pinned and its role taken on, or is none.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{AsyncMessage, Client, Config, Connection, NoTls, Socket};

use super::Fault;
use super::address::Address;
use super::settings::Setup;

/// What is sent and not acknowledged for this long has gone nowhere: the connection ends.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);

/// Between the questions whether a silent server is still there.
const PROBING: Duration = Duration::from_secs(2);

/// A connection and whether it has ended.
pub(super) struct Opened {
    pub client: Client,
    pub ended: Arc<AtomicBool>,
}

/// Connects and sets up within a time. `hear` gets notices and notifications before the statement that caused them is answered.
/// The connection ends with `open`'s sender too, where there is one, whoever still holds its client.
pub(super) async fn open(
    url: &str,
    setup: &Setup,
    within: Duration,
    until: Option<watch::Receiver<()>>,
    hear: impl FnMut(AsyncMessage) + Send + 'static,
) -> Result<Opened, Fault> {
    let opened = open_bare(url, within, until, hear).await?;
    tokio::select! {
        done = setup.apply(&opened.client) => done?,
        () = tokio::time::sleep(within) => return Err(Fault::Unavailable("setting a connection up took too long".into())),
    }
    Ok(opened)
}

/// As [`open`], with the settings and the role that the server gives it: to look at those.
pub(super) async fn open_bare(
    url: &str,
    within: Duration,
    until: Option<watch::Receiver<()>>,
    hear: impl FnMut(AsyncMessage) + Send + 'static,
) -> Result<Opened, Fault> {
    let Address { mut config, tls } = Address::parse(url).map_err(Fault::Unavailable)?;
    // A server whose machine is gone says nothing, however long one waits for an answer to what it took.
    config.tcp_user_timeout(UNACKNOWLEDGED).keepalives_idle(UNACKNOWLEDGED).keepalives_interval(PROBING);
    match tls {
        Some(tls) => open_by(tls, &config, within, until, hear).await,
        None => open_by(NoTls, &config, within, until, hear).await,
    }
}

async fn open_by<T>(
    tls: T,
    config: &Config,
    within: Duration,
    until: Option<watch::Receiver<()>>,
    hear: impl FnMut(AsyncMessage) + Send + 'static,
) -> Result<Opened, Fault>
where
    T: MakeTlsConnect<Socket, Stream: Send + 'static, TlsConnect: Send>,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    // Nothing is under way on a connection that is not open yet: giving up leaves nothing behind.
    let (client, connection) = tokio::select! {
        opened = config.connect(tls) => opened.map_err(|error| Fault::Unavailable(told(&error)))?,
        () = tokio::time::sleep(within) => return Err(Fault::Unavailable("connecting took too long".into())),
    };
    let ended = Arc::new(AtomicBool::new(false));
    tokio::spawn(drive(Driver { connection, ended: ended.clone() }, until, hear));
    Ok(Opened { client, ended })
}

/// With its cause: the outer text says no more than "db error".
pub(super) fn told(error: &tokio_postgres::Error) -> String {
    use std::error::Error;
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

struct Driver<S> {
    connection: Connection<Socket, S>,
    ended: Arc<AtomicBool>,
}

impl<S> Drop for Driver<S> {
    /// Told before the connection goes, and with it the answers that are waited for.
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
    }
}

async fn drive<S: AsyncRead + AsyncWrite + Unpin>(
    mut driver: Driver<S>,
    until: Option<watch::Receiver<()>>,
    mut hear: impl FnMut(AsyncMessage) + Send + 'static,
) {
    let over = async move {
        match until {
            // Nothing is ever sent: an answer means that the sender is gone.
            Some(mut until) => drop(until.changed().await),
            None => std::future::pending().await,
        }
    };
    tokio::pin!(over);
    loop {
        tokio::select! {
            message = poll_fn(|context| driver.connection.poll_message(context)) => match message {
                Some(Ok(message)) => hear(message),
                Some(Err(_)) | None => break,
            },
            () = &mut over => break,
        }
    }
}
