//! The only reader of the environment. Says all that is wrong at once.

mod oidc;
mod second_factor;

use std::collections::HashMap;
use std::path::PathBuf;

use crate::auth::PasswordCost;
use crate::auth::oidc::OidcSettings;
use crate::db::{DbSettings, check_url, names_several, split_query};
use crate::http::bodies;
use crate::http::client_address::TrustedProxies;

pub use second_factor::SecondFactorSettings;

/// What the service needs to know before it starts.
#[derive(Clone, Debug)]
pub struct Config {
    pub db: DbSettings,
    /// `host:port` to listen on.
    pub bind_address: String,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: TrustedProxies,
    /// `host:port` where the metrics are served instead of on `bind_address`.
    pub metrics_address: Option<String>,
    pub token_key_file: PathBuf,
    pub password_cost: PasswordCost,
    pub second_factor: SecondFactorSettings,
    /// `None`: single sign-on is off.
    pub oidc: Option<OidcSettings>,
    /// Answers of statistics kept in memory; 0: none.
    pub answer_cache_mib: u64,
    /// Request bodies held in memory at the same time.
    pub body_memory_mib: usize,
    /// `DATABASE_UNSAFE=allow`: the database may lose what it has acknowledged. For tests.
    pub unsafe_database: bool,
}

/// The environment as a map, so that tests can make one.
#[derive(Clone, Debug, Default)]
pub struct Environment(HashMap<String, String>);

impl Environment {
    #[allow(clippy::disallowed_methods)]
    pub fn of_process() -> Self {
        Self(std::env::vars().collect())
    }

    pub fn of<const N: usize>(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    /// The variable's value, if it is set and not blank.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|v| !v.trim().is_empty())
    }
}

impl Config {
    /// Whether the operator said that nothing will be missed.
    pub fn allows_unsafe_database(env: &Environment) -> bool {
        env.get(UNSAFE) == Some("allow")
    }

    /// Reads and checks everything; `Err` lists every fault.
    pub fn load(env: &Environment) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        let url = database_url(env).unwrap_or_else(|fault| {
            faults.push(fault);
            String::new()
        });
        let bind_address = env.get("BIND_ADDRESS").unwrap_or("127.0.0.1:8080").to_owned();
        faults.extend(address_fault("BIND_ADDRESS", &bind_address));
        let metrics_address = env.get("METRICS_ADDRESS").map(str::to_owned);
        faults.extend(metrics_address.as_deref().and_then(|text| address_fault("METRICS_ADDRESS", text)));
        if metrics_address.as_ref() == Some(&bind_address) {
            faults.push(
                "METRICS_ADDRESS: must differ from BIND_ADDRESS; leave it unset to serve /metrics there"
                    .into(),
            );
        }
        let trusted_proxies = trusted_proxies(env).unwrap_or_else(|fault| {
            faults.push(fault);
            TrustedProxies::default()
        });
        let token_key_file = match env.get("TOKEN_KEY_FILE") {
            Some(path) => PathBuf::from(path),
            None => {
                faults.push("TOKEN_KEY_FILE: missing; create one with `ict-index keys rotate`".into());
                PathBuf::new()
            }
        };
        if !token_key_file.as_os_str().is_empty()
            && let Err(fault) = crate::auth::TokenKeys::load(&token_key_file)
        {
            faults.push(format!("TOKEN_KEY_FILE: {fault}"));
        }
        let mut db = DbSettings::new(url);
        db.max_connections =
            number(env, "DATABASE_MAX_CONNECTIONS", db.max_connections, 1..=500, &mut faults);
        db.replica_url = replica_url(env).unwrap_or_else(|fault| {
            faults.push(fault);
            None
        });
        let answer_cache_mib = number(
            env,
            "ANSWER_CACHE_MIB",
            crate::http::response_cache::DEFAULT_MIB,
            0..=65_536,
            &mut faults,
        );
        let body_memory_mib =
            number(env, "BODY_MEMORY_MIB", bodies::DEFAULT_MIB, bodies::LEAST_MIB..=65_536, &mut faults);
        faults.extend(env.get("RUST_LOG").and_then(log_filter_fault));
        if let Some(other) = env.get(UNSAFE).filter(|value| *value != "allow") {
            faults.push(format!("{UNSAFE}: expected `allow` or no value, got {other:?}"));
        }
        let unsafe_database = Self::allows_unsafe_database(env);
        if !unsafe_database {
            faults.extend(["DATABASE_URL", "DATABASE_REPLICA_URL"].iter().filter_map(|name| {
                // As it was given, whatever else is wrong with it, and with the password from its file.
                let whole =
                    if *name == "DATABASE_URL" { Some(db.url.as_str()) } else { db.replica_url.as_deref() };
                [env.get(name), whole].into_iter().flatten().find_map(|url| example_password(name, url))
            }));
        }
        let password_cost = PasswordCost {
            memory_kib: number(env, "PASSWORD_MEMORY_KIB", 19_456, 19_456..=1_048_576, &mut faults),
            iterations: number(env, "PASSWORD_ITERATIONS", 2, 1..=20, &mut faults),
        };
        let second_factor = SecondFactorSettings::load(env, &mut faults);
        let oidc = oidc::load(env, &mut faults);
        if faults.is_empty() {
            Ok(Self {
                db,
                bind_address,
                metrics_address,
                trusted_proxies,
                token_key_file,
                password_cost,
                second_factor,
                oidc,
                answer_cache_mib,
                body_memory_mib,
                unsafe_database,
            })
        } else {
            Err(faults)
        }
    }
}

