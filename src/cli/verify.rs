//! `ict-index verify`: compares the roll-ups with a recomputation from the facts.

use super::{Outcome, block_on, open_db, plain};
use crate::config::Environment;
use crate::db::Conn;
use crate::dossiers::verify::verify;
use crate::http::Problem;

/// Differences that are printed; the rest are only counted.
const MOST_SHOWN: usize = 20;

pub fn run(env: &Environment, repair: bool) -> Outcome {
    let db = open_db(env)?;
    let found = block_on(async move {
        db.transaction(async move |conn: &mut Conn| Ok::<_, Problem>(verify(conn, repair).await?))
            .await
            .map_err(plain)
    })?;
    let n = found.differences.len();
    for difference in found.differences.iter().take(MOST_SHOWN) {
        let text = |side: &Option<String>| side.clone().unwrap_or_else(|| "nothing".to_owned());
        let (kept, counted) = (text(&difference.kept), text(&difference.counted));
        println!("{}: stored {kept}, recomputed {counted}", difference.place);
    }
    if n > MOST_SHOWN {
        println!("and {} more", n - MOST_SHOWN);
    }
    println!("{} years recomputed, {n} differences", found.years.len());
    match (n, repair) {
        (0, _) => Ok(()),
        (_, false) => Err(vec!["run `ict-index verify --repair` to rebuild the roll-ups".into()]),
        (_, true)
            if found.differences.iter().any(|difference| difference.place.contains("dossier_batches")) =>
        {
            Err(vec!["roll-ups rebuilt; differences of `dossier_batches` must be resolved by hand".into()])
        }
        (_, true) => {
            println!("roll-ups rebuilt");
            Ok(())
        }
    }
}
