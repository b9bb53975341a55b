use actix_web::test::TestRequest;
use proptest::prelude::*;

use super::*;

fn listing(query: &str) -> Result<ListQuery<NoFilter>, Problem> {
    let uri = format!("/things?{query}").parse::<actix_web::http::Uri>();
    // What is no URI never gets here.
    uri.map_err(|_| Problem::not_found())
        .and_then(|uri| ListQuery::read(&TestRequest::with_uri(&uri.to_string()).to_http_request()))
}

proptest! {
    #[test]
    fn a_cursor_comes_back_as_it_went_and_to_its_own_list_alone(keys in proptest::collection::vec("\\PC{0,20}", 1..4)) {
        let cursor = listing("sort=a").unwrap().cursor_of(keys.clone());
        let again = listing(&format!("sort=a&cursor={cursor}")).unwrap();
        prop_assert_eq!(again.after(keys.len()).unwrap(), Some(keys.clone()));
        prop_assert_eq!(again.after(keys.len() + 1).unwrap_err().code, ProblemCode::InvalidCursor);
        let other = listing(&format!("sort=-a&cursor={cursor}")).unwrap();
        prop_assert_eq!(other.after(keys.len()).unwrap_err().code, ProblemCode::InvalidCursor);
    }

    #[test]
    fn any_cursor_and_any_query_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..60), query in "[ -~]{0,40}") {
        let cursor = URL_SAFE_NO_PAD.encode(&bytes);
        prop_assert_eq!(listing(&format!("cursor={cursor}")).unwrap().after(1).unwrap_err().code, ProblemCode::InvalidCursor);
        if let Ok(found) = listing(&query) {
            prop_assert!((1..=MOST).contains(&found.limit));
            let _ = found.after(1);
        }
    }
}
