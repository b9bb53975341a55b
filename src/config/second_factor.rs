//! `SECOND_FACTOR` and `SECOND_FACTOR_KEY_FILE`.

use std::path::PathBuf;

use super::Environment;
use crate::auth::{SecondFactorPolicy, TokenKeys};

/// Who needs a second factor, and where the keys are that encrypt its secrets.
#[derive(Clone, Debug, Default)]
pub struct SecondFactorSettings {
    pub policy: SecondFactorPolicy,
    pub key_file: Option<PathBuf>,
}

impl SecondFactorSettings {
    pub(super) fn load(env: &Environment, faults: &mut Vec<String>) -> Self {
        let text = env.get("SECOND_FACTOR").unwrap_or("required");
        let policy = SecondFactorPolicy::parse(text).unwrap_or_else(|| {
            faults.push(format!("SECOND_FACTOR: expected `required` or `optional`, got {text:?}"));
            SecondFactorPolicy::default()
        });
        let key_file = env.get("SECOND_FACTOR_KEY_FILE").map(PathBuf::from);
        match &key_file {
            Some(path) => {
                faults.extend(TokenKeys::load(path).err().map(|e| format!("SECOND_FACTOR_KEY_FILE: {e}")));
            }
            None if policy == SecondFactorPolicy::Required => faults.push(
                "SECOND_FACTOR_KEY_FILE: missing; `ict-index keys rotate --second-factor` makes one \
                 (SECOND_FACTOR=optional lets administrators and coordinators in by their password alone)"
                    .into(),
            ),
            None => {}
        }
        Self { policy, key_file }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(pairs: [(&str, &str); 2]) -> (SecondFactorSettings, Vec<String>) {
        let mut faults = Vec::new();
        (SecondFactorSettings::load(&Environment::of(pairs), &mut faults), faults)
    }

    #[test]
    fn a_second_factor_is_required_unless_the_operator_says_otherwise() {
        let (settings, faults) = load([("SECOND_FACTOR", ""), ("SECOND_FACTOR_KEY_FILE", "")]);
        assert_eq!(settings.policy, SecondFactorPolicy::Required);
        assert!(faults.iter().any(|f| f.contains("keys rotate --second-factor")), "{faults:?}");
        let (settings, faults) = load([("SECOND_FACTOR", "optional"), ("SECOND_FACTOR_KEY_FILE", "")]);
        assert_eq!((settings.policy, faults), (SecondFactorPolicy::Optional, vec![]));
        for wrong in ["off", "Optional", "no"] {
            let (settings, faults) = load([("SECOND_FACTOR", wrong), ("SECOND_FACTOR_KEY_FILE", "")]);
            assert_eq!(settings.policy, SecondFactorPolicy::Required, "{wrong}");
            assert!(faults.iter().any(|f| f.starts_with("SECOND_FACTOR:")), "{wrong}");
        }
        let (_, faults) = load([("SECOND_FACTOR", "optional"), ("SECOND_FACTOR_KEY_FILE", "/no/such/file")]);
        assert!(faults.iter().any(|f| f.starts_with("SECOND_FACTOR_KEY_FILE: cannot read")), "{faults:?}");
    }
}
