//! Requests to the provider: bounded in time and size, to where they were sent and nowhere else.

use std::path::Path;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, RequestBuilder, StatusCode};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(5);
/// Largest answer that is read.
const LARGEST: usize = 256 * 1024;

/// Follows no redirects, uses no proxy of the environment, keeps no idle connections: each worker has a runtime of its own.
pub fn client(ca_file: Option<&Path>) -> Result<Client, String> {
    let mut builder = Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT)
        .pool_max_idle_per_host(0)
        .user_agent(concat!("ict-index/", env!("CARGO_PKG_VERSION")));
    if let Some(path) = ca_file {
        builder = builder.tls_certs_only(certificates(path)?);
    }
    builder.build().map_err(|e| e.to_string())
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, String> {
    let pem = std::fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|e| format!("{}: {e}", path.display()))?;
    match certificates.is_empty() {
        true => Err(format!("{} has no certificate", path.display())),
        false => Ok(certificates),
    }
}

/// Status and body; the error names no more than the kind of failure and the host.
pub async fn send(request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), String> {
    let mut response = request.send().await.map_err(|e| e.without_url().to_string())?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| e.without_url().to_string())? {
        if body.len() + chunk.len() > LARGEST {
            return Err("the answer is too large".into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok((response.status(), body))
}

/// Whether requests may go there: TLS, or this machine.
pub fn is_allowed(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else { return false };
    let loopback = matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"));
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    plain && (url.scheme() == "https" || (url.scheme() == "http" && loopback))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_go_over_tls_or_stay_on_this_machine() {
        for url in [
            "https://sso.laocai.gov.vn/realms/x",
            "http://127.0.0.1:8/x",
            "http://[::1]/",
            "http://localhost:9/",
        ] {
            assert!(is_allowed(url), "{url}");
        }
        for url in [
            "http://sso.laocai.gov.vn",
            "http://127.0.0.1.evil.vn",
            "https://user:pass@sso.vn",
            "ftp://127.0.0.1",
            "file:///etc/passwd",
            "//x",
            "https://x/#y",
            "",
        ] {
            assert!(!is_allowed(url), "{url}");
        }
    }
}
