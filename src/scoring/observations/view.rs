//! What a reader sees of a set of observations. Worked out off the threads that read it: a set has up to 16 MiB.

use std::collections::HashMap;

use super::model::{self, RevisionRow};
use super::rules::Set;
use super::wire::{ObservationFilter, Observations};
use crate::auth::{Access, AgencyScope, Identity};
use crate::db::Conn;
use crate::http::Problem;
use crate::scoring::frameworks::model as frameworks;
use crate::scoring::visible_units::VisibleUnits;

/// What the caller sees of a set.
pub(super) struct ReaderRights {
    /// Units that are agencies outside of it are hidden, and what they reported; what was said of all of them, too.
    pub scope: AgencyScope,
    /// Notes and reasons: words of people for people.
    pub words: bool,
}

impl ReaderRights {
    pub fn of<P>(access: &Access<P>) -> Self {
        Self { scope: access.scope(), words: matches!(access.identity(), Identity::User { .. }) }
    }
}

/// A set as it is stored, with what decides what a reader sees of it.
pub(super) struct StoredSet {
    framework: String,
    set: model::SetRow,
    /// Of a reader who does not see every agency; what units are in this framework.
    visible: Option<(VisibleUnits, String)>,
}

pub(super) async fn stored(
    conn: &mut Conn,
    framework: String,
    year: i32,
    revision: i32,
    scope: &AgencyScope,
) -> Result<StoredSet, Problem> {
    let set = model::revision(conn, &framework, year, revision).await?.ok_or_else(Problem::not_found)?;
    let visible = match VisibleUnits::of(conn, scope).await? {
        None => None,
        Some(visible) => {
            let row = frameworks::find(conn, &framework).await?.ok_or_else(Problem::not_found)?;
            Some((visible, frameworks::read(row.definition)?.unit_type))
        }
    };
    Ok(StoredSet { framework, set, visible })
}

impl StoredSet {
    pub fn view(
        self,
        data_year: i32,
        head: RevisionRow,
        filter: &ObservationFilter,
        rights: &ReaderRights,
    ) -> Result<Observations, Problem> {
        let mut set = self.set.set()?;
        let selection = filter.selection();
        set.rows.retain(|row| selection.keeps(row));
        set.units.retain(|unit| selection.keeps_unit(&unit.code));
        if let Some((visible, unit_type)) = &self.visible {
            narrow(&mut set, visible, unit_type);
        }
        let Set { mut rows, units } = set;
        if !rights.words {
            rows.iter_mut().for_each(|row| row.note = None);
        }
        let reason = head.reason.filter(|_| rights.scope == AgencyScope::All && rights.words);
        let RevisionRow { revision, recorded_at, recorded_by, .. } = head;
        let framework = self.framework;
        Ok(Observations { framework, data_year, revision, reason, recorded_at, recorded_by, units, rows })
    }
}

/// Leaves in a set what the reader is proven to be allowed to read. Each name is judged once, however many rows have it.
fn narrow(set: &mut Set, visible: &VisibleUnits, unit_type: &str) {
    let mut units = HashMap::new();
    let mut is_shown = |unit: &String| match units.get(unit) {
        Some(shown) => *shown,
        None => *units.entry(unit.clone()).or_insert(visible.shows(unit, unit_type)),
    };
    set.rows.retain(|row| is_shown(&row.unit));
    set.units.retain(|unit| is_shown(&unit.code));
    let mut sources = HashMap::new();
    let mut is_source_shown = |name: &String| match sources.get(name) {
        Some(shown) => *shown,
        None => *sources.entry(name.clone()).or_insert(visible.shows_source(name)),
    };
    set.rows.iter_mut().for_each(|row| row.source.retain(&mut is_source_shown));
}
