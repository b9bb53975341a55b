//! Opens a connection, sets it up, and drives it in a task of its own, so that unsolicited messages of the server are read.
//!
//! There is no other way to a connection: each has its settings pinned and its role taken on, or is none.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{
    AsyncMessage, CancelToken, Client, Config, Connection, NoTls, SimpleQueryMessage, Socket,
};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::sync::CancellationToken;

use super::DbError;
use super::error::describe;
use super::leader::{Leader, Target, Term};
use super::settings::Setup;
use super::url::Address;

/// What is sent and not acknowledged for this long has gone nowhere: the connection ends.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);

/// Between the questions whether a silent server is still there.
const PROBING: Duration = Duration::from_secs(2);

/// The next host is tried this much later, or as soon as the one before has failed: one that is gone delays no request.
const STAGGER: Duration = Duration::from_millis(150);
/// Of the time for connecting, what one address of a name may take.
const ADDRESSES: u32 = 3;
/// Its first eight digits are the timeline. A standby refuses the query. Sent before the search path is pinned.
const TIMELINE: &str = "select pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn())";

const READ_ONLY: &str = "select pg_is_in_recovery() or current_setting('transaction_read_only')::boolean";

/// A connection and whether it has ended.
pub(super) struct Opened {
    pub client: Client,
    /// Cancelled when nothing is sent or read any more.
    pub ended: CancellationToken,
    tls: Option<MakeRustlsConnect>,
    /// Set where the leading server is required.
    pub term: Option<Term>,
}

/// Ends a connection from this side, and what runs on it.
pub(super) struct Canceller {
    token: CancelToken,
    tls: Option<MakeRustlsConnect>,
    ended: CancellationToken,
}

impl Canceller {
    /// Lets go of the client, and answers when the server has done with its last statement. Without the request to cancel it, a `copy`
    /// would run to its end, however long that takes, for a reader who is gone.
    pub async fn end(self, client: Client) {
        drop(client);
        // One that does not arrive changes only how long it takes.
        let _ = match self.tls {
            Some(tls) => self.token.cancel_query(tls).await,
            None => self.token.cancel_query(NoTls).await,
        };
        self.ended.cancelled().await;
    }
}

impl Opened {
    pub fn canceller(&self) -> Canceller {
        let (token, tls, ended) = (self.client.cancel_token(), self.tls.clone(), self.ended.clone());
        Canceller { token, tls, ended }
    }

    /// Whether the server still does what it was chosen for. Always true where no leader is required.
    pub async fn takes_writes(&self) -> Result<bool, tokio_postgres::Error> {
        if self.term.is_none() {
            return self.client.batch_execute("").await.map(|()| true);
        }
        let answer = self.client.simple_query(READ_ONLY).await?;
        Ok(first_value(&answer) == Some("f"))
    }
}

/// Connects and sets up within a time. `hear` gets notices and notifications before the statement that caused them is answered.
/// The connection ends with `open`'s sender too, where there is one, whoever still holds its client.
pub(super) async fn open(
    target: &Target,
    setup: &Setup,
    within: Duration,
    until: Option<watch::Receiver<()>>,
    hear: impl FnMut(AsyncMessage) + Send + 'static,
) -> Result<Opened, DbError> {
    let opened = open_bare(target, within, until, hear).await?;
    tokio::select! {
        done = setup.apply(&opened.client) => done?,
        () = tokio::time::sleep(within) => return Err(DbError::Unavailable("setting a connection up took too long".into())),
    }
    Ok(opened)
}

/// As [`open`], with the settings and the role that the server gives it: to look at those.
pub(super) async fn open_bare(
    target: &Target,
    within: Duration,
    until: Option<watch::Receiver<()>>,
    hear: impl FnMut(AsyncMessage) + Send + 'static,
) -> Result<Opened, DbError> {
    let Address { mut hosts, tls, leader_only } =
        Address::parse(&target.url).map_err(DbError::Unavailable)?;
    for config in &mut hosts {
        // A server whose machine is gone says nothing, however long one waits for an answer to what it took.
        config.tcp_user_timeout(UNACKNOWLEDGED).keepalives_idle(UNACKNOWLEDGED).keepalives_interval(PROBING);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(within / ADDRESSES);
        }
    }
    let leader = leader_only.then(|| target.leader.clone());
    let opened = match tls.clone() {
        Some(tls) => open_by(tls, hosts, leader, within, until, hear).await?,
        None => open_by(NoTls, hosts, leader, within, until, hear).await?,
    };
    Ok(Opened { tls, ..opened })
}

