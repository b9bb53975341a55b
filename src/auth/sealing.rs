//! Authenticated encryption with the keys of a key file: AES-256-GCM, the key of each purpose derived by HKDF.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};

use super::KeyRing;

impl KeyRing {
    /// `<key id>.<nonce, ciphertext and tag>`. `context` is not stored, but has to be the same for [`KeyRing::open`].
    pub(super) fn seal(
        &self,
        purpose: &str,
        context: &[u8],
        plain: &[u8],
        now: DateTime<Utc>,
    ) -> Result<String, String> {
        let (kid, secret) = self.read(|keys| keys.signing(now)).ok_or("no key to encrypt with")?;
        let key = derived(&secret, purpose).ok_or("the key cannot be used")?;
        let mut buffer = plain.to_vec();
        let nonce = key
            .seal_in_place_append_tag(Aad::from(context), &mut buffer)
            .map_err(|_| "encryption failed".to_owned())?;
        let whole = [nonce.as_ref().as_slice(), &buffer].concat();
        Ok(format!("{kid}.{}", URL_SAFE_NO_PAD.encode(whole)))
    }

    /// What was sealed for this purpose and context; `None` for anything else, and when its key is gone.
    pub(super) fn open(&self, purpose: &str, context: &[u8], sealed: &str) -> Option<Vec<u8>> {
        let (kid, text) = sealed.split_once('.')?;
        let secret = self.read(|keys| keys.verifying(kid))?;
        let mut whole = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, buffer) = whole.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let plain = derived(&secret, purpose)?.open_in_place(nonce, Aad::from(context), buffer).ok()?;
        Some(plain.to_vec())
    }
}

fn derived(secret: &[u8], purpose: &str) -> Option<RandomizedNonceKey> {
    let info = [purpose.as_bytes()];
    let material = Salt::new(HKDF_SHA256, &[]).extract(secret);
    let mut key = [0; 32];
    material.expand(&info, HKDF_SHA256).ok()?.fill(&mut key).ok()?;
    RandomizedNonceKey::new(&AES_256_GCM, &key).ok()
}
