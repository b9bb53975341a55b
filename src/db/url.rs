//! Where a database is and how it is spoken to. `DATABASE_URL` is libpq's, so that `psql` and `pg_dump` read the same one:
//! `sslmode=verify-full` with `sslrootcert=<file>` is TLS to a server whose name and certificate are checked.
//!
//! What would look like protection and is none, or is not always some, is refused: every other `sslmode` but `disable`, and several hosts
//! without `target_session_attrs=read-write`.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Config;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;

/// What is wrong with a database URL.
pub fn check(url: &str) -> Result<(), String> {
    Address::parse(url).map(|_| ())
}

/// Whether it names several servers, of which one leads.
pub fn names_several(url: &str) -> bool {
    hosts_of(split_query(url).0).1.contains(',')
}

const NOT_A_URL: &str =
    "not a database URL, such as postgres://user:password@host:5432/database?application_name=x";

/// A database URL, understood.
pub(super) struct Address {
    /// One for each host, in the order of the URL.
    pub hosts: Vec<Config>,
    pub tls: Option<MakeRustlsConnect>,
    /// The server that leads is wanted, whichever host it is (`target_session_attrs=read-write`).
    pub leader_only: bool,
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
        let mut hosts = each_host(place, &others.replace('+', "%20"))?;
        let tls = match (mode.as_deref(), roots) {
            (Some("verify-full"), Some(roots)) => Some(verifying(&roots)?),
            (Some("verify-full"), None) => {
                return Err("sslmode=verify-full requires sslrootcert=<file>".into());
            }
            (None | Some("disable"), None) => None,
            (None | Some("disable"), Some(_)) => {
                return Err("sslrootcert requires sslmode=verify-full".into());
            }
            (Some(_), _) => {
                return Err(
                    "sslmode: use verify-full (with sslrootcert) or disable; other modes do not verify the server"
                        .into(),
                );
            }
        };
        for config in &mut hosts {
            config.ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable });
        }
        let wanted = hosts.first().map(Config::get_target_session_attrs);
        Ok(Self { hosts, tls, leader_only: wanted == Some(TargetSessionAttrs::ReadWrite) })
    }
}

/// A configuration for each host of the URL.
fn each_host(place: &str, query: &str) -> Result<Vec<Config>, String> {
    let (before, hosts, database) = hosts_of(place);
    let parse = |host: &str| -> Result<Config, String> {
        let config: Config =
            format!("{before}{host}{database}?{query}").parse().map_err(|_| NOT_A_URL.to_owned())?;
        match config.get_hosts().len().max(config.get_hostaddrs().len()) {
            1 => Ok(config),
            _ => Err("list each host once, before the database name: host1:5432,host2:5432/database".into()),
        }
    };
    let parsed = hosts.split(',').map(parse).collect::<Result<Vec<_>, _>>()?;
    let leads = |config: &Config| config.get_target_session_attrs() == TargetSessionAttrs::ReadWrite;
    if parsed.len() > 1 && !parsed.iter().all(leads) {
        return Err(
            "several hosts require target_session_attrs=read-write: otherwise the service may connect to a standby".into()
        );
    }
    Ok(parsed)
}

/// `postgres://user@`, `host:5432,host`, `/database`
fn hosts_of(place: &str) -> (&str, &str, &str) {
    let begin = place.find('@').map(|at| at + 1).or_else(|| place.find("://").map(|at| at + 3)).unwrap_or(0);
    let (before, rest) = place.split_at(begin);
    let (hosts, database) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    (before, hosts, database)
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
        return Err(format!("sslrootcert: {file} has no certificate"));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("cannot configure TLS: {error}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

#[cfg(test)]
mod tests {
    use tokio_postgres::config::Host;

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
            assert!(!address.leader_only, "{query}");
            assert_eq!(address.hosts[0].get_password(), Some(&b"p@"[..]));
            assert_eq!(address.hosts[0].get_application_name(), named);
        }
    }

    #[test]
    fn a_question_mark_in_a_password_begins_no_query() {
        let url = "postgres://u:a?b@db.lan/x?application_name=y";
        assert_eq!(split_query(url), ("postgres://u:a?b@db.lan/x", "application_name=y"));
        assert_eq!(Address::parse(url).unwrap().hosts[0].get_password(), Some(&b"a?b"[..]));
        assert_eq!(split_query("postgres://db.lan/x?y=z"), ("postgres://db.lan/x", "y=z"));
    }

    #[test]
    fn each_of_several_hosts_has_its_name_its_port_and_all_the_rest() {
        let url = "postgres://u:a%2Cb@db1.lan:5433,db2.lan,[::1]:5435/x?target_session_attrs=read-write&application_name=y";
        let address = Address::parse(url).unwrap();
        assert!(address.leader_only && names_several(url));
        let parsed: Vec<(String, u16)> = address
            .hosts
            .iter()
            .map(|config| {
                assert_eq!(config.get_password(), Some(&b"a,b"[..]));
                assert_eq!((config.get_dbname(), config.get_application_name()), (Some("x"), Some("y")));
                let Host::Tcp(host) = &config.get_hosts()[0] else { panic!("{config:?}") };
                (host.clone(), config.get_ports().first().copied().unwrap_or(5432))
            })
            .collect();
        let expected = [("db1.lan", 5433), ("db2.lan", 5432), ("::1", 5435)];
        assert_eq!(parsed, expected.map(|(host, port)| (host.to_owned(), port)));
    }

    #[test]
    fn a_single_host_may_be_required_to_lead() {
        let url = "postgres://u@db.lan/x?target_session_attrs=read-write";
        assert!(Address::parse(url).unwrap().leader_only && !names_several(url));
        assert!(!names_several("postgres://u:a,b@db.lan/x,y"));
    }

    #[test]
    fn several_hosts_of_which_a_standby_could_be_taken_are_refused() {
        for query in ["", "?target_session_attrs=any", "?target_session_attrs=read-only"] {
            let fault = check(&format!("postgres://u@db1.lan,db2.lan/x{query}")).unwrap_err();
            assert!(fault.contains("target_session_attrs=read-write"), "{query}: {fault}");
        }
        for url in [
            "postgres://u@db1.lan,,db2.lan/x?target_session_attrs=read-write",
            "postgres://u@db1.lan/x?target_session_attrs=read-write&host=db2.lan",
            "postgres://u@db1.lan/x?target_session_attrs=primary",
        ] {
            assert!(check(url).is_err(), "{url}");
        }
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
