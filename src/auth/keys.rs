//! Signing keys of access tokens: a small file, rotated by command, read again while the service runs.

use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use crate::values::hex;

/// HS256 wants at least as many bytes as its hash (RFC 7518, 3.2).
const KEY_BYTES: usize = 32;
/// A new key signs only after every instance has had time to read it.
const ACTIVATION_SECONDS: i64 = 60;
/// Keys kept at least; and every one whose tokens may still be in force, however often it is rotated.
const KEPT: usize = 3;
/// A token's life and what instances may be behind: so long after its successor began to sign, a key is needed to verify.
const NEEDED_SECONDS: i64 = super::ACCESS_TOKEN_SECONDS + ACTIVATION_SECONDS;

/// The file's content, newest key first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenKeys {
    keys: Vec<TokenKey>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct TokenKey {
    kid: String,
    /// Base64.
    secret: String,
    /// When it begins to sign.
    not_before: DateTime<Utc>,
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl TokenKeys {
    /// One new key, in force at once.
    pub fn generate(now: DateTime<Utc>) -> Self {
        Self { keys: vec![TokenKey::random(now)] }
    }

    /// Reads and checks the file.
    pub fn load(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).map_err(|e| format!("cannot read {shown}: {e}"))?;
        // Who may write it makes tokens. Secrets of containers are often readable by all inside: that is left to them.
        let mode = std::fs::metadata(path).map_or(0, |file| file.permissions().mode());
        if mode & 0o022 != 0 {
            return Err(format!(
                "{shown} is writable by group or others (mode {:o}); chmod 600 it",
                mode & 0o777
            ));
        }
        let keys: Self =
            serde_json::from_str(&text).map_err(|e| format!("{shown} is not a key file: {e}"))?;
        if keys.keys.is_empty() {
            return Err(format!("{shown} has no key"));
        }
        for key in &keys.keys {
            let secret = key.bytes().ok_or_else(|| format!("{shown}: key {} is not base64", key.kid))?;
            if secret.len() < KEY_BYTES {
                return Err(format!(
                    "{shown}: key {} has {} bytes; {KEY_BYTES} are required",
                    key.kid,
                    secret.len()
                ));
            }
            if is_guessable(&secret) {
                return Err(format!(
                    "{shown}: key {} is a well-known example; generate a secret one",
                    key.kid
                ));
            }
        }
        Ok(keys)
    }

    /// Adds a key that signs from a minute on and drops those that are needed no more.
    pub fn rotate(path: &Path, now: DateTime<Utc>) -> Result<String, String> {
        Self::add(path, now, |keys| keys.forget(now))
    }

    /// Adds a key that encrypts from a minute on. The old ones stay: what they encrypted is still stored.
    pub fn rotate_encryption(path: &Path, now: DateTime<Utc>) -> Result<String, String> {
        Self::add(path, now, |_| ())
    }

    /// The file is replaced whole, readable by its owner alone.
    fn add(path: &Path, now: DateTime<Utc>, prune: impl FnOnce(&mut Self)) -> Result<String, String> {
        // Two rotations at once would each write a file without the other's key.
        let _locked =
            lock_directory(path).map_err(|e| format!("cannot lock the folder of {}: {e}", path.display()))?;
        let mut keys = match path.exists() {
            true => Self::load(path)?,
            false => Self { keys: Vec::new() },
        };
        let from = if keys.keys.is_empty() { now } else { now + Duration::seconds(ACTIVATION_SECONDS) };
        let key = TokenKey::random(from);
        let kid = key.kid.clone();
        keys.keys.insert(0, key);
        prune(&mut keys);
        keys.write(path).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
        Ok(kid)
    }

    /// Drops keys that nothing in force was signed with.
    fn forget(&mut self, now: DateTime<Utc>) {
        let over = now - Duration::seconds(NEEDED_SECONDS);
        let successors = self.keys.iter().map(|key| key.not_before);
        let needed = 1 + successors.take_while(|began| *began > over).count();
        self.keys.truncate(needed.max(KEPT));
    }

    fn write(&self, path: &Path) -> std::io::Result<()> {
        let text = serde_json::to_vec_pretty(self)?;
        let suffix: [u8; 8] = rand::random();
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(format!(".{}.new", hex(&suffix)));
        let written = write_new(temporary.as_ref(), &text).and_then(|()| std::fs::rename(&temporary, path));
        if written.is_err() {
            let _ = std::fs::remove_file(&temporary);
        }
        written
    }

    /// (kid, secret) of the key that signs now.
    pub(super) fn signing(&self, now: DateTime<Utc>) -> Option<(String, Vec<u8>)> {
        let key = self.keys.iter().find(|k| k.not_before <= now).or(self.keys.last())?;
        Some((key.kid.clone(), key.bytes()?))
    }

    pub(super) fn verifying(&self, kid: &str) -> Option<Vec<u8>> {
        self.keys.iter().find(|k| k.kid == kid)?.bytes()
    }
}

/// Writes a file that is not there yet, for its owner alone: a file or link that another user has put there is not written to.
fn write_new(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Held until it is dropped.
fn lock_directory(path: &Path) -> std::io::Result<std::fs::File> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let opened = std::fs::File::open(folder)?;
    rustix::fs::flock(&opened, rustix::fs::FlockOperation::LockExclusive)?;
    Ok(opened)
}

/// What people type or copy instead of letting a machine choose: text, or few different bytes. Of 32 random bytes one in a
/// million million is so.
fn is_guessable(secret: &[u8]) -> bool {
    let distinct = secret.iter().collect::<std::collections::HashSet<_>>().len();
    distinct < KEY_BYTES / 2 || secret.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ')
}

impl TokenKey {
    fn random(not_before: DateTime<Utc>) -> Self {
        let secret: [u8; KEY_BYTES] = rand::random();
        let id: [u8; 6] = rand::random();
        let kid = hex(&id);
        Self { kid, secret: STANDARD.encode(secret), not_before }
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.secret).ok()
    }
}

/// The keys in force, shared by all workers.
#[derive(Clone, Debug)]
pub struct KeyRing {
    keys: Arc<RwLock<TokenKeys>>,
    /// Counts up when the keys change: what an older one verified must be verified again.
    generation: Arc<AtomicU64>,
    path: Option<PathBuf>,
}

impl KeyRing {
    pub fn new(keys: TokenKeys, path: Option<PathBuf>) -> Self {
        Self { keys: Arc::new(RwLock::new(keys)), generation: Arc::default(), path }
    }

    pub(super) fn read<T>(&self, look: impl FnOnce(&TokenKeys) -> T) -> T {
        look(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// Reads the file again; a broken one is reported (`false`) and the keys in force stay.
    pub fn reload(&self) -> bool {
        let Some(path) = &self.path else { return true };
        match TokenKeys::load(path) {
            Ok(keys) if self.read(|held| *held == keys) => {}
            Ok(keys) => {
                *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
                self.generation.fetch_add(1, Ordering::SeqCst);
            }
            Err(fault) => {
                log::error!(target: "keys", fault = fault.as_str(); "token keys not reloaded");
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
