use super::*;

#[test]
fn a_password_from_a_document_is_refused_unless_the_database_is_here() {
    let refused = |url: &str| example_password("DATABASE_URL", url).is_some();
    assert!(refused("postgres://ict_index:postgres@db.lan:5432/ict_index"));
    assert!(refused("postgresql://a:ChangeMe@10.0.0.5/x"));
    assert!(!refused("postgres://postgres:postgres@127.0.0.1:5432/x"));
    assert!(!refused("postgres://postgres:postgres@localhost/x"));
    assert!(refused("postgres://a:changeme@db.lan/x?sslmode=verify-full&sslrootcert=/a@b.pem"));
    assert!(!refused(
        "postgres://a:changeme@127.0.0.1:1,localhost,[::1]:3/x?target_session_attrs=read-write"
    ));
    assert!(!refused("postgres://a:changeme@[::1]/x"));
    assert!(refused("postgres://a:changeme@127.0.0.1:1,db.lan:2/x?target_session_attrs=read-write"));
    assert!(!refused("postgres://ict_index@db.lan/x"));
    assert!(!refused("postgres://ict_index:Zq2-8dkWm31Lx@db.lan/x"));
}

#[test]
fn a_filter_that_cannot_be_read_is_refused() {
    for read in ["info", "debug,tokio_postgres=warn", "off", "ict_index=info"] {
        assert_eq!(log_filter_fault(read), None, "{read}");
    }
    for slip in ["serve=loud", "a=b=c"] {
        assert!(log_filter_fault(slip).is_some_and(|fault| fault.starts_with("RUST_LOG: ")), "{slip}");
    }
}

#[test]
fn a_database_that_would_not_be_checked_is_refused() {
    let env = Environment::of([
        ("DATABASE_URL", "postgres://a@db.lan/x?sslmode=require"),
        ("DATABASE_REPLICA_URL", "postgres://a@db.lan/x?sslmode=verify-full&sslrootcert=/no/such/file"),
    ]);
    let faults = Config::load(&env).unwrap_err();
    for name in ["DATABASE_URL: sslmode", "DATABASE_REPLICA_URL: sslrootcert: /no/such/file"] {
        assert!(faults.iter().any(|f| f.starts_with(name)), "{name} is not among {faults:?}");
    }
}

#[test]
fn an_example_password_is_found_in_its_file_and_in_a_url_with_other_faults() {
    let file = std::env::temp_dir().join(format!("ict-index-password-{}", uuid::Uuid::now_v7()));
    std::fs::write(&file, "changeme\n").unwrap();
    let named = |env: Environment| {
        let faults = Config::load(&env).unwrap_err();
        assert!(faults.iter().any(|fault| fault.contains("a well-known example")), "{faults:?}");
    };
    let path = file.to_str().unwrap();
    named(Environment::of([("DATABASE_URL", "postgres://a@db.lan/x"), ("DATABASE_PASSWORD_FILE", path)]));
    named(Environment::of([("DATABASE_URL", "postgres://a:changeme@db.lan/x?sslmode=require")]));
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn every_fault_is_named_at_once() {
    let env = Environment::of([
        ("BIND_ADDRESS", "nowhere"),
        ("TRUSTED_PROXIES", "0.0.0.0/0"),
        ("PASSWORD_ITERATIONS", "0"),
        ("DATABASE_MAX_CONNECTIONS", "many"),
        ("DATABASE_REPLICA_URL", "postgres://a@db1.lan,db2.lan/x?target_session_attrs=read-write"),
        ("ANSWER_CACHE_MIB", "-1"),
        ("BODY_MEMORY_MIB", "32"),
        ("METRICS_ADDRESS", "9090"),
        ("DATABASE_UNSAFE", "yes"),
        ("RUST_LOG", "serve=loud"),
    ]);
    let faults = Config::load(&env).unwrap_err();
    for name in [
        "DATABASE_URL",
        "BIND_ADDRESS",
        "TRUSTED_PROXIES",
        "TOKEN_KEY_FILE",
        "PASSWORD_ITERATIONS",
        "DATABASE_MAX_CONNECTIONS",
        "DATABASE_REPLICA_URL",
        "ANSWER_CACHE_MIB",
        "BODY_MEMORY_MIB",
        "METRICS_ADDRESS",
        "DATABASE_UNSAFE",
        "RUST_LOG",
    ] {
        assert!(faults.iter().any(|f| f.starts_with(name)), "{name} is not among {faults:?}");
    }
}
