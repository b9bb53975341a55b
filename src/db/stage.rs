//! Many rows on their way in: binary COPY into unlogged tables, each held by one delivery at a time.
//!
//! A table is claimed by an advisory lock of the session: a connection that dies gives its claim back by itself.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::binary_copy::BinaryCopyInWriter;

pub use tokio_postgres::types::{ToSql as Cell, Type as CellType};

pub use super::claim::{Layout, claim_in_transaction};

use super::admission::Permit;
use super::claim::Claim;
use super::copy::{Connection, Inner, Staging};
use super::{Conn, DbError};

/// How long a delivery waits for a free table, and how often it asks.
pub(super) const CLAIM_WAIT: Duration = Duration::from_secs(3);
const CLAIM_PAUSE: Duration = Duration::from_millis(50);

impl Staging {
    #[allow(clippy::disallowed_methods, reason = "no database work is inside")]
    async fn admitted(&self) -> Result<Permit, DbError> {
        let deliveries = &self.inner.deliveries;
        let admitted = timeout(CLAIM_WAIT, deliveries.admit(self.charged.clone())).await;
        Ok(admitted.unwrap_or_else(|_| Err(deliveries.refusal(&self.charged)))?)
    }

    /// Claims a table for the caller alone; it is empty. All taken for a while: unavailable.
    pub async fn claim(&self, layout: &'static Layout) -> Result<Stage, DbError> {
        let deadline = Instant::now() + CLAIM_WAIT;
        // Those who wait hold no connection.
        let permit = self.admitted().await?;
        loop {
            let client = self.inner.connection().await?;
            match Claim::try_on(&client, layout).await {
                Ok(Some(claim)) => {
                    // The claim, the copy and the release, which comes when nobody counts any more.
                    self.inner.statements.fetch_add(3, Ordering::Relaxed);
                    let inner = self.inner.clone();
                    return Ok(Stage { client: Some(client), layout, claim, inner, permit: Some(permit) });
                }
                Ok(None) => self.inner.keep(client),
                // A connection that died while it was idle.
                Err(error) if error.is_closed() && Instant::now() < deadline => continue,
                Err(error) => return Err(error.into()),
            }
            if Instant::now() >= deadline {
                return Err(DbError::Unavailable("every staging table is taken".into()));
            }
            sleep(CLAIM_PAUSE).await;
        }
    }
}

/// A table that is the holder's until this is dropped; then it is emptied and free.
pub struct Stage {
    client: Option<Connection>,
    layout: &'static Layout,
    claim: Claim,
    inner: Arc<Inner>,
    permit: Option<Permit>,
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Stage").field(&self.claim.relation).finish()
    }
}

impl Stage {
    /// The table's name.
    pub fn relation(&self) -> &'static str {
        self.claim.relation
    }

    /// Makes sure, for as long as the transaction of `conn` lasts, that it sees the rows that were copied in. An unlogged table is empty
    /// after a crash, and on a standby that was promoted; a claim that ended may be another's by now.
    pub async fn hold(&self, conn: &mut Conn) -> Result<(), DbError> {
        if self.claim.holds(conn, self.layout).await? {
            Ok(())
        } else {
            Err(DbError::Unavailable("rows that were copied in are not there any more".into()))
        }
    }

    /// Begins to copy rows in. They are there once [`CopiedRows::finish`] has answered.
    pub async fn copy(&self) -> Result<CopiedRows, DbError> {
        let Some(client) = &self.client else {
            return Err(DbError::Internal("a stage without a connection".into()));
        };
        let names: Vec<&str> = self.layout.columns.iter().map(|(name, _)| *name).collect();
        let types: Vec<CellType> = self.layout.columns.iter().map(|(_, kind)| kind.clone()).collect();
        let text = format!("copy {} ({}) from stdin (format binary)", self.claim.relation, names.join(", "));
        let sink = client.copy_in(&text).await?;
        Ok(CopiedRows { writer: Box::pin(BinaryCopyInWriter::new(sink, &types)) })
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else { return };
        let (inner, relation, lock, slot) =
            (self.inner.clone(), self.claim.relation, self.layout.lock.number(), self.claim.slot);
        let permit = self.permit.take();
        self.inner.runtime.spawn(async move {
            // Emptied first: who claims it next finds nothing. Should either fail, the connection ends, and the claim with it.
            let emptied = client.batch_execute(&format!("truncate {relation}")).await;
            let freed = match emptied {
                Ok(()) => client.batch_execute(&format!("select pg_advisory_unlock({lock}, {slot})")).await,
                Err(error) => Err(error),
            };
            match freed {
                Ok(()) => inner.keep(client),
                Err(error) => {
                    log::warn!(target: "staging", relation, error:% = error; "could not truncate a staging table");
                    client.end().await;
                }
            }
            drop(permit);
        });
    }
}

/// Rows being copied; dropped before its end, nothing of them is there.
pub struct CopiedRows {
    writer: Pin<Box<BinaryCopyInWriter>>,
}

impl std::fmt::Debug for CopiedRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CopiedRows")
    }
}

impl CopiedRows {
    /// One row, in the order of the layout's columns.
    pub async fn write(&mut self, cells: &[&(dyn Cell + Sync)]) -> Result<(), DbError> {
        Ok(self.writer.as_mut().write(cells).await?)
    }

    pub async fn finish(mut self) -> Result<u64, DbError> {
        Ok(self.writer.as_mut().finish().await?)
    }
}
