//! `ict-index healthcheck`: a container image without a shell or curl asks with the binary itself.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::{Outcome, one};
use crate::config::Environment;

/// RequiredPermission `/readyz` of the service on this host.
pub fn run(env: &Environment) -> Outcome {
    let bound = env.get("BIND_ADDRESS").unwrap_or("127.0.0.1:8080");
    let mut address: SocketAddr = bound.parse().map_err(|e| one(format!("BIND_ADDRESS: {e}")))?;
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    let answer = ask(address).map_err(|e| one(format!("{address}: {e}")))?;
    let status = answer.split(' ').nth(1).unwrap_or_default();
    if status == "200" { Ok(()) } else { Err(one(format!("not ready: {status}"))) }
}

fn ask(address: SocketAddr) -> std::io::Result<String> {
    let limit = Duration::from_secs(3);
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.write_all(
        format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes(),
    )?;
    let mut answer = String::new();
    stream.take(4096).read_to_string(&mut answer)?;
    Ok(answer)
}
