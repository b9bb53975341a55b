use super::*;

#[test]
fn no_valid_token_is_refused_however_often_keys_are_rotated() {
    let path = std::env::temp_dir().join(format!("ict-index-keys-{}", uuid::Uuid::now_v7()));
    let start: DateTime<Utc> = "2018-01-01T00:00:00Z".parse().unwrap();
    let mut signed: Vec<(DateTime<Utc>, String)> = Vec::new();
    for minute in 0..60 {
        let now = start + Duration::minutes(minute);
        TokenKeys::rotate(&path, now).unwrap();
        let keys = TokenKeys::load(&path).unwrap();
        signed.push((now, keys.signing(now).unwrap().0));
        for (at, kid) in &signed {
            let in_force = now - *at < Duration::seconds(super::super::ACCESS_TOKEN_SECONDS);
            assert!(!in_force || keys.verifying(kid).is_some(), "{kid} signed at {at} is gone at {now}");
        }
        assert!(keys.keys.len() < 20, "old keys are forgotten");
    }
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_key_file_is_written_through_no_link_and_for_its_owner_alone() {
    let folder = std::env::temp_dir().join(format!("ict-index-keys-{}", uuid::Uuid::now_v7()));
    std::fs::create_dir(&folder).unwrap();
    let (path, victim) = (folder.join("token_keys"), folder.join("victim"));
    std::fs::write(&victim, "untouched").unwrap();
    std::os::unix::fs::symlink(&victim, folder.join("token_keys.new")).unwrap();
    std::os::unix::fs::symlink(&victim, folder.join("token.new")).unwrap();
    let now = "2018-01-01T00:00:00Z".parse().unwrap();
    for _ in 0..3 {
        TokenKeys::rotate(&path, now).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "untouched");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let link = folder.join("laid there");
    std::os::unix::fs::symlink(folder.join("missing"), &link).unwrap();
    assert_eq!(write_new(&link, b"x").unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(write_new(&victim, b"x").unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 5, "nothing temporary is left");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn rotations_at_the_same_time_lose_no_key() {
    let folder = std::env::temp_dir().join(format!("ict-index-keys-{}", uuid::Uuid::now_v7()));
    std::fs::create_dir(&folder).unwrap();
    let path = folder.join("token_keys");
    let now: DateTime<Utc> = "2018-01-01T00:00:00Z".parse().unwrap();
    let rotations: Vec<_> = (0..16)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || TokenKeys::rotate(&path, now).unwrap())
        })
        .collect();
    let keys: Vec<String> = rotations.into_iter().map(|thread| thread.join().unwrap()).collect();
    let stored = TokenKeys::load(&path).unwrap();
    assert!(keys.iter().all(|kid| stored.verifying(kid).is_some()));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_rotated_key_signs_after_its_activation_and_the_old_one_still_verifies() {
    let path = std::env::temp_dir().join(format!("ict-index-keys-{}", uuid::Uuid::now_v7()));
    let now = "2018-01-01T00:00:00Z".parse().unwrap();
    let first = TokenKeys::rotate(&path, now).unwrap();
    let second = TokenKeys::rotate(&path, now).unwrap();
    let keys = TokenKeys::load(&path).unwrap();
    assert_eq!(keys.signing(now).unwrap().0, first);
    assert_eq!(keys.signing(now + Duration::seconds(61)).unwrap().0, second);
    assert!(keys.verifying(&first).is_some());
    std::fs::write(
        &path,
        r#"{"keys":[{"kid":"a","secret":"c2hvcnQ=","not_before":"2018-01-01T00:00:00Z"}]}"#,
    )
    .unwrap();
    assert!(TokenKeys::load(&path).unwrap_err().contains("bytes"));
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_typed_key_is_no_secret() {
    assert!(is_guessable(&[7; 32]));
    assert!(is_guessable(&b"0123456789abcdef".repeat(2)));
    assert!(is_guessable(b"your-256-bit-secret-change-me-now"));
    let counted: Vec<u8> = (0..12).cycle().take(64).collect();
    assert!(is_guessable(&counted));
    for _ in 0..1_000 {
        assert!(!is_guessable(&rand::random::<[u8; KEY_BYTES]>()));
    }
}
