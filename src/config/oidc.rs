//! `OIDC_…`: the identity provider. Without `OIDC_ISSUER` there is none.

use std::path::PathBuf;

use super::Environment;
use crate::auth::oidc::{MfaRule, OidcSettings, SignIn, http_client, is_allowed_url};

const NAMES: [&str; 11] = [
    "OIDC_CLIENT_ID",
    "OIDC_CLIENT_SECRET_FILE",
    "OIDC_REDIRECT_URI",
    "OIDC_SCOPE",
    "OIDC_AUDIENCE",
    "OIDC_AUTHORIZED_PARTIES",
    "OIDC_USERNAME_CLAIM",
    "OIDC_MFA",
    "OIDC_MFA_AMR",
    "OIDC_MFA_ACR",
    "OIDC_CA_FILE",
];

/// Settings that mean nothing without another.
const DEPENDENT: [(&str, &str); 4] = [
    ("OIDC_CLIENT_SECRET_FILE", "OIDC_CLIENT_ID"),
    ("OIDC_REDIRECT_URI", "OIDC_CLIENT_ID"),
    ("OIDC_SCOPE", "OIDC_CLIENT_ID"),
    ("OIDC_AUTHORIZED_PARTIES", "OIDC_AUDIENCE"),
];

/// `None`: off. What is wrong is added to `faults`.
pub(super) fn load(env: &Environment, faults: &mut Vec<String>) -> Option<OidcSettings> {
    let Some(issuer) = env.get("OIDC_ISSUER") else {
        let set = NAMES.iter().filter(|name| env.get(name).is_some());
        faults.extend(set.map(|name| format!("{name}: set without OIDC_ISSUER")));
        return None;
    };
    let mut fault = |text: String| faults.push(text);
    if !is_allowed_url(issuer) || issuer.contains('?') {
        fault(format!("OIDC_ISSUER: expected an https address without a query, got {issuer:?}"));
    }
    for (name, needed) in DEPENDENT {
        if env.get(name).is_some() && env.get(needed).is_none() {
            fault(format!("{name}: is set, and {needed} is not"));
        }
    }
    let ca_file = env.get("OIDC_CA_FILE").map(PathBuf::from);
    if let Err(text) = http_client(ca_file.as_deref()) {
        fault(format!("OIDC_CA_FILE: {text}"));
    }
    let audience = env.get("OIDC_AUDIENCE").map(str::to_owned);
    let client_id = env.get("OIDC_CLIENT_ID").map(str::to_owned);
    if audience.is_none() && client_id.is_none() {
        fault("OIDC_CLIENT_ID or OIDC_AUDIENCE: OIDC_ISSUER requires one of them".into());
    }
    if audience.is_some() && audience == client_id {
        fault("OIDC_AUDIENCE: must not be OIDC_CLIENT_ID, otherwise ID tokens would be accepted as access tokens".into());
    }
    let mut authorized_parties = list(env, "OIDC_AUTHORIZED_PARTIES");
    authorized_parties.extend(client_id.clone());
    if audience.is_some() && authorized_parties.is_empty() {
        fault("OIDC_AUTHORIZED_PARTIES: missing; list the clients whose access tokens are accepted".into());
    }
    let sign_in = client_id.and_then(|client_id| match sign_in(env, client_id) {
        Ok(sign_in) => Some(sign_in),
        Err(text) => {
            fault(text);
            None
        }
    });
    let mfa = mfa(env).unwrap_or_else(|text| {
        fault(text);
        MfaRule::Asserted { amr: Vec::new(), acr: Vec::new() }
    });
    Some(OidcSettings {
        issuer: issuer.to_owned(),
        ca_file,
        username_claim: env.get("OIDC_USERNAME_CLAIM").unwrap_or("sub").to_owned(),
        audience,
        authorized_parties,
        mfa,
        sign_in,
    })
}

fn sign_in(env: &Environment, client_id: String) -> Result<SignIn, String> {
    let redirect_uri =
        env.get("OIDC_REDIRECT_URI").ok_or("OIDC_REDIRECT_URI: missing; required with OIDC_CLIENT_ID")?;
    if !is_allowed_url(redirect_uri) {
        return Err(format!("OIDC_REDIRECT_URI: expected an https address, got {redirect_uri:?}"));
    }
    let client_secret = match env.get("OIDC_CLIENT_SECRET_FILE") {
        None => None,
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|e| format!("OIDC_CLIENT_SECRET_FILE: cannot read {path}: {e}"))?;
            let text = text.trim().to_owned();
            if text.is_empty() {
                return Err(format!("OIDC_CLIENT_SECRET_FILE: {path} is empty"));
            }
            Some(text)
        }
    };
    let scope = env.get("OIDC_SCOPE").unwrap_or("openid");
    if !scope.split(' ').any(|scope| scope == "openid") {
        return Err(format!("OIDC_SCOPE: must contain `openid`, got {scope:?}"));
    }
    Ok(SignIn { client_id, client_secret, redirect_uri: redirect_uri.to_owned(), scope: scope.to_owned() })
}

