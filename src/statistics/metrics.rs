//! Rates of dossiers: which counts each one divides. Decided here once; adding up the counts of parts gives those of the whole.

use std::ops::Add;

use super::rules::Rate;

/// Dossiers of one level, or of all channels of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    pub received: i64,
    /// Early, on time or late.
    pub resolved: i64,
    /// Early or on time.
    pub in_time: i64,
}

impl Add for Cell {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            received: self.received + other.received,
            resolved: self.resolved + other.resolved,
            in_time: self.in_time + other.in_time,
        }
    }
}

/// Dossiers of a group by level of their procedure; place 0 holds procedures without a level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    all: [Cell; 5],
    online: [Cell; 5],
}

impl Add for Tally {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        let add = |to: &mut [Cell; 5], from: [Cell; 5]| {
            to.iter_mut().zip(from).for_each(|(to, from)| *to = *to + from);
        };
        add(&mut self.all, other.all);
        add(&mut self.online, other.online);
        self
    }
}

impl Tally {
    /// Dossiers of one level: of every channel, and those of them that came online.
    pub fn of(level: i16, all: Cell, online: Cell) -> Self {
        let mut tally = Self::default();
        let place = usize::try_from(level).unwrap_or(0);
        for (cells, cell) in [(&mut tally.all, all), (&mut tally.online, online)] {
            if let Some(one) = cells.get_mut(place) {
                *one = cell;
            }
        }
        tally
    }
}

fn sum(cells: &[Cell; 5], levels: &[usize]) -> Cell {
    levels.iter().filter_map(|level| cells.get(*level)).fold(Cell::default(), |sum, cell| sum + *cell)
}

/// What a rate compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Formula {
    /// Online among all received, of procedures at the levels.
    Received,
    /// Online among all resolved, of procedures at the levels.
    Resolved,
    /// Online resolved of procedures at the levels, among all resolved of any level.
    OfAll,
    /// Early or on time among all resolved, in every channel.
    OnTime,
}

/// A rate with its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    pub id: &'static str,
    formula: Formula,
    /// Exactly these levels.
    levels: &'static [usize],
}

/// Every level, and none.
const ANY: &[usize] = &[0, 1, 2, 3, 4];

const fn metric(id: &'static str, formula: Formula, levels: &'static [usize]) -> Metric {
    Metric { id, formula, levels }
}

impl Metric {
    pub const ALL: [Self; 16] = [
        metric("dossiers_level_1_received", Formula::Received, &[1]),
        metric("dossiers_level_1_resolved", Formula::Resolved, &[1]),
        metric("dossiers_level_1_of_all", Formula::OfAll, &[1]),
        metric("dossiers_level_2_received", Formula::Received, &[2]),
        metric("dossiers_level_2_resolved", Formula::Resolved, &[2]),
        metric("dossiers_level_2_of_all", Formula::OfAll, &[2]),
        metric("dossiers_level_3_received", Formula::Received, &[3]),
        metric("dossiers_level_3_resolved", Formula::Resolved, &[3]),
        metric("dossiers_level_3_of_all", Formula::OfAll, &[3]),
        metric("dossiers_level_4_received", Formula::Received, &[4]),
        metric("dossiers_level_4_resolved", Formula::Resolved, &[4]),
        metric("dossiers_level_4_of_all", Formula::OfAll, &[4]),
        metric("dossiers_level_3_4_received", Formula::Received, &[3, 4]),
        metric("dossiers_level_3_4_resolved", Formula::Resolved, &[3, 4]),
        metric("dossiers_level_3_4_of_all", Formula::OfAll, &[3, 4]),
        metric("on_time", Formula::OnTime, ANY),
    ];

    /// What is answered when nobody says which.
    pub const DEFAULT: [&'static str; 2] = ["dossiers_level_3_resolved", "dossiers_level_4_resolved"];

    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.id == id)
    }

    pub fn rate(self, tally: &Tally) -> Rate {
        let (all, online) = (sum(&tally.all, self.levels), sum(&tally.online, self.levels));
        match self.formula {
            Formula::Received => Rate::new(online.received, all.received),
            Formula::Resolved => Rate::new(online.resolved, all.resolved),
            Formula::OfAll => Rate::new(online.resolved, sum(&tally.all, ANY).resolved),
            Formula::OnTime => Rate::new(all.in_time, all.resolved),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cell(received: i64, resolved: i64, in_time: i64) -> Cell {
        Cell { received, resolved, in_time }
    }

    /// Dossiers of one kind of channel.
    fn of(level: Option<i16>, online: bool, cell: Cell) -> Tally {
        Tally::of(level.unwrap_or(0), cell, if online { cell } else { Cell::default() })
    }

    fn rate(id: &str, tally: &Tally) -> (i64, i64) {
        let rate = Metric::parse(id).unwrap().rate(tally);
        (rate.numerator, rate.denominator)
    }

    #[test]
    fn numerators_are_online_and_denominators_every_channel() {
        let tally = of(Some(3), true, cell(55, 50, 40))
            + of(Some(3), false, cell(45, 40, 30))
            + of(Some(4), true, cell(7, 5, 5))
            + of(Some(2), true, cell(1, 1, 0))
            + of(None, false, cell(100, 104, 99));
        assert_eq!(rate("dossiers_level_3_received", &tally), (55, 100));
        assert_eq!(rate("dossiers_level_3_resolved", &tally), (50, 90));
        assert_eq!(rate("dossiers_level_4_received", &tally), (7, 7));
        assert_eq!(rate("dossiers_level_3_4_received", &tally), (62, 107));
        assert_eq!(rate("dossiers_level_3_4_resolved", &tally), (55, 95));
        assert_eq!(rate("dossiers_level_2_resolved", &tally), (1, 1));
        assert_eq!(rate("dossiers_level_1_received", &tally), (0, 0));
        assert_eq!(rate("dossiers_level_3_of_all", &tally), (50, 200));
        assert_eq!(rate("dossiers_level_3_4_of_all", &tally), (55, 200));
        assert_eq!(rate("on_time", &tally), (174, 200));
    }

    #[test]
    fn every_id_is_found_and_the_default_is_known() {
        assert!(Metric::ALL.iter().all(|metric| Metric::parse(metric.id) == Some(*metric)));
        assert!(Metric::DEFAULT.iter().all(|id| Metric::parse(id).is_some()));
        assert_eq!(Metric::parse("dossiers_level_5_resolved"), None);
    }

    fn any_tally() -> impl Strategy<Value = Tally> {
        let counts = (0i64..1_000, 0i64..1_000, 0i64..1_000);
        (proptest::option::of(1i16..5), any::<bool>(), counts)
            .prop_map(|(level, online, (received, a, b))| of(level, online, cell(received, a + b, a)))
    }

    proptest! {
        #[test]
        fn the_whole_is_the_sum_of_its_parts_in_any_order(
            parts in proptest::collection::vec(any_tally(), 0..20).prop_flat_map(|p| (Just(p.clone()), Just(p).prop_shuffle())),
            cut in 0usize..20,
        ) {
            let total = |parts: &[Tally]| parts.iter().fold(Tally::default(), |sum, part| sum + *part);
            let (parts, shuffled) = parts;
            let (left, right) = parts.split_at(cut.min(parts.len()));
            for metric in Metric::ALL {
                let whole = metric.rate(&total(&parts));
                prop_assert_eq!(whole, metric.rate(&total(&shuffled)));
                prop_assert_eq!(whole, metric.rate(&total(left)) + metric.rate(&total(right)));
                prop_assert!(0 <= whole.numerator && whole.numerator <= whole.denominator);
            }
        }
    }
}
