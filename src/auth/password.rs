//! Passwords: argon2id off the worker threads, a few at a time, and the same work for a user who does not exist.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::password_policy::{is_guessable, normalised};
use crate::db::{AdmissionControl, Caller, DbError, Limits};
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};

/// Hashing requests that may wait, two thirds of them of one address; excess ones are rejected.
const QUEUE: usize = 64;
/// Cost of a hash: OWASP's first choice is 19 MiB and two passes.
#[derive(Clone, Copy, Debug)]
pub struct PasswordCost {
    pub memory_kib: u32,
    pub iterations: u32,
}

/// Hashes and verifies.
#[derive(Clone, Debug)]
pub struct Passwords {
    cost: PasswordCost,
    /// Argon2 takes 19 MiB a time: as many at once as there are cores, no more.
    running: AdmissionControl,
    /// A hash of no one's password, verified for unknown users.
    dummy: Arc<str>,
    computed: Arc<AtomicU64>,
}

impl Passwords {
    pub fn new(cost: PasswordCost) -> Result<Self, String> {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let unguessable: [u8; 32] = rand::random();
        Ok(Self {
            cost,
            // A hash takes some 20 ms: the order of the queue is share enough.
            running: AdmissionControl::new(Limits { permits: cores, per_free: usize::MAX, queue: QUEUE }),
            dummy: hash_with(cost, &unguessable)?.into(),
            computed: Arc::default(),
        })
    }

    /// Hashes computed since the start, for new passwords and for comparisons; tests count with it what reaches them.
    pub fn computed(&self) -> u64 {
        self.computed.load(Ordering::Relaxed)
    }

    /// How often the queue was full, and how often a caller's share of it was used up.
    pub fn refused(&self) -> (u64, u64) {
        self.running.refused()
    }

    /// PHC string of a new password.
    pub async fn hash(&self, caller: &Caller, password: &str) -> Result<String, DbError> {
        let (cost, password) = (self.cost, password.to_owned());
        let hashed = self.work(caller, move || hash_with(cost, acceptable(&password)?.as_bytes()));
        hashed.await?.map_err(DbError::Internal)
    }

    /// As [`Passwords::hash`], of a password that a user chose; `None` when it is guessable. The estimate takes as long as a hash does, and
    /// runs in its place.
    pub async fn hash_unless_guessable(
        &self,
        caller: &Caller,
        password: &str,
        username: &str,
        name: &str,
    ) -> Result<Option<String>, DbError> {
        let (cost, password) = (self.cost, password.to_owned());
        let (username, name) = (username.to_owned(), name.to_owned());
        let hashed = self.work(caller, move || {
            let password = acceptable(&password)?;
            match is_guessable(&password, &username, &name) {
                true => Ok(None),
                false => hash_with(cost, password.as_bytes()).map(Some),
            }
        });
        hashed.await?.map_err(DbError::Internal)
    }

    /// Whether the password is the one hashed; takes as long when there is no hash, and when the password is longer than any.
    pub async fn verify(
        &self,
        caller: &Caller,
        password: &str,
        stored: Option<String>,
    ) -> Result<bool, DbError> {
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.dummy.to_string());
        let password = password.to_owned();
        let matches = self
            .work(caller, move || {
                let given = normalised(&password);
                let bytes = given.as_deref().unwrap_or_default().as_bytes();
                let hash = PasswordHash::new(&stored);
                let matches = hash.is_ok_and(|hash| Argon2::default().verify_password(bytes, &hash).is_ok());
                matches && given.is_some()
            })
            .await?;
        Ok(matches && known)
    }

    async fn work<T: Send + 'static>(
        &self,
        caller: &Caller,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, DbError> {
        let permit = self.running.admit(caller).await?;
        self.computed.fetch_add(1, Ordering::Relaxed);
        tokio::task::spawn_blocking(move || {
            let answer = work();
            drop(permit);
            answer
        })
        .await
        .map_err(|error| DbError::Internal(format!("password hashing was interrupted: {error}")))
    }
}

fn acceptable(password: &str) -> Result<String, String> {
    normalised(password).ok_or_else(|| "a password that is too long was not refused before".into())
}

fn hash_with(cost: PasswordCost, password: &[u8]) -> Result<String, String> {
    let params = Params::new(cost.memory_kib, cost.iterations, 1, None).map_err(|e| e.to_string())?;
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon.hash_password(password).map(|hash| hash.to_string()).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use unicode_normalization::UnicodeNormalization;

    use super::*;

    #[tokio::test]
    async fn one_callers_hashes_leave_another_its_turn() {
        let passwords = Passwords::new(PasswordCost { memory_kib: 64, iterations: 1 }).unwrap();
        let (hog, other) = (Caller::named("address:10.0.0.1"), Caller::named("address:10.0.0.2"));
        let running: Vec<_> = std::iter::from_fn(|| passwords.running.try_admit(&hog).ok()).collect();
        let mut waiting: Vec<_> = (0..200).map(|_| Box::pin(passwords.verify(&hog, "x", None))).collect();
        waiting.retain_mut(|queued| match queued.now_or_never() {
            Some(refused) => {
                assert!(matches!(refused, Err(DbError::ShareUsedUp)));
                false
            }
            None => true,
        });
        assert_eq!(waiting.len(), 43, "two thirds of the queue");
        let mut turn = Box::pin(passwords.verify(&other, "x", None));
        assert!((&mut turn).now_or_never().is_none(), "it waits, and is not refused");
        drop(running);
        assert!(!turn.await.unwrap());
    }

    #[tokio::test]
    async fn hashes_verify_whatever_the_composition() {
        let passwords = Passwords::new(PasswordCost { memory_kib: 64, iterations: 1 }).unwrap();
        let caller = Caller::named("address:127.0.0.1");
        let hash = passwords.hash(&caller, "mật khẩu rất dài đây").await.unwrap();
        assert!(hash.starts_with("$argon2id$"));
        let decomposed: String = "mật khẩu rất dài đây".nfd().collect();
        assert!(passwords.verify(&caller, &decomposed, Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify(&caller, "khác", Some(hash)).await.unwrap());
        assert!(!passwords.verify(&caller, "khác", None).await.unwrap());
        let empty = passwords.hash(&caller, "").await.unwrap();
        assert!(!passwords.verify(&caller, &"x".repeat(100_000), Some(empty)).await.unwrap());
    }
}
