//! One's own second factor on the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::{Check, Violations};

/// The state of your second factor.
#[derive(Debug, Serialize, ToSchema)]
pub struct SecondFactorState {
    /// True if a second factor is enrolled: every login requires a code.
    pub enrolled: bool,
    pub enrolled_at: Option<DateTime<Utc>>,
    /// True if the role requires a second factor: it can be replaced, but not removed.
    pub required: bool,
    /// True if an enrolment is waiting for its first code.
    pub pending: bool,
    /// Number of unused recovery codes.
    #[schema(example = 10)]
    pub recovery_codes_left: i64,
}

/// Proof of identity for a change of your second factor.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecondFactorProof {
    #[schema(format = "password")]
    pub(super) current_password: String,
    /// Code of the current second factor, or a recovery code. Not required if there is none.
    #[schema(example = "492039", max_length = 64)]
    pub(super) code: Option<String>,
}

impl Check for SecondFactorProof {
    /// Compared in the handler.
    fn check(&self, _: &mut Violations) {}
}

/// The new secret for an authenticator app.
#[derive(Debug, Serialize, ToSchema)]
pub struct Enrolment {
    /// URI to show as a QR code. Absent if the request is repeated with its `Idempotency-Key`.
    #[schema(
        example = "otpauth://totp/ict-index:coordinator?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=ict-index"
    )]
    pub otpauth_uri: Option<String>,
    /// Secret in Base32. Absent if the request is repeated with its `Idempotency-Key`.
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

/// Recovery codes. Each can be used once in place of a code.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecoveryCodes {
    /// Ten recovery codes. Absent if the request is repeated with its `Idempotency-Key`.
    #[schema(example = json!(["MFRG-GZDF-MZTW-Q2LK-NNWG-23TP"]))]
    pub recovery_codes: Option<Vec<String>>,
}
