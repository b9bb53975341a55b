//! A database that is spoken to over TLS alone: what stands before it here ends TLS as PostgreSQL itself does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::dossiers::{add_service, batch, row};
use crate::support::TestService;

/// What a client that wants TLS says first: a length of 8 and the number that means SSL.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// Speaks TLS before a PostgreSQL, with a certificate for `127.0.0.1`.
struct Front {
    port: u16,
    /// The file of the authority that signed its certificate.
    roots: std::path::PathBuf,
    seen: Arc<Seen>,
}

/// Connections, by what became of them.
#[derive(Default)]
struct Seen {
    encrypted: AtomicUsize,
    /// They broke off when they saw the certificate, or before.
    broken_off: AtomicUsize,
    /// They did not ask for TLS.
    plain: AtomicUsize,
}

fn count(of: &AtomicUsize) -> usize {
    of.load(Ordering::Relaxed)
}

impl Drop for Front {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.roots);
    }
}

fn authority(name: &str) -> (CertifiedIssuer<'static, KeyPair>, std::path::PathBuf) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let file = std::env::temp_dir().join(format!("ict-index-{name}-{}.pem", uuid::Uuid::now_v7()));
    std::fs::write(&file, authority.pem()).unwrap();
    (authority, file)
}

impl Front {
    async fn of(postgres: u16) -> Self {
        let (authority, roots) = authority("roots");
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()])
            .unwrap()
            .signed_by(&key, &authority)
            .unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (front, acceptor) =
            (Self { port, roots, seen: Arc::default() }, TlsAcceptor::from(Arc::new(config)));
        let seen = front.seen.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, postgres, acceptor.clone(), seen.clone()));
            }
        });
        front
    }

    fn url(&self, url: &str, roots: &std::path::Path) -> String {
        let (place, database) = url.rsplit_once('/').unwrap();
        let place = place.rsplit_once(':').unwrap().0;
        format!("{place}:{}/{database}?sslmode=verify-full&sslrootcert={}", self.port, roots.display())
    }
}

async fn forward(mut client: TcpStream, postgres: u16, acceptor: TlsAcceptor, seen: Arc<Seen>) {
    let mut first = [0; 8];
    if client.read_exact(&mut first).await.is_err() {
        return;
    }
    if first != SSL_REQUEST {
        seen.plain.fetch_add(1, Ordering::Relaxed);
        return;
    }
    let _ = client.write_all(b"S").await;
    let Ok(mut client) = acceptor.accept(client).await else {
        seen.broken_off.fetch_add(1, Ordering::Relaxed);
        return;
    };
    seen.encrypted.fetch_add(1, Ordering::Relaxed);
    if let Ok(mut server) = TcpStream::connect(("127.0.0.1", postgres)).await {
        let _ = copy_bidirectional(&mut client, &mut server).await;
    }
}

fn port_of(url: &str) -> u16 {
    let place = url.rsplit_once('/').unwrap().0;
    place.rsplit_once(':').unwrap().1.parse().unwrap()
}

#[actix_web::test]
async fn every_connection_to_the_database_is_encrypted_when_the_url_says_so() {
    let plain = TestService::start().await;
    let front = Front::of(port_of(&plain.url())).await;
    let url = front.url(&plain.url(), &front.roots);
    ict_index::db::migrations::migrate(&url).await.unwrap();
    let by_migration = count(&front.seen.encrypted);
    assert!(by_migration > 0, "migrations, too");

    let service = plain.beside_at(url).await.listening().await;
    let token = service.token("coordinator").await;
    add_service(&plain, "L3", "Đất đai", &[(3, "2017-06-01")], &["SO-YT"]).await;
    // Pool, shared reads, copies in and out, and the listener (which is heard of above).
    let rows = [row("SO-YT", "L3", "online", 5, 0)];
    service.put("dossier-batches/vnpt/2018-02", batch(&rows)).as_(&token).send().await.expect(200);
    let rates = "statistics/dossier-rates?period=2018-02&metric=dossiers_level_3_received";
    let answer = service.get(rates).as_(&token).send().await.expect(200).json();
    assert_eq!(answer["items"][0]["numerator"], json!(5));
    let export = service.get("dossier-counts/export").as_(&token).send().await.expect(200);
    assert!(export.text().contains("SO-YT"));
    assert!(count(&front.seen.encrypted) >= by_migration + 4);
    assert_eq!(count(&front.seen.plain), 0, "nobody came without");
}

/// It asks its database nothing, and says so.
async fn is_cut_off(service: &TestService, plain: &TestService) {
    let token = plain.token("monitor").await;
    service.get("agencies").as_(&token).send().await.expect_problem(503, "UNAVAILABLE");
}

#[actix_web::test]
async fn a_server_that_cannot_prove_its_name_is_not_spoken_to() {
    let plain = TestService::start().await;
    let front = Front::of(port_of(&plain.url())).await;
    let (_, foreign) = authority("foreign");
    let service = plain.beside_at(front.url(&plain.url(), &foreign)).await;
    is_cut_off(&service, &plain).await;
    assert_eq!(count(&front.seen.encrypted), 0, "not a byte of ours went to it");
    let broken_off = count(&front.seen.broken_off);
    assert!(broken_off > 0, "it was tried");
    let by_name = front.url(&plain.url(), &front.roots).replace("127.0.0.1", "localhost");
    let service = plain.beside_at(by_name).await;
    is_cut_off(&service, &plain).await;
    assert!(count(&front.seen.broken_off) > broken_off, "it was tried");
    assert_eq!((count(&front.seen.encrypted), count(&front.seen.plain)), (0, 0));
    std::fs::remove_file(foreign).unwrap();
}

#[actix_web::test]
async fn a_server_without_tls_is_not_spoken_to_in_the_clear() {
    let plain = TestService::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (asked, told) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (asked_here, told_here) = (asked.clone(), told.clone());
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut first = [0; 8];
            if client.read_exact(&mut first).await.is_ok() && client.write_all(b"N").await.is_ok() {
                asked_here.fetch_add(1, Ordering::Relaxed);
                told_here.fetch_add(client.read(&mut first).await.unwrap_or_default(), Ordering::Relaxed);
            }
        }
    });
    let (_, roots) = authority("roots");
    let front = Front { port, roots, seen: Arc::default() };
    let service = plain.beside_at(front.url(&plain.url(), &front.roots)).await;
    is_cut_off(&service, &plain).await;
    assert!(count(&asked) > 0, "it was tried");
    assert_eq!(count(&told), 0, "bytes in the clear");
}
