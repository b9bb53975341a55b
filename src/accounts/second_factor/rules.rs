//! Codes: made and compared.

use chrono::{DateTime, Duration, Utc};
use totp_rs::{Builder, Secret, Totp};
use unicode_normalization::UnicodeNormalization;

use crate::accounts::rules::hash_of;

/// RFC 4226 requires 128 bits and recommends 160.
const SECRET_BYTES: usize = 20;
const ISSUER: &str = "ict-index";
pub const RECOVERY_CODES: usize = 10;
/// 120 bits: enough to be stored as a plain hash (ASVS 6.5.2 requires 112).
const RECOVERY_BYTES: usize = 15;
/// Bytes of a code, however it is typed: bounds the work of normalising.
const MOST_TYPED: usize = 256;
/// An enrolment that is not confirmed by then begins anew.
const PENDING_MINUTES: i64 = 30;

/// What a person typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubmittedCode {
    Totp(String),
    /// Hash of a recovery code.
    Recovery(Vec<u8>),
}

impl SubmittedCode {
    /// Six digits are a TOTP code, anything else can only be a recovery code. Spaces, hyphens, case and width do not matter. What is longer
    /// than any code is none: its hash is no code's.
    pub fn parse(text: &str) -> Self {
        if text.len() > MOST_TYPED {
            return Self::Recovery(Vec::new());
        }
        let plain: String = text
            .nfkc()
            .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '\u{2010}'..='\u{2015}'))
            .take(RECOVERY_BYTES * 2)
            .collect();
        if plain.len() == 6 && plain.bytes().all(|b| b.is_ascii_digit()) {
            return Self::Totp(plain);
        }
        Self::Recovery(hash_of(&plain.to_ascii_uppercase()))
    }
}

pub fn new_secret() -> [u8; SECRET_BYTES] {
    rand::random()
}

fn totp(secret: &[u8], username: &str) -> Option<Totp> {
    let builder = Builder::new().with_secret(secret.to_vec()).with_account_name(username);
    builder.with_issuer(Some(ISSUER)).build().ok()
}

/// `otpauth://` URI, for a QR code.
pub fn enrolment_uri(secret: &[u8], username: &str) -> Option<String> {
    totp(secret, username)?.to_url().ok()
}

/// For typing it in.
pub fn base32(secret: &[u8]) -> String {
    Secret::from(secret).to_base32()
}

/// The time step that the code is of: the present one, or the one before or after it.
pub fn matching_step(secret: &[u8], code: &str, now: DateTime<Utc>) -> Option<i64> {
    let now = u64::try_from(now.timestamp()).ok()?;
    i64::try_from(totp(secret, "")?.check(code, now)?).ok()
}

/// The code of the step that `now` lies in.
#[cfg(test)]
fn code_at(secret: &[u8], now: DateTime<Utc>) -> String {
    totp(secret, "").unwrap().generate(now.timestamp().unsigned_abs()).to_string()
}

/// Ten recovery codes, as shown and as stored.
pub fn new_recovery_codes() -> (Vec<String>, Vec<Vec<u8>>) {
    let shown: Vec<String> = (0..RECOVERY_CODES).map(|_| recovery_code(&rand::random())).collect();
    let hashes = shown.iter().map(|code| hash_of(&code.replace('-', ""))).collect();
    (shown, hashes)
}

fn recovery_code(bytes: &[u8; RECOVERY_BYTES]) -> String {
    let text = base32(bytes);
    let groups: Vec<&str> = (0..text.len()).step_by(4).filter_map(|at| text.get(at..at + 4)).collect();
    groups.join("-")
}

/// Whether an enrolment begun then can still be confirmed.
pub fn is_confirmable(pending_since: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    now - pending_since < Duration::minutes(PENDING_MINUTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"12345678901234567890";

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    /// RFC 6238, appendix B, SHA-1; the last six of its eight digits.
    #[test]
    fn codes_are_those_of_the_rfc() {
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
        ] {
            assert_eq!(code_at(SECRET, at(seconds)), code, "{seconds}");
            assert_eq!(matching_step(SECRET, code, at(seconds)), Some(seconds / 30), "{seconds}");
        }
    }

    #[test]
    fn a_clock_may_be_one_step_off_and_no_more() {
        let now = at(1_000_000_000);
        for steps in -3..=3 {
            let code = code_at(SECRET, now + Duration::seconds(30 * steps));
            let expected = (-1..=1).contains(&steps).then_some(1_000_000_000 / 30 + steps);
            assert_eq!(matching_step(SECRET, &code, now), expected, "{steps} steps off");
        }
    }

    #[test]
    fn codes_are_read_however_they_are_typed() {
        for typed in ["123456", " 123 456 ", "123-456", "１２３４５６", "123\u{a0}456"] {
            assert_eq!(SubmittedCode::parse(typed), SubmittedCode::Totp("123456".into()), "{typed}");
        }
        for wrong in ["12345", "1234567", "12345a", "١٢٣٤٥٦", ""] {
            assert!(matches!(SubmittedCode::parse(wrong), SubmittedCode::Recovery(_)), "{wrong}");
        }
        let padded = format!("123456{}", " ".repeat(MOST_TYPED));
        assert_eq!(
            SubmittedCode::parse(&padded),
            SubmittedCode::Recovery(Vec::new()),
            "longer than any code"
        );
        let (shown, hashes) = new_recovery_codes();
        assert_eq!((shown.len(), hashes.len()), (RECOVERY_CODES, RECOVERY_CODES));
        for (code, hash) in shown.iter().zip(&hashes) {
            assert_eq!(code.len(), 29, "{code}");
            for typed in [code.clone(), code.to_lowercase(), code.replace('-', ""), code.replace('-', " ")] {
                assert_eq!(SubmittedCode::parse(&typed), SubmittedCode::Recovery(hash.clone()), "{typed}");
            }
        }
    }

    #[test]
    fn the_uri_names_the_service_and_the_account() {
        let uri = enrolment_uri(SECRET, "officer.so-yt").unwrap();
        assert!(uri.starts_with("otpauth://totp/ict-index:officer.so-yt?"), "{uri}");
        assert!(
            uri.contains("secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ") && uri.contains("issuer=ict-index"),
            "{uri}"
        );
    }
}
