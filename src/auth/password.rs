//! Passwords: argon2id off the worker threads, a few at a time, and the same work for a user who does not exist.

use std::sync::Arc;

use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization;

/// NIST SP 800-63B-4 for a password that stands alone.
pub const SHORTEST: usize = 15;
/// Longer than any passphrase; bounds the work of normalising.
pub const LONGEST: usize = 256;
/// Hashing requests that may wait; the rest are told to come again.
const MOST_WAITING: usize = 64;
/// Passwords everyone tries first, and what people make of them to reach fifteen characters.
const COMMON: &str = include_str!("../../data/common-passwords.txt");

/// Cost of a hash: OWASP's first choice is 19 MiB and two passes.
#[derive(Clone, Copy, Debug)]
pub struct PasswordCost {
    pub memory_kib: u32,
    pub iterations: u32,
}

/// Why a password is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakness {
    TooShort,
    TooLong,
    Common,
    /// Holds the account's own name.
    HoldsName,
}

/// More are hashing already than can be waited for.
#[derive(Debug)]
pub struct Busy;

/// Hashes and verifies.
#[derive(Clone, Debug)]
pub struct Passwords {
    cost: PasswordCost,
    /// Argon2 takes 19 MiB a time: as many at once as there are cores, no more.
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    /// A hash of no one's password, verified for unknown users.
    dummy: Arc<str>,
}

impl Passwords {
    pub fn new(cost: PasswordCost) -> Result<Self, String> {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let unguessable: [u8; 32] = rand::random();
        Ok(Self {
            cost,
            running: Arc::new(Semaphore::new(cores)),
            waiting: Arc::new(Semaphore::new(MOST_WAITING)),
            dummy: hash_with(cost, &unguessable)?.into(),
        })
    }

    /// PHC string of a new password.
    pub async fn hash(&self, password: &str) -> Result<String, Busy> {
        let (cost, password) = (self.cost, normalised(password));
        self.work(move || hash_with(cost, password.as_bytes())).await?.map_err(|_| Busy)
    }

    /// Whether the password is the one hashed; takes as long when there is no hash.
    pub async fn verify(&self, password: &str, stored: Option<String>) -> Result<bool, Busy> {
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.dummy.to_string());
        let password = normalised(password);
        let matches = self
            .work(move || {
                PasswordHash::new(&stored)
                    .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
            })
            .await?;
        Ok(matches && known)
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let _place = self.waiting.try_acquire().map_err(|_| Busy)?;
        let permit = self.running.clone().acquire_owned().await.map_err(|_| Busy)?;
        tokio::task::spawn_blocking(move || {
            let answer = work();
            drop(permit);
            answer
        })
        .await
        .map_err(|_| Busy)
    }
}

fn hash_with(cost: PasswordCost, password: &[u8]) -> Result<String, String> {
    let params = Params::new(cost.memory_kib, cost.iterations, 1, None).map_err(|e| e.to_string())?;
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon.hash_password(password).map(|hash| hash.to_string()).map_err(|e| e.to_string())
}

/// NFKC, so that a password typed on another keyboard is the same password.
fn normalised(password: &str) -> String {
    password.nfkc().collect()
}

/// Rules for a new password: long, not common, not the name. No rules of composition.
pub fn weakness(password: &str, username: &str) -> Option<Weakness> {
    let plain = normalised(password);
    let length = plain.chars().count();
    if length < SHORTEST {
        return Some(Weakness::TooShort);
    }
    if length > LONGEST {
        return Some(Weakness::TooLong);
    }
    let lower = plain.to_lowercase();
    let distinct = lower.chars().collect::<std::collections::HashSet<_>>().len();
    if distinct < 5
        || COMMON.lines().any(|common| !common.is_empty() && lower == common)
        || is_repetition(&lower)
    {
        return Some(Weakness::Common);
    }
    (username.chars().count() >= 4 && lower.contains(&username.to_lowercase())).then_some(Weakness::HoldsName)
}

/// `passwordpassword`: a shorter text again and again.
fn is_repetition(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    (1..=chars.len() / 2).any(|n| chars.iter().zip(chars.iter().skip(n)).all(|(a, b)| a == b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_passwords_are_named_as_such() {
        assert_eq!(weakness("short", "an"), Some(Weakness::TooShort));
        assert_eq!(weakness(&"x1y2z3".repeat(50), "an"), Some(Weakness::TooLong));
        assert_eq!(weakness("passwordpassword", "an"), Some(Weakness::Common));
        assert_eq!(weakness("aaaaaaaaaaaaaaaa", "an"), Some(Weakness::Common));
        assert_eq!(weakness("123456789012345", "an"), Some(Weakness::Common));
        assert_eq!(weakness("coordinator is me", "coordinator"), Some(Weakness::HoldsName));
        assert_eq!(weakness("ruộng bậc thang mùa lúa chín", "an.nguyen"), None);
    }

    #[tokio::test]
    async fn hashes_verify_whatever_the_composition() {
        let passwords = Passwords::new(PasswordCost { memory_kib: 64, iterations: 1 }).unwrap();
        let hash = passwords.hash("mật khẩu rất dài đây").await.unwrap();
        assert!(hash.starts_with("$argon2id$"));
        let decomposed: String = "mật khẩu rất dài đây".nfd().collect();
        assert!(passwords.verify(&decomposed, Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify("khác", Some(hash)).await.unwrap());
        assert!(!passwords.verify("khác", None).await.unwrap());
    }
}
