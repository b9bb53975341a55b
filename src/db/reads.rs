//! Reads over connections that requests share: of the primary, or of a standby that has every known change.

use std::time::Duration;

use super::admission::Caller;
use super::shared::{Lease, Reader};
use super::{Db, DbError};

/// Attempts at one statistic at the most while changes are committed in between.
const MOST_ATTEMPTS: u32 = 3;

impl Db {
    /// Reads over a connection that others read from at the same time. Stays on this thread and borrows what it likes;
    /// is asked again, once, when the connection had ended. [`DbError::Overloaded`] when too much is under way.
    pub async fn read_shared<T, E, F>(&self, caller: &Caller, work: F) -> Result<T, E>
    where
        E: From<DbError>,
        F: for<'a, 'c> AsyncFn(&'a mut Reader<'c>) -> Result<T, E>,
    {
        self.read_on(self.inner.primary.try_acquire(caller).await?, work).await
    }

    /// As [`Db::read_shared`], however much is under way: for what tells whether this instance can serve.
    pub async fn read_shared_always<T, E, F>(&self, work: F) -> Result<T, E>
    where
        E: From<DbError>,
        F: for<'a, 'c> AsyncFn(&'a mut Reader<'c>) -> Result<T, E>,
    {
        self.read_on(self.inner.primary.acquire_always().await?, work).await
    }

    async fn read_on<T, E, F>(&self, lease: Lease, work: F) -> Result<T, E>
    where
        E: From<DbError>,
        F: for<'a, 'c> AsyncFn(&'a mut Reader<'c>) -> Result<T, E>,
    {
        let answer = work(&mut lease.reader()).await;
        if answer.is_ok() {
            lease.over();
            return answer;
        }
        if !lease.has_ended() {
            return answer;
        }
        // On another one, with the same permit.
        let again = self.inner.primary.acquire_always().await?;
        let answer = work(&mut again.reader()).await;
        if answer.is_ok() {
            again.over();
        }
        answer
    }

    /// As [`Db::read_shared`], for several statements that belong together: asked again when a change was committed between them. From
    /// the standby when that has everything this instance knows of; answers its lag then. What the standby cannot answer, the
    /// primary is asked.
    pub async fn read_statistics<T, E, F>(&self, caller: &Caller, work: F) -> Result<(T, Option<Duration>), E>
    where
        E: From<DbError>,
        F: for<'a, 'c> AsyncFn(&'a mut Reader<'c>) -> Result<T, E>,
    {
        let generations = &self.inner.generations;
        for _ in 1..MOST_ATTEMPTS {
            let generation = generations.observed_figures();
            let answer = self.read_statistics_once(caller, &work).await?;
            if generations.observed_figures() == generation {
                return Ok(answer);
            }
        }
        self.read_statistics_once(caller, &work).await
    }

    async fn read_statistics_once<T, E, F>(
        &self,
        caller: &Caller,
        work: &F,
    ) -> Result<(T, Option<Duration>), E>
    where
        E: From<DbError>,
        F: for<'a, 'c> AsyncFn(&'a mut Reader<'c>) -> Result<T, E>,
    {
        if let Some(replica) = &self.inner.replica
            && let Some(lag) = replica.lag(&self.inner.generations)
            && let Ok(lease) = replica.server().try_acquire(caller).await
            && let Ok(answer) = work(&mut lease.reader()).await
        {
            lease.over();
            return Ok((answer, Some(lag)));
        }
        Ok((self.read_shared(caller, work).await?, None))
    }
}
