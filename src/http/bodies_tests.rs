use actix_web::test::TestRequest;

use super::*;

const MIB: usize = 1 << 20;

fn claim_of(memory: &BodyMemory, caller: &str) -> Claim {
    let request = TestRequest::default().to_http_request();
    request.extensions_mut().insert(Caller::named(caller));
    memory.claim(&request)
}

#[test]
fn the_budget_is_one_for_all_and_free_again_when_bodies_are_dropped() {
    let memory = BodyMemory::new(LEAST_MIB);
    let mut first = claim_of(&memory, "a");
    first.grow_to(64 * MIB).unwrap();
    let mut second = claim_of(&memory, "b");
    second.grow_to(64 * MIB).unwrap();
    let mut third = claim_of(&memory, "c");
    third.grow_to(SEGMENT).unwrap();
    let refused = third.grow_to(10 * MIB).unwrap_err();
    assert_eq!(refused.code, ProblemCode::Unavailable);
    assert_eq!(memory.counts(), (128 * 1024 * 1024 + 64 * 1024, 1));
    drop(first);
    third.grow_to(10 * MIB).unwrap();
    drop((second, third));
    assert_eq!((memory.counts().0, memory.callers()), (0, 0));
}

#[test]
fn no_caller_takes_the_share_of_others() {
    let memory = BodyMemory::new(512);
    let mut claims: Vec<Claim> = (0..20).map(|_| claim_of(&memory, "a")).collect();
    let taken = claims.iter_mut().filter_map(|claim| claim.grow_to(62 * MIB).ok()).count();
    assert_eq!(taken, 3, "half of 384 MiB");
    assert_eq!((memory.counts().1, memory.refused_shares()), (17, 17));
    assert!(claim_of(&memory, "a").grow_to(62 * MIB).unwrap_err().detail.is_some(), "and is told so");
    claim_of(&memory, "b").grow_to(62 * MIB).unwrap();
}

#[test]
fn a_caller_who_takes_all_it_can_leaves_room_for_the_largest_body_of_another() {
    for mib in [LEAST_MIB, DEFAULT_MIB, 1024] {
        let memory = BodyMemory::new(mib);
        let mut claims: Vec<Claim> = (0..1024).map(|_| claim_of(&memory, "a")).collect();
        for claim in &mut claims {
            while claim.grow_to(claim.held[0] + claim.held[1] + MIB).is_ok() {}
        }
        assert!(memory.counts().0 >= LARGEST as u64, "a caller alone can send the largest body");
        claim_of(&memory, "b").grow_to(LARGEST).unwrap();
    }
}

#[test]
fn several_callers_together_leave_room_for_one_more() {
    let memory = BodyMemory::new(1024);
    let mut held = Vec::new();
    for caller in ["a", "b", "c"] {
        let mut claims: Vec<Claim> = (0..16).map(|_| claim_of(&memory, caller)).collect();
        claims.retain_mut(|claim| claim.grow_to(LARGEST).is_ok());
        held.push(claims);
    }
    claim_of(&memory, "d").grow_to(LARGEST).unwrap();
}

#[test]
fn a_segment_is_freed_once_it_is_copied() {
    struct Segment<'s>(u8, &'s std::cell::RefCell<Vec<String>>);
    impl AsRef<[u8]> for Segment<'_> {
        fn as_ref(&self) -> &[u8] {
            self.1.borrow_mut().push(format!("copy {}", self.0));
            std::slice::from_ref(&self.0)
        }
    }
    impl Drop for Segment<'_> {
        fn drop(&mut self) {
            self.1.borrow_mut().push(format!("free {}", self.0));
        }
    }
    let log = std::cell::RefCell::default();
    let whole = concatenated(vec![Segment(1, &log), Segment(2, &log)], 2);
    assert_eq!(whole, [1, 2]);
    assert_eq!(*log.borrow(), ["copy 1", "free 1", "copy 2", "free 2"]);
}

#[test]
fn large_bodies_leave_room_for_ordinary_ones() {
    let memory = BodyMemory::new(LEAST_MIB);
    let mut large = [claim_of(&memory, "a"), claim_of(&memory, "b")];
    for claim in &mut large {
        while claim.grow_to(claim.held[0] + claim.held[1] + SEGMENT).is_ok() {}
    }
    claim_of(&memory, "c").grow_to(SEGMENT).unwrap();
}

#[test]
fn ten_thousand_callers_leave_nothing_behind() {
    let memory = BodyMemory::default();
    for n in 0..10_000 {
        claim_of(&memory, &format!("user:{n}")).grow_to(1 + n * 10).unwrap();
    }
    assert_eq!((memory.counts(), memory.callers()), ((0, 0), 0));
    assert!(memory.0.held.lock().unwrap().by_caller.capacity() < 64);
}

#[actix_web::test]
async fn a_body_in_crumbs_takes_what_its_bytes_take() {
    let crumbs = futures::stream::iter((0..200_000).map(|n: u32| Ok(n.to_le_bytes().to_vec().into())));
    let payload: actix_http::BoxedPayloadStream = Box::pin(crumbs);
    let memory = BodyMemory::default();
    let body = Body::collect(Payload::Stream { payload }, MIB, claim_of(&memory, "a")).await.unwrap();
    assert_eq!(memory.counts().0, 800_000);
    let capacity: usize = body.segments.iter().map(Vec::capacity).sum();
    assert!(capacity <= 800_000 + SEGMENT, "{capacity}");
    let (digits, claim) = body
        .parse(&Offload::default(), |bytes| {
            Ok(bytes.chunks(4).map(|n| u32::from_le_bytes(n.try_into().unwrap())).collect::<Vec<_>>())
        })
        .await
        .unwrap();
    assert_eq!(digits, (0..200_000).collect::<Vec<_>>());
    assert_eq!(memory.counts().0, 800_000, "held as long as what was parsed");
    drop(claim);
    assert_eq!(memory.counts().0, 0);
}
