use actix_web::test::TestRequest;
use futures_util::FutureExt;

use super::*;
use crate::http::bodies::BodyMemory;

fn stream_of(format: RowFormat, pieces: &[&'static str], then: bool) -> RowStream {
    stream_on(&BodyMemory::new(1), format, pieces, then)
}

fn stream_on(memory: &BodyMemory, format: RowFormat, pieces: &[&'static str], then: bool) -> RowStream {
    let sent: Vec<_> = pieces.iter().map(|text| Ok(Bytes::from_static(text.as_bytes()))).collect();
    let rest: Pin<Box<dyn Stream<Item = _>>> = match then {
        true => Box::pin(stream::pending()),
        false => Box::pin(stream::empty()),
    };
    let all: Pin<Box<dyn Stream<Item = _>>> = Box::pin(stream::iter(sent).chain(rest));
    let claim = memory.claim(&TestRequest::default().to_http_request());
    RowStream::new(format, Payload::from(all), claim, Offload::default())
}

#[tokio::test]
async fn a_stream_begins_with_its_first_whole_row() {
    for (format, pieces, begins) in [
        (RowFormat::Ndjson, vec!["{\"a\":"], false),
        (RowFormat::Ndjson, vec!["{\"a\":", "1}\n"], true),
        (RowFormat::Csv, vec!["agency,service\n"], false),
        (RowFormat::Csv, vec!["agency,service\nSO-YT"], false),
        (RowFormat::Csv, vec!["agency,service\r\nSO-YT,1", "\r\n"], true),
    ] {
        let begun = stream_of(format, &pieces, true).begun().now_or_never();
        assert_eq!(begun.is_some(), begins, "{format:?} {pieces:?}");
    }
    assert!(stream_of(RowFormat::Csv, &["agency"], false).begun().now_or_never().is_some(), "it is over");
}

#[tokio::test]
async fn what_is_read_before_the_first_row_comes_out_of_the_budget_until_it_is_handed_on() {
    let memory = BodyMemory::new(1);
    let waiting = stream_on(&memory, RowFormat::Ndjson, &["{\"a\":"], true);
    let mut waiting = Box::pin(waiting.begun());
    assert!((&mut waiting).now_or_never().is_none());
    assert_eq!(memory.counts().0, 5);
    drop(waiting);
    assert_eq!(memory.counts().0, 0, "a client that departs gives its bytes back");

    let begun = stream_on(&memory, RowFormat::Ndjson, &["{\"a\":", "1}\n"], true).begun().await.unwrap();
    assert_eq!(memory.counts().0, 8);
    let (sender, mut receiver) = tokio::sync::mpsc::channel(10);
    let mut sending = Box::pin(begun.send_to(sender));
    assert!((&mut sending).now_or_never().is_none(), "it waits for more");
    assert_eq!(memory.counts().0, 0);
    assert!(matches!(receiver.try_recv(), Ok(Piece::Bytes(_))));
}

#[tokio::test]
async fn streams_beyond_the_budget_do_not_begin() {
    let (memory, line) = (BodyMemory::new(1), "x".repeat(MOST_LINE));
    let piece: &'static str = line.leak();
    let mut waiting = Vec::new();
    let refused = loop {
        assert!(waiting.len() < 10_000, "all are read, whatever they take");
        let mut next = Box::pin(stream_on(&memory, RowFormat::Csv, &[piece], true).begun());
        match (&mut next).now_or_never() {
            None => waiting.push(next),
            Some(begun) => break begun.unwrap_err(),
        }
    };
    assert_eq!(refused.code, ProblemCode::Unavailable);
    assert!(memory.counts().0 >= MOST_LINE as u64);
}

#[tokio::test]
async fn nothing_is_lost_that_was_read_before_it_began() {
    let pieces = ["agency,service\nSO", "-YT,1\nSO-T", "TTT,2\n"];
    let begun = stream_of(RowFormat::Csv, &pieces, false).begun().await.unwrap();
    let (all, _claim) = begun.whole(1_000, |_, bytes| Ok(bytes.to_vec())).await.unwrap();
    assert_eq!(all, pieces.concat().into_bytes());
    let begun = stream_of(RowFormat::Csv, &pieces, false).begun().await.unwrap();
    let (sender, mut receiver) = tokio::sync::mpsc::channel(10);
    begun.send_to(sender).await.unwrap();
    let mut all = Vec::new();
    while let Some(Piece::Bytes(piece)) = receiver.recv().await {
        all.extend_from_slice(&piece);
    }
    assert_eq!(all, pieces.concat().into_bytes());
}