fn mfa(env: &Environment) -> Result<MfaRule, String> {
    match env.get("OIDC_MFA").unwrap_or("asserted") {
        "trusted" => {
            match ["OIDC_MFA_AMR", "OIDC_MFA_ACR"].into_iter().find(|name| env.get(name).is_some()) {
                Some(name) => Err(format!("{name}: is set, and OIDC_MFA=trusted does not look at it")),
                None => Ok(MfaRule::Trusted),
            }
        }
        "asserted" => {
            let (amr, acr) = (list(env, "OIDC_MFA_AMR"), list(env, "OIDC_MFA_ACR"));
            let amr = if amr.is_empty() && acr.is_empty() { vec!["mfa".to_owned()] } else { amr };
            Ok(MfaRule::Asserted { amr, acr })
        }
        other => Err(format!("OIDC_MFA: expected `asserted` or `trusted`, got {other:?}")),
    }
}

fn list(env: &Environment, name: &str) -> Vec<String> {
    let text = env.get(name).unwrap_or_default();
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(pairs: [(&str, &str); 4]) -> String {
        let mut faults = Vec::new();
        load(&Environment::of(pairs), &mut faults);
        faults.join("\n")
    }

    #[test]
    fn single_sign_on_is_off_unless_an_issuer_is_named() {
        let mut faults = Vec::new();
        assert!(load(&Environment::of([]), &mut faults).is_none() && faults.is_empty());
        assert!(load(&Environment::of([("OIDC_AUDIENCE", "x")]), &mut faults).is_none());
        assert!(faults.iter().any(|fault| fault.starts_with("OIDC_AUDIENCE: set without")), "{faults:?}");
    }

    #[test]
    fn settings_that_would_not_be_used_are_refused() {
        let (good, audience) =
            (("OIDC_ISSUER", "https://sso.laocai.gov.vn"), ("OIDC_AUDIENCE", "ict-index-api"));
        let parties = ("OIDC_AUTHORIZED_PARTIES", "portal");
        for name in ["OIDC_CLIENT_SECRET_FILE", "OIDC_REDIRECT_URI", "OIDC_SCOPE"] {
            let found = faults([good, audience, parties, (name, "x")]);
            assert_eq!(found, format!("{name}: is set, and OIDC_CLIENT_ID is not"));
        }
        let client = ("OIDC_CLIENT_ID", "ict-index");
        let back = ("OIDC_REDIRECT_URI", "https://ict-index.laocai.gov.vn/sso");
        assert_eq!(
            faults([good, client, back, parties]),
            "OIDC_AUTHORIZED_PARTIES: is set, and OIDC_AUDIENCE is not"
        );
        let mut refused = Vec::new();
        let trusted = ("OIDC_MFA", "trusted");
        load(&Environment::of([good, audience, parties, trusted, ("OIDC_MFA_ACR", "2")]), &mut refused);
        assert!(refused.iter().any(|fault| fault.starts_with("OIDC_MFA_ACR: is set")), "{refused:?}");
    }

    #[test]
    fn settings_that_would_weaken_it_are_refused() {
        let good = ("OIDC_ISSUER", "https://sso.laocai.gov.vn");
        let client = ("OIDC_CLIENT_ID", "ict-index");
        let back = ("OIDC_REDIRECT_URI", "https://ict-index.laocai.gov.vn/sso");
        assert_eq!(faults([good, client, back, ("OIDC_AUDIENCE", "ict-index-api")]), "");
        for (pairs, named) in [
            ([("OIDC_ISSUER", "http://sso.laocai.gov.vn"), client, back, ("", "")], "OIDC_ISSUER"),
            ([good, client, ("OIDC_REDIRECT_URI", "http://ict-index.vn"), ("", "")], "OIDC_REDIRECT_URI"),
            ([good, client, ("", ""), ("", "")], "OIDC_REDIRECT_URI: missing"),
            ([good, client, back, ("OIDC_AUDIENCE", "ict-index")], "OIDC_AUDIENCE: must not be"),
            ([good, ("OIDC_AUDIENCE", "api"), ("", ""), ("", "")], "OIDC_AUTHORIZED_PARTIES"),
            ([good, ("", ""), ("", ""), ("", "")], "OIDC_CLIENT_ID or OIDC_AUDIENCE"),
            ([good, client, back, ("OIDC_MFA", "never")], "OIDC_MFA"),
            ([good, client, back, ("OIDC_SCOPE", "profile")], "OIDC_SCOPE"),
            ([good, client, back, ("OIDC_CLIENT_SECRET_FILE", "/no/such/file")], "OIDC_CLIENT_SECRET_FILE"),
            ([good, client, back, ("OIDC_CA_FILE", "/no/such/file")], "OIDC_CA_FILE: cannot read"),
            (
                [good, client, back, ("OIDC_CA_FILE", "/dev/null")],
                "OIDC_CA_FILE: /dev/null has no certificate",
            ),
        ] {
            let found = faults(pairs);
            assert!(found.contains(named), "{named} is not named: {found:?}");
        }
    }
}