fn trusted_proxies(env: &Environment) -> Result<TrustedProxies, String> {
    let Some(text) = env.get("TRUSTED_PROXIES") else { return Ok(TrustedProxies::default()) };
    TrustedProxies::parse(text).map_err(|fault| format!("TRUSTED_PROXIES: {fault}"))
}

fn address_fault(name: &str, text: &str) -> Option<String> {
    let read = text.parse::<std::net::SocketAddr>();
    read.is_err().then(|| format!("{name}: expected an address such as 127.0.0.1:8080, got {text:?}"))
}

fn log_filter_fault(text: &str) -> Option<String> {
    env_filter::Builder::new().try_parse(text).err().map(|error| format!("RUST_LOG: {error}"))
}

const UNSAFE: &str = "DATABASE_UNSAFE";

/// Passwords that documents and images show, and everybody tries.
const EXAMPLES: [&str; 14] = [
    "admin",
    "change-me",
    "changeit",
    "changeme",
    "example",
    "ict_index",
    "ict-index",
    "password",
    "pass",
    "postgres",
    "postgresql",
    "secret",
    "test",
    "123456",
];

/// A password that everybody knows is none, unless the database is on this machine alone.
fn example_password(name: &str, url: &str) -> Option<String> {
    let (credentials, place) = split_query(url).0.split_once("://")?.1.rsplit_once('@')?;
    let hosts = place.split(['/', '?']).next()?;
    let local = hosts.split(',').all(|host| {
        let port = if host.ends_with(']') { None } else { host.rsplit_once(':') };
        ["localhost", "127.0.0.1", "[::1]"].contains(&port.map_or(host, |(name, _)| name))
    });
    let password = credentials.split_once(':')?.1.to_lowercase();
    let known = EXAMPLES.contains(&password.as_str());
    (known && !local).then(|| format!("{name}: the password is a well-known example; choose a secret one"))
}

/// `DATABASE_URL`, with the password from `DATABASE_PASSWORD_FILE` when it has none.
pub fn database_url(env: &Environment) -> Result<String, String> {
    let url = env
        .get("DATABASE_URL")
        .ok_or("DATABASE_URL: missing, e.g. postgres://ict_index@127.0.0.1/ict_index")?;
    with_password(env, "DATABASE_URL", url)
}

/// `DATABASE_REPLICA_URL`, with the same password where it has none.
fn replica_url(env: &Environment) -> Result<Option<String>, String> {
    let Some(url) = env.get("DATABASE_REPLICA_URL") else { return Ok(None) };
    // One is followed and others are read from: of two hosts they could be two standbys.
    if names_several(url) {
        return Err(
            "DATABASE_REPLICA_URL: exactly one host is allowed; among several, the service cannot know which one has the latest data".into()
        );
    }
    with_password(env, "DATABASE_REPLICA_URL", url).map(Some)
}

fn with_password(env: &Environment, name: &str, url: &str) -> Result<String, String> {
    let rest = url
        .strip_prefix("postgres://")
        .or_else(|| url.strip_prefix("postgresql://"))
        .ok_or_else(|| format!("{name}: must start with postgres://"))?;
    check_url(url).map_err(|fault| format!("{name}: {fault}"))?;
    let Some(file) = env.get("DATABASE_PASSWORD_FILE") else { return Ok(url.to_owned()) };
    let password = std::fs::read_to_string(file)
        .map_err(|e| format!("DATABASE_PASSWORD_FILE: cannot read {file}: {e}"))?;
    let (user, host) =
        split_query(rest).0.split_once('@').filter(|(user, _)| !user.contains(':')).ok_or_else(|| {
            format!("{name}: must have a user and no password if DATABASE_PASSWORD_FILE is set")
        })?;
    let password: String = form_urlencoded::byte_serialize(password.trim().as_bytes()).collect();
    let query = split_query(url).1;
    Ok(format!("postgres://{user}:{}@{host}?{query}", password.replace('+', "%20")))
}

fn number<T>(
    env: &Environment,
    name: &str,
    default: T,
    range: std::ops::RangeInclusive<T>,
    faults: &mut Vec<String>,
) -> T
where
    T: std::str::FromStr + PartialOrd + std::fmt::Display + Copy,
{
    let Some(text) = env.get(name) else { return default };
    match text.parse() {
        Ok(n) if range.contains(&n) => n,
        _ => {
            faults.push(format!(
                "{name}: expected a number from {} to {}, got {text:?}",
                range.start(),
                range.end()
            ));
            default
        }
    }
}

#[cfg(test)]
mod tests;
