//! Places on rounded scores.

use std::collections::BTreeMap;

use super::fixed::Fixed;
use super::framework::Ties;

/// The place of each score among those of the same group; none without a score. Scores are expected rounded.
pub fn places(scores: &[(&str, Option<Fixed>)], ties: Ties) -> Vec<Option<usize>> {
    let mut by_group: BTreeMap<&str, BTreeMap<&Fixed, usize>> = BTreeMap::new();
    for (group, score) in scores {
        if let Some(score) = score {
            *by_group.entry(group).or_default().entry(score).or_default() += 1;
        }
    }
    let ranked: BTreeMap<&str, BTreeMap<&Fixed, usize>> =
        by_group.into_iter().map(|(group, counts)| (group, places_of(counts, ties))).collect();
    let place = |(group, score): &(&str, Option<Fixed>)| ranked.get(group)?.get(score.as_ref()?).copied();
    scores.iter().map(place).collect()
}

fn places_of(counts: BTreeMap<&Fixed, usize>, ties: Ties) -> BTreeMap<&Fixed, usize> {
    let mut next = 1;
    let mut places = BTreeMap::new();
    for (score, count) in counts.into_iter().rev() {
        places.insert(score, next);
        next += if ties == Ties::Competition { count } else { 1 };
    }
    places
}

/// Places gained from `before` to `after`: the ministry's way, up is positive.
pub fn movement(before: usize, after: usize) -> i64 {
    let place = |place: usize| i64::try_from(place).unwrap_or(i64::MAX);
    place(before).saturating_sub(place(after))
}
