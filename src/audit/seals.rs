//! What a seal is: a hash over events and the seal before. Whoever has its line knows later whether any of them was changed.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use chrono::{DateTime, SecondsFormat, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::values::hex;

/// An event under a seal, as it was then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    pub event: Uuid,
    pub hash: Vec<u8>,
}

/// What a seal says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub number: i32,
    pub sealed_at: DateTime<Utc>,
    pub covers_until: DateTime<Utc>,
}

impl Head {
    /// The hash of a seal with this head over `leaves`, in their order, after the seal whose hash is `previous` (empty for the first).
    pub fn hash(&self, previous: &[u8], leaves: &[Leaf]) -> Vec<u8> {
        let mut text = format!(
            "ict-index audit seal 1\n{} {} {} {}\n{}\n",
            self.number,
            self.sealed_at.timestamp_micros(),
            self.covers_until.timestamp_micros(),
            leaves.len(),
            hex(previous)
        );
        for leaf in leaves {
            let _ = writeln!(text, "{} {}", leaf.event, hex(&leaf.hash));
        }
        Sha256::digest(text.as_bytes()).to_vec()
    }
}

/// The line of a seal, to be kept where nobody who can write to the database can write.
pub fn seal_line(head: &Head, events: usize, hash: &[u8]) -> String {
    let at = head.sealed_at.to_rfc3339_opts(SecondsFormat::Micros, true);
    format!("seal {} {at} {events} {}", head.number, hex(hash))
}

/// The line of an event under a seal.
pub fn event_line(seal: i32, leaf: &Leaf) -> String {
    format!("event {seal} {} {}", leaf.event, hex(&leaf.hash))
}

/// Lines that were kept elsewhere.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Hash by number of the seal.
    pub seals: HashMap<i32, String>,
    /// By event, the seal that it was under then and its hash.
    pub events: HashMap<Uuid, (i32, String)>,
    /// How many of them there are by seal.
    sizes: HashMap<i32, usize>,
}

impl Kept {
    /// Reads lines as they were printed; empty lines and those that begin with `#` are passed over.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut kept = Self::default();
        for (n, line) in text.lines().enumerate() {
            if !line.trim().is_empty() && !line.starts_with('#') {
                kept.take(line).ok_or_else(|| format!("line {}: not a line of a seal", n + 1))?;
            }
        }
        Ok(kept)
    }

    /// Hash of an event as it was kept, whatever seal it is under now.
    pub fn hash_of(&self, event: &Uuid) -> Option<&String> {
        self.events.get(event).map(|(_, hash)| hash)
    }

    /// Whether the events of this seal were kept and are all among these: it is the seal of then, or has more than it had.
    pub fn holds_all_of(&self, seal: i32, present: impl Iterator<Item = Uuid>) -> bool {
        let Some(of_seal) = self.sizes.get(&seal) else { return false };
        let here = present.filter(|event| self.events.get(event).is_some_and(|(under, _)| *under == seal));
        here.count() == *of_seal
    }

    /// Events that were kept and are not among these, with their seals; in order.
    pub fn not_among(&self, present: &HashSet<Uuid>) -> Vec<(Uuid, i32)> {
        let mut gone: Vec<(Uuid, i32)> = self
            .events
            .iter()
            .filter(|(event, _)| !present.contains(*event))
            .map(|(event, (seal, _))| (*event, *seal))
            .collect();
        gone.sort_unstable();
        gone
    }

    fn take(&mut self, line: &str) -> Option<()> {
        let mut words = line.split_whitespace();
        let (kind, seal) = (words.next()?, words.next()?.parse::<i32>().ok()?);
        match kind {
            "seal" => {
                let hash = words.nth(2).filter(|hash| is_hash(hash))?;
                self.seals.insert(seal, hash.to_owned());
            }
            "event" => {
                let event = words.next()?.parse().ok()?;
                let hash = words.next().filter(|hash| is_hash(hash))?;
                let before = self.events.insert(event, (seal, hash.to_owned()));
                *self.sizes.entry(seal).or_default() += 1;
                if let Some(size) = before.and_then(|(under, _)| self.sizes.get_mut(&under)) {
                    *size -= 1;
                }
            }
            _ => return None,
        }
        words.next().is_none().then_some(())
    }
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        let at = "2018-03-15T02:00:00.123456Z".parse().unwrap();
        Head { number: 2, sealed_at: at, covers_until: at }
    }

    fn leaves() -> Vec<Leaf> {
        (1..=3_u128)
            .map(|n| Leaf { event: Uuid::from_u128(n), hash: vec![u8::try_from(n).unwrap(); 32] })
            .collect()
    }

    #[test]
    fn whatever_is_changed_changes_the_hash() {
        let whole = head().hash(b"before", &leaves());
        let mut seen = vec![whole.clone()];
        let mut other = |hash: Vec<u8>| {
            assert!(!seen.contains(&hash));
            seen.push(hash);
        };
        other(head().hash(b"", &leaves()));
        other(head().hash(b"before", &leaves()[..2]));
        other(Head { number: 3, ..head() }.hash(b"before", &leaves()));
        other(
            Head { covers_until: head().covers_until + chrono::Duration::microseconds(1), ..head() }
                .hash(b"before", &leaves()),
        );
        let mut moved = leaves();
        moved.swap(0, 1);
        other(head().hash(b"before", &moved));
        let mut changed = leaves();
        changed[1].hash[31] ^= 1;
        other(head().hash(b"before", &changed));
        assert_eq!(head().hash(b"before", &leaves()), whole);
    }

    #[test]
    fn lines_are_read_as_they_were_printed() {
        let hash = head().hash(b"", &leaves());
        let lines: Vec<String> = leaves().iter().map(|leaf| event_line(2, leaf)).collect();
        let text = format!("# kept\n\n{}\n{}\n", seal_line(&head(), 3, &hash), lines.join("\n"));
        let kept = Kept::read(&text).unwrap();
        assert_eq!(kept.seals, HashMap::from([(2, hex(&hash))]));
        assert_eq!(kept.events.len(), 3);
        let present = |ids: &[u128]| kept.holds_all_of(2, ids.iter().map(|id| Uuid::from_u128(*id)));
        assert!(present(&[1, 2, 3]) && present(&[3, 2, 1, 9]) && !present(&[1, 2]));
        assert!(!kept.holds_all_of(1, std::iter::empty()), "nothing was kept of it");
        let twice = Kept::read(&format!("{text}{}", lines.join("\n"))).unwrap();
        assert_eq!(twice, kept, "lines that were kept twice");
        assert_eq!(kept.events[&Uuid::from_u128(3)], (2, "03".repeat(32)));
        for bad in ["seal", "seal x", "seal 1 now 3 abc", "event 1 x y", "else 1", &format!("{text} more")] {
            assert!(Kept::read(bad).is_err(), "{bad}");
        }
    }
}
