//! Where a database is and how it is spoken to. `DATABASE_URL` is libpq's, so that `psql` and `pg_dump` read the same one:
//! `sslmode=verify-full` with `sslrootcert=<file>` is TLS to a server whose name and certificate are checked.
//!
//! What would look like protection and is none, or is not always some, is refused: every other `sslmode` but `disable`.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

/// What is wrong with a database URL.
pub fn check(url: &str) -> Result<(), String> {
    Address::parse(url).map(|_| ())
}

/// A database URL, understood.
pub(super) struct Address {
    pub config: Config,
    pub tls: Option<MakeRustlsConnect>,
}

impl Address {
    /// Reads the file of certificates anew each time: it may have been replaced. Faults repeat nothing of the URL but file names.
    pub fn parse(url: &str) -> Result<Self, String> {
        let (place, query) = split_query(url);
        let (mut mode, mut roots, mut rest) = (None, None, Vec::new());
        // A plus is a plus here, not a space as in forms.
        let query = query.replace('+', "%2B");
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "sslmode" => mode = Some(value.into_owned()),
                "sslrootcert" => roots = Some(value.into_owned()),
                _ => rest.push((name, value)),
            }
        }
        let others = form_urlencoded::Serializer::new(String::new()).extend_pairs(rest).finish();
        let plain = format!("{place}?{}", others.replace('+', "%20"));
        let mut config: Config = plain.parse().map_err(|_| {
            "not a database URL, such as postgres://user:password@host:5432/database?application_name=x"
                .to_owned()
        })?;
        let tls = match (mode.as_deref(), roots) {
            (Some("verify-full"), Some(roots)) => Some(verifying(&roots)?),
            (Some("verify-full"), None) => return Err("sslmode=verify-full needs sslrootcert=<file>".into()),
            (None | Some("disable"), None) => None,
            (None | Some("disable"), Some(_)) => {
                return Err("sslrootcert is of no use without sslmode=verify-full".into());
            }
            (Some(_), _) => {
                return Err(
                    "sslmode: verify-full (with sslrootcert) or disable; others do not check whom they speak to"
                        .into(),
                );
            }
        };
        config.ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable });
        Ok(Self { config, tls })
    }
}

/// A URL without its query, and the query. A password may hold a question mark; it ends at the `@`.
pub fn split_query(url: &str) -> (&str, &str) {
    let credentials = url.find('@').unwrap_or(0);
    let Some(at) = url.get(credentials..).and_then(|rest| rest.find('?')) else { return (url, "") };
    let (place, query) = url.split_at(credentials + at);
    (place, query.trim_start_matches('?'))
}

/// TLS to a server with a certificate for its name, signed by one of the file's.
fn verifying(file: &str) -> Result<MakeRustlsConnect, String> {
    let unread = |error: rustls::pki_types::pem::Error| format!("sslrootcert: {file}: {error}");
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(unread)? {
        roots.add(certificate.map_err(unread)?).map_err(|error| format!("sslrootcert: {file}: {error}"))?;
    }
    if roots.is_empty() {
        return Err(format!("sslrootcert: {file} holds no certificate"));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(query: &str) -> String {
        Address::parse(&format!("postgres://u:p@127.0.0.1:5432/db{query}")).err().unwrap_or_default()
    }

    #[test]
    fn without_a_mode_nothing_is_encrypted_and_the_rest_of_the_url_stays() {
        for (query, named) in [
            ("", None),
            ("?", None),
            ("?sslmode=disable", None),
            ("?sslmode=disable&application_name=a%20b", Some("a b")),
            ("?application_name=a+b%2Bc", Some("a+b+c")),
        ] {
            let address = Address::parse(&format!("postgres://u:p%40@127.0.0.1:5432/db{query}")).unwrap();
            assert!(address.tls.is_none(), "{query}");
            assert_eq!(address.config.get_password(), Some(&b"p@"[..]));
            assert_eq!(address.config.get_application_name(), named);
        }
    }

    #[test]
    fn a_question_mark_in_a_password_begins_no_query() {
        let url = "postgres://u:a?b@db.lan/x?application_name=y";
        assert_eq!(split_query(url), ("postgres://u:a?b@db.lan/x", "application_name=y"));
        assert_eq!(Address::parse(url).unwrap().config.get_password(), Some(&b"a?b"[..]));
        assert_eq!(split_query("postgres://db.lan/x?y=z"), ("postgres://db.lan/x", "y=z"));
    }

    #[test]
    fn a_fault_repeats_no_secret() {
        for url in ["postgres://u:geheim@db.lan:port/x", "postgres://u:geheim@db.lan/x?nonsense=geheim"] {
            assert!(!check(url).unwrap_err().contains("geheim"));
        }
    }

    #[test]
    fn what_only_looks_like_protection_is_refused() {
        for query in [
            "?sslmode=require",
            "?sslmode=verify-ca&sslrootcert=/x",
            "?sslmode=verify-full",
            "?sslrootcert=/x",
            "?sslmode=no",
        ] {
            assert!(fault(query).contains("verify-full"), "{query}: {}", fault(query));
        }
        assert!(fault("?sslmode=verify-full&sslrootcert=/no/such/file").contains("/no/such/file"));
        let no_certificate = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        assert!(
            fault(&format!("?sslmode=verify-full&sslrootcert={no_certificate}")).contains("no certificate")
        );
    }
}
