use super::*;

fn answer(body: &'static str) -> Arc<CachedResponse> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::ETAG, HeaderValue::from_static("\"abc\""));
    Arc::new(CachedResponse::of("/x".into(), &headers, Bytes::from_static(body.as_bytes()), None).unwrap())
}

#[test]
fn an_answer_is_used_under_its_own_generation_alone() {
    let answers = ResponseCache::new(1);
    let key = Key::new("/x", 'j');
    answers.keep(key.clone(), 7, answer("{}"));
    assert!(answers.find(&key, 7).is_some());
    assert!(answers.find(&key, 8).is_none());
    assert!(answers.find(&Key::new("/x", 'c'), 7).is_none());
    assert!(ResponseCache::new(0).find(&key, 7).is_none());
}

#[test]
fn headers_that_would_be_lost_keep_an_answer_out() {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv"));
    headers.insert(header::ETAG, HeaderValue::from_static("\"abc\""));
    assert!(CachedResponse::of("/x".into(), &headers, Bytes::new(), None).is_some());
    headers.insert(header::LINK, HeaderValue::from_static("<?cursor=x>; rel=\"next\""));
    assert!(CachedResponse::of("/x".into(), &headers, Bytes::new(), None).is_none());
}

#[actix_web::test]
async fn one_makes_the_answer_and_who_gives_up_leaves_the_turn_to_another() {
    let answers = ResponseCache::new(1);
    let key = Key::new("/x", 'j');
    let FlightRole::Make(first) = answers.join_flight(&key, 1) else { panic!("the first makes it") };
    let FlightRole::Wait(second) = answers.join_flight(&key, 1) else { panic!("the second waits") };
    assert!(
        matches!(answers.join_flight(&key, 2), FlightRole::Make(_)),
        "a newer generation does not wait for an old answer"
    );
    drop(first);
    assert!(matches!(second.outcome().await, FlightOutcome::Abandoned));
    let FlightRole::Make(third) = answers.join_flight(&key, 1) else { panic!("the turn is free again") };
    let FlightRole::Wait(fourth) = answers.join_flight(&key, 1) else { panic!("the fourth waits") };
    third.done(Some(answer("{}")));
    assert!(
        matches!(fourth.outcome().await, FlightOutcome::Made(_)),
        "an answer made is not lost on who comes late"
    );
    let FlightRole::Make(fifth) = answers.join_flight(&key, 1) else { panic!("nobody makes it now") };
    let FlightRole::Wait(sixth) = answers.join_flight(&key, 1) else { panic!("the sixth waits") };
    fifth.done(None);
    assert!(matches!(sixth.outcome().await, FlightOutcome::Refused));
}