async fn open_by<T>(
    tls: T,
    hosts: Vec<Config>,
    leader: Option<Arc<Leader>>,
    within: Duration,
    until: Option<watch::Receiver<()>>,
    hear: impl FnMut(AsyncMessage) + Send + 'static,
) -> Result<Opened, DbError>
where
    T: MakeTlsConnect<Socket, Stream: Send + 'static, TlsConnect: Send> + Clone,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    // Nothing is under way on a connection that is not open yet: giving up leaves nothing behind.
    let Connected { client, connection, term } = tokio::select! {
        connected = connect_first(tls, &hosts, leader.as_deref()) => connected.map_err(DbError::Unavailable)?,
        () = tokio::time::sleep(within) => return Err(DbError::Unavailable("connecting took too long".into())),
    };
    let ended = CancellationToken::new();
    let over = over(until, leader.zip(term).map(|(leader, term)| leader.superseded(term)));
    tokio::spawn(drive(Driver { connection, ended: ended.clone() }, over, hear));
    Ok(Opened { client, ended, tls: None, term })
}

struct Connected<S> {
    client: Client,
    connection: Connection<Socket, S>,
    term: Option<Term>,
}

/// The first host that will do: the one that did last time, then the others, each a moment later or as soon as one has failed.
async fn connect_first<T>(
    tls: T,
    hosts: &[Config],
    leader: Option<&Leader>,
) -> Result<Connected<T::Stream>, String>
where
    T: MakeTlsConnect<Socket, Stream: Send + 'static> + Clone,
{
    let mut waiting = leader.map_or_else(|| Leader::default().order(hosts.len()), |l| l.order(hosts.len()));
    let (mut under_way, mut faults) = (FuturesUnordered::new(), Vec::new());
    loop {
        if let Some((at, config)) = waiting.next().and_then(|at| Some((at, hosts.get(at)?))) {
            under_way.push(connect_one(tls.clone(), at, config, leader));
        } else if under_way.is_empty() {
            return Err(faults.join("; "));
        }
        tokio::select! {
            Some(tried) = under_way.next() => match tried {
                Ok(connected) => return Ok(connected),
                Err(fault) => faults.push(fault),
            },
            () = tokio::time::sleep(STAGGER), if waiting.len() > 0 => {}
        }
    }
}

/// One host. Where the server that leads is wanted: one that takes writes, of no earlier timeline than was met before.
async fn connect_one<T>(
    tls: T,
    at: usize,
    config: &Config,
    leader: Option<&Leader>,
) -> Result<Connected<T::Stream>, String>
where
    T: MakeTlsConnect<Socket, Stream: Send + 'static>,
{
    let (client, mut connection) = config.connect(tls).await.map_err(|error| describe(&error))?;
    let Some(leader) = leader else { return Ok(Connected { client, connection, term: None }) };
    let answer = tokio::select! {
        answer = client.simple_query(TIMELINE) => answer.map_err(|error| describe(&error))?,
        _ = &mut connection => return Err("the connection ended at once".into()),
    };
    let file = first_value(&answer).and_then(|file| file.get(..8));
    let timeline =
        file.and_then(|digits| u32::from_str_radix(digits, 16).ok()).ok_or("no timeline was returned")?;
    match leader.admit(at, timeline) {
        None => Err(format!("the server is of timeline {timeline}: it led before another did")),
        term => Ok(Connected { client, connection, term }),
    }
}

fn first_value(answer: &[SimpleQueryMessage]) -> Option<&str> {
    answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    })
}

/// Ends when a connection has to, whatever is under way on it.
async fn over(until: Option<watch::Receiver<()>>, superseded: Option<impl Future<Output = ()>>) {
    let closed = async move {
        match until {
            // Nothing is ever sent: an answer means that the sender is gone.
            Some(mut until) => drop(until.changed().await),
            None => std::future::pending().await,
        }
    };
    let superseded = async move {
        match superseded {
            Some(superseded) => superseded.await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = closed => {}
        () = superseded => {}
    }
}

struct Driver<S> {
    connection: Connection<Socket, S>,
    ended: CancellationToken,
}

impl<S> Drop for Driver<S> {
    /// Told before the connection goes, and with it the answers that are waited for.
    fn drop(&mut self) {
        self.ended.cancel();
    }
}

async fn drive<S: AsyncRead + AsyncWrite + Unpin>(
    mut driver: Driver<S>,
    over: impl Future<Output = ()>,
    mut hear: impl FnMut(AsyncMessage) + Send + 'static,
) {
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
