//! One's own second factor on the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::{Check, Violations};

/// One's own second factor.
#[derive(Debug, Serialize, ToSchema)]
pub struct SecondFactorState {
    /// A code is asked for at every login.
    pub enrolled: bool,
    pub enrolled_at: Option<DateTime<Utc>>,
    /// The role needs one: it can be replaced and not removed.
    pub required: bool,
    /// An enrolment waits for its first code.
    pub pending: bool,
    /// Recovery codes that are unused.
    #[schema(example = 10)]
    pub recovery_codes_left: i64,
}

/// What a change of one's own second factor asks for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecondFactorProof {
    #[schema(format = "password")]
    pub(super) current_password: String,
    /// Of the second factor in force, or a recovery code. Not needed where none is in force.
    #[schema(example = "492039", max_length = 64)]
    pub(super) code: Option<String>,
}

impl Check for SecondFactorProof {
    /// Compared in the handler.
    fn check(&self, _: &mut Violations) {}
}

/// What goes into the authenticator.
#[derive(Debug, Serialize, ToSchema)]
pub struct Enrolment {
    /// As text of a QR code; absent when a request is repeated with its `Idempotency-Key`.
    #[schema(
        example = "otpauth://totp/ict-index:coordinator?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=ict-index"
    )]
    pub otpauth_uri: Option<String>,
    /// Base32, to be typed in; absent when a request is repeated with its `Idempotency-Key`.
    #[schema(example = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")]
    pub secret: Option<String>,
}

/// The first code of a new authenticator.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    #[schema(example = "492039", max_length = 64)]
    pub(super) code: String,
}

impl Check for Confirmation {
    /// Compared in the handler.
    fn check(&self, _: &mut Violations) {}
}

/// Recovery codes: each replaces a code once.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecoveryCodes {
    /// Ten of them; absent when a request is repeated with its `Idempotency-Key`.
    #[schema(example = json!(["MFRG-GZDF-MZTW-Q2LK-NNWG-23TP"]))]
    pub recovery_codes: Option<Vec<String>>,
}
