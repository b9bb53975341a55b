//! Who needs a second factor, and the keys that encrypt its secrets.

use chrono::{DateTime, Utc};

use super::{KeyRing, Role};

/// `SECOND_FACTOR`: whether roles with wide rights need a second factor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecondFactorPolicy {
    /// Administrators and coordinators need one; the others may have one.
    #[default]
    Required,
    /// Everybody may have one.
    Optional,
}

impl SecondFactorPolicy {
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "required" => Some(Self::Required),
            "optional" => Some(Self::Optional),
            _ => None,
        }
    }

    /// Whether a session of this role opens nothing but the own account until it has proved a second factor.
    pub fn requires(self, role: Role) -> bool {
        self == Self::Required && matches!(role, Role::Admin | Role::Coordinator)
    }
}

/// The policy, and the keys that encrypt secrets where the service has any.
#[derive(Clone, Debug)]
pub struct SecondFactor {
    policy: SecondFactorPolicy,
    keys: Option<KeyRing>,
}

impl SecondFactor {
    pub fn new(policy: SecondFactorPolicy, keys: Option<KeyRing>) -> Self {
        Self { policy, keys }
    }

    pub fn policy(&self) -> SecondFactorPolicy {
        self.policy
    }

    /// Whether users can enrol.
    pub fn is_available(&self) -> bool {
        self.keys.is_some()
    }

    /// The secret as it is stored; only [`SecondFactor::decrypt`] for the same owner reads it.
    pub fn encrypt(&self, secret: &[u8], owner: &[u8], now: DateTime<Utc>) -> Result<String, String> {
        self.keys.as_ref().ok_or(NO_KEYS)?.seal(PURPOSE, owner, secret, now)
    }

    pub fn decrypt(&self, stored: &str, owner: &[u8]) -> Result<Vec<u8>, String> {
        let keys = self.keys.as_ref().ok_or(NO_KEYS)?;
        keys.open(PURPOSE, owner, stored)
            .ok_or_else(|| "a stored second factor cannot be decrypted".to_owned())
    }

    /// Reads the key file again; `false` when it is broken and the keys in force stay.
    pub fn reload(&self) -> bool {
        self.keys.as_ref().is_none_or(KeyRing::reload)
    }
}

const PURPOSE: &str = "ict-index second factor";
const NO_KEYS: &str = "SECOND_FACTOR_KEY_FILE is not set";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::TokenKeys;

    #[test]
    fn administrators_and_coordinators_need_a_second_factor_unless_it_is_optional() {
        let needing = |policy: SecondFactorPolicy| -> Vec<Role> {
            Role::ALL.into_iter().filter(|role| policy.requires(*role)).collect()
        };
        assert_eq!(needing(SecondFactorPolicy::default()), [Role::Admin, Role::Coordinator]);
        assert_eq!(needing(SecondFactorPolicy::Optional), []);
    }

    #[test]
    fn a_secret_is_decrypted_for_its_owner_alone_and_after_rotations() {
        let path = std::env::temp_dir().join(format!("ict-index-keys-{}", uuid::Uuid::now_v7()));
        let start: DateTime<Utc> = "2018-01-01T00:00:00Z".parse().unwrap();
        TokenKeys::rotate_encryption(&path, start).unwrap();
        let ring = KeyRing::new(TokenKeys::load(&path).unwrap(), Some(path.clone()));
        let factor = SecondFactor::new(SecondFactorPolicy::Required, Some(ring));
        let stored = factor.encrypt(b"twenty secret bytes!", b"an", start).unwrap();
        assert!(!stored.contains("twenty"));
        assert_ne!(
            stored,
            factor.encrypt(b"twenty secret bytes!", b"an", start).unwrap(),
            "nonces are random"
        );
        for days in 1..10 {
            TokenKeys::rotate_encryption(&path, start + chrono::Duration::days(days)).unwrap();
        }
        assert!(factor.reload());
        assert_eq!(factor.decrypt(&stored, b"an").unwrap(), b"twenty secret bytes!");
        assert!(factor.decrypt(&stored, b"binh").is_err(), "another user's row");
        let later = factor.encrypt(b"x", b"an", start + chrono::Duration::days(20)).unwrap();
        assert_ne!(stored.split('.').next(), later.split('.').next(), "the newest key encrypts");
        for at in 0..stored.len() {
            let mut changed = stored.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert!(factor.decrypt(&String::from_utf8(changed).unwrap(), b"an").is_err(), "byte {at}");
        }
        let other = KeyRing::new(TokenKeys::generate(start), None);
        assert!(
            SecondFactor::new(SecondFactorPolicy::Required, Some(other)).decrypt(&stored, b"an").is_err()
        );
        std::fs::remove_file(&path).unwrap();
    }
}
