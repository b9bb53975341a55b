//! What is true of accounts, whoever stores or asks.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use sha2::{Digest, Sha256};

use crate::auth::{Weakness, weakness};
use crate::http::{Msg, ProblemCode, Violations};

/// Life of a login without a new password: sixteen hours, a working day and its evening.
pub const SESSION_SECONDS: i64 = 16 * 3600;
/// A refresh token that nobody uses ends its session: four hours, longer than any meeting and shorter than a night.
pub const IDLE_SECONDS: i64 = 4 * 3600;
/// How long older secrets of a client work after a new one was made, at the most and unless the caller requests less.
pub const SECRET_OVERLAP_SECONDS: u32 = 24 * 3600;

/// How long a refresh token may be used again after its first use: tabs of one client that ask side by side, and a client whose
/// answer was lost, are told from someone with a copy by nothing but this.
pub const REFRESH_GRACE_SECONDS: i64 = 10;

/// Uses of a refresh token in its grace, after the first: tabs of one client, and repeated requests. A caller that needs more holds a copy.
pub const MOST_FURTHER_USES: i32 = 5;
/// Refresh tokens of a session that are not used yet: branches of tabs, and of answers that were lost.
pub const MOST_LIVE_REFRESH_TOKENS: i64 = 20;
/// Renewals of a session within the life of an access token, which bounds the access tokens that are in force.
pub const MOST_RENEWALS: i64 = 60;
/// Sessions stored for each user, in force or ended.
pub const MOST_SESSIONS: i32 = 50;
/// Secrets of a client that are in force at the same time.
pub const MOST_SECRETS: i32 = 5;

/// What becomes of a refresh token that is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    First,
    /// Used before, a moment ago.
    Again,
    /// Used before, a moment ago, and more often than any client needs.
    Exhausted,
    /// Used before, and someone else holds a copy.
    Reused,
    /// Its session or account has ended.
    Refused,
}

/// Judged by the token's first use. An instance whose clock is behind may see that use in its future.
pub fn renewal(
    used_at: Option<DateTime<Utc>>,
    further_uses: i32,
    alive: bool,
    now: DateTime<Utc>,
) -> Renewal {
    match used_at {
        _ if !alive => Renewal::Refused,
        None => Renewal::First,
        Some(used) if now - used > Duration::seconds(REFRESH_GRACE_SECONDS) => Renewal::Reused,
        Some(_) if further_uses >= MOST_FURTHER_USES => Renewal::Exhausted,
        Some(_) => Renewal::Again,
    }
}

/// An opaque secret of 256 random bits and what is stored of it.
#[derive(Debug)]
pub struct Opaque {
    pub text: String,
    pub hash: Vec<u8>,
}

impl Opaque {
    pub fn random() -> Self {
        let bytes: [u8; 32] = rand::random();
        let text = URL_SAFE_NO_PAD.encode(bytes);
        let hash = hash_of(&text);
        Self { text, hash }
    }
}

/// SHA-256: enough for what is random enough not to be guessed.
pub fn hash_of(text: &str) -> Vec<u8> {
    Sha256::digest(text.as_bytes()).to_vec()
}

/// A login name: 3-64 of lower-case ASCII letters, digits and `. _ -`, beginning with a letter.
pub fn is_username(text: &str) -> bool {
    (3..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-'))
}

/// What a dictionary finds, and the checks that need no time do not.
pub fn guessable_password() -> Msg {
    Msg::fixed(
        "Mật khẩu này quá phổ biến, chỉ gồm các ký tự lặp lại hoặc dễ đoán; đề nghị đặt mật khẩu khác.",
        "This password is too common, too repetitive or easily guessed.",
    )
}

/// Adds what is wrong with a new password, but for what takes time ([`crate::auth::Passwords::hash_unless_guessable`]).
pub fn check_password(faults: &mut Violations, pointer: &str, password: &str, username: &str, name: &str) {
    let detail = match weakness(password, username, name) {
        None => return,
        Some(Weakness::TooShort) => {
            Msg::fixed("Mật khẩu phải có ít nhất 15 ký tự.", "Use at least 15 characters.")
        }
        Some(Weakness::TooLong) => {
            Msg::fixed("Mật khẩu không được quá 256 ký tự.", "Use at most 256 characters.")
        }
        Some(Weakness::Common) => guessable_password(),
        Some(Weakness::OfContext) => Msg::fixed(
            "Mật khẩu chủ yếu gồm các từ dễ đoán (tên tỉnh, cơ quan, phần mềm, vai trò, họ tên); đề nghị thêm từ khác.",
            "The password consists mostly of easily guessed words (province, agency, service, role, your name). Add other words.",
        ),
        Some(Weakness::HoldsName) => Msg::fixed(
            "Mật khẩu không được chứa tên đăng nhập.",
            "The password must not contain the username.",
        ),
    };
    faults.add(ProblemCode::WeakPassword, pointer, detail);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames_are_plain_and_lower_case() {
        for good in ["admin", "officer.so-yt", "an_nguyen2"] {
            assert!(is_username(good), "{good}");
        }
        for bad in ["an", "An.Nguyen", "1an", "an nguyen", "đặng", "a/b", ""] {
            assert!(!is_username(bad), "{bad}");
        }
    }

    #[test]
    fn a_refresh_token_is_good_again_for_ten_seconds_and_no_more() {
        let used: DateTime<Utc> = "2018-03-15T02:00:00Z".parse().unwrap();
        let after = |milliseconds| renewal(Some(used), 4, true, used + Duration::milliseconds(milliseconds));
        assert_eq!(renewal(None, 0, true, used), Renewal::First);
        assert_eq!(renewal(Some(used), MOST_FURTHER_USES, true, used), Renewal::Exhausted);
        let late = used + Duration::seconds(REFRESH_GRACE_SECONDS + 1);
        assert_eq!(renewal(Some(used), MOST_FURTHER_USES, true, late), Renewal::Reused);
        for within in [-1, 0, 1, 10_000] {
            assert_eq!(after(within), Renewal::Again, "{within} ms");
        }
        for beyond in [10_001, 60_000] {
            assert_eq!(after(beyond), Renewal::Reused, "{beyond} ms");
        }
        for used_at in [None, Some(used)] {
            assert_eq!(renewal(used_at, 0, false, used), Renewal::Refused, "nothing revives a session");
        }
    }

    #[test]
    fn opaque_secrets_are_stored_hashed() {
        let (a, b) = (Opaque::random(), Opaque::random());
        assert_ne!(a.text, b.text);
        assert_eq!(a.text.len(), 43);
        assert_eq!(hash_of(&a.text), a.hash);
    }
}
