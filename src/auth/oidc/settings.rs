//! What the operator says about the identity provider.

use std::path::PathBuf;

/// All of it; `config` reads it from the environment.
#[derive(Clone, Debug)]
pub struct OidcSettings {
    /// As the provider spells it in tokens and in its discovery document.
    pub issuer: String,
    /// Certificates to trust instead of the system's, as PEM.
    pub ca_file: Option<PathBuf>,
    /// The claim that is compared with a user's `external_subject`.
    pub username_claim: String,
    /// `aud` of access tokens for this service; `None`: they are not accepted.
    pub audience: Option<String>,
    /// Clients of the provider whose access tokens are accepted (`azp`, or `client_id`).
    pub authorized_parties: Vec<String>,
    pub mfa: MfaRule,
    /// `None`: no user logs in by way of the provider.
    pub sign_in: Option<SignIn>,
}

/// For the authorization code flow.
#[derive(Clone)]
pub struct SignIn {
    pub client_id: String,
    /// `None`: a public client, which PKCE alone protects.
    pub client_secret: Option<String>,
    pub redirect_uri: String,
    pub scope: String,
}

impl std::fmt::Debug for SignIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignIn").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// When the provider's word counts as a second factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MfaRule {
    /// Always: the operator knows that the provider requires one.
    Trusted,
    /// When `amr` holds, or `acr` is, one of these.
    Asserted { amr: Vec<String>, acr: Vec<String> },
}

impl MfaRule {
    pub fn is_met(&self, amr: &[String], acr: Option<&str>) -> bool {
        match self {
            Self::Trusted => true,
            Self::Asserted { amr: methods, acr: classes } => {
                amr.iter().any(|method| methods.contains(method))
                    || acr.is_some_and(|class| classes.iter().any(|known| known == class))
            }
        }
    }
}
