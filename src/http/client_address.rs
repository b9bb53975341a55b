//! The address that a request comes from: the peer's, or what a trusted proxy says.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::HttpRequest;
use actix_web::http::header::HeaderMap;
use ipnet::{IpNet, Ipv6Net};

use crate::db::Caller;

const FORWARDED_FOR: &str = "x-forwarded-for";
/// Proxies in a row; no installation has more, and a header may hold thousands of entries.
const MOST_PROXIES: usize = 16;
/// A host with an IPv6 address controls the whole network of this length.
const IPV6_PREFIX: u8 = 64;

/// Where a request comes from, as limits count it: an IPv4 address, or the /64 network of an IPv6 address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddress(Arc<str>);

impl ClientAddress {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Who is charged for what this address does before it is known whose it is.
    pub fn caller(&self) -> Caller {
        Caller::named(format!("address:{}", self.0))
    }

    pub fn of(address: IpAddr) -> Self {
        let text = match address.to_canonical() {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => network_of(v6),
        };
        Self(text.into())
    }
}

fn network_of(address: Ipv6Addr) -> String {
    Ipv6Net::new(address, IPV6_PREFIX).map_or_else(|_| address.to_string(), |net| net.trunc().to_string())
}

/// Networks of proxies whose `X-Forwarded-For` is believed.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    /// A header that was not believed is worth one line of the log: a proxy may have been forgotten.
    ignored: Arc<AtomicBool>,
}

impl TrustedProxies {
    /// Addresses and networks, comma-separated: `10.0.0.5, fd00:1::/64`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let networks: Result<Vec<IpNet>, String> = text.split(',').map(|part| network(part.trim())).collect();
        Ok(Self { networks: networks?, ignored: Arc::default() })
    }

    /// The right-most address of `X-Forwarded-For` that is no trusted proxy, if the peer is one; otherwise the peer. What stands
    /// left of it could have been written by any client.
    pub fn client_of(&self, request: &HttpRequest) -> ClientAddress {
        let Some(peer) = request.peer_addr() else { return ClientAddress("unknown".into()) };
        ClientAddress::of(self.client_behind(peer.ip().to_canonical(), request.headers()))
    }

    fn client_behind(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.trusts(peer) {
            self.report_ignored(headers);
            return peer;
        }
        let lines: Vec<Option<&str>> =
            headers.get_all(FORWARDED_FOR).map(|line| line.to_str().ok()).collect();
        let entries = lines.iter().rev().flat_map(|line| line.unwrap_or("-").rsplit(','));
        let mut client = peer;
        for entry in entries.take(MOST_PROXIES) {
            // What is no address was not written by a proxy that is trusted.
            let Some(address) = address_of(entry.trim()) else { break };
            client = address;
            if !self.trusts(client) {
                break;
            }
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    fn report_ignored(&self, headers: &HeaderMap) {
        if headers.contains_key(FORWARDED_FOR) && !self.ignored.swap(true, Ordering::Relaxed) {
            log::warn!(target: "security", "X-Forwarded-For of a peer that is not in TRUSTED_PROXIES is ignored");
        }
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    let parsed = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let network =
        parsed.map_err(|_| format!("expected an address or a network such as 10.0.0.0/24, got {text:?}"))?;
    match network.prefix_len() {
        0 => Err(format!("{text}: would trust everybody")),
        _ => Ok(network.trunc()),
    }
}

/// `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`.
fn address_of(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    let address = bare.parse::<IpAddr>().ok();
    address.or_else(|| entry.parse::<SocketAddr>().ok().map(|at| at.ip())).map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn client(trusted: &str, peer: &str, lines: &[&str]) -> String {
        let proxies = if trusted.is_empty() {
            TrustedProxies::default()
        } else {
            TrustedProxies::parse(trusted).unwrap()
        };
        let mut request = TestRequest::default().peer_addr(SocketAddr::new(peer.parse().unwrap(), 4711));
        for line in lines {
            request = request.append_header(("X-Forwarded-For", *line));
        }
        proxies.client_of(&request.to_http_request()).as_str().to_owned()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(client("", "192.0.2.7", &["203.0.113.1"]), "192.0.2.7");
        assert_eq!(client("10.0.0.0/24", "192.0.2.7", &["203.0.113.1"]), "192.0.2.7");
        assert_eq!(client("10.0.0.0/24", "10.0.0.5", &["203.0.113.1"]), "203.0.113.1");
        assert_eq!(client("10.0.0.0/24", "10.0.0.5", &[]), "10.0.0.5");
    }

    #[test]
    fn the_right_most_untrusted_entry_counts_whatever_the_client_wrote_left_of_it() {
        let trusted = "10.0.0.0/24, fd00::5";
        assert_eq!(client(trusted, "10.0.0.5", &["1.1.1.1, 203.0.113.1"]), "203.0.113.1");
        assert_eq!(client(trusted, "10.0.0.5", &["1.1.1.1", "203.0.113.1, 10.0.0.6"]), "203.0.113.1");
        assert_eq!(client(trusted, "fd00::5", &["1.1.1.1,203.0.113.1:443 , 10.0.0.6"]), "203.0.113.1");
        assert_eq!(
            client(trusted, "10.0.0.5", &["1.1.1.1, nonsense, 10.0.0.6"]),
            "10.0.0.6",
            "the chain breaks"
        );
        assert_eq!(client(trusted, "10.0.0.5", &["\u{e9}"]), "10.0.0.5");
        assert_eq!(client(trusted, "10.0.0.5", &["1.1.1.1,"]), "10.0.0.5");
        let long = ["10.0.0.9, "; 5_000].concat();
        assert_eq!(
            client(trusted, "10.0.0.5", &[&format!("1.1.1.1, {long}10.0.0.9")]),
            "10.0.0.9",
            "bounded"
        );
    }

    #[test]
    fn an_ipv6_network_is_one_client_and_a_mapped_address_is_ipv4() {
        for same in ["2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", "[2001:db8:0:1::2]:443"] {
            assert_eq!(client("10.0.0.5", "10.0.0.5", &[same]), "2001:db8:0:1::/64", "{same}");
        }
        assert_eq!(client("10.0.0.5", "10.0.0.5", &["2001:db8:0:2::1"]), "2001:db8:0:2::/64");
        assert_eq!(client("", "::ffff:192.0.2.7", &[]), "192.0.2.7");
        assert_eq!(client("10.0.0.5", "::ffff:10.0.0.5", &["::ffff:192.0.2.7"]), "192.0.2.7");
    }

    #[test]
    fn a_list_that_trusts_everybody_or_cannot_be_read_is_refused() {
        for bad in ["0.0.0.0/0", "::/0", "proxy.lan", "10.0.0.5,", "10.0.0.0/33"] {
            assert!(TrustedProxies::parse(bad).is_err(), "{bad}");
        }
    }
}
