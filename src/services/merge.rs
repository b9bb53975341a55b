//! What a batch of the catalogue would change, decided before anything is written.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;

use super::batch_wire::{ServiceBatchCounts, ServiceBatchRow};
use super::level_wire::NewLevel;
use super::model::{LevelRow, ServiceRow};
use super::rules::{ServiceStatus, itself_a_duplicate, no_service};
use super::wire::{NewService, ServicePatch};
use crate::audit::Event;
use crate::http::{Patch, Problem, ProblemCode, Violations};
use crate::ids::{AgencyId, ServiceId};

/// Levels that begin on the days a batch names, by code: a batch has one per procedure.
pub type Levels = HashMap<String, LevelRow>;

/// A procedure that changes.
#[derive(Debug)]
pub struct Change {
    pub before: ServiceRow,
    pub after: ServiceRow,
}

/// A level that is new or takes another's place.
#[derive(Debug)]
pub struct LevelChange {
    pub code: String,
    pub before: Option<LevelRow>,
    pub after: LevelRow,
}

/// The difference between the catalogue and a batch.
#[derive(Debug, Default)]
pub struct Merge {
    pub created: Vec<ServiceRow>,
    pub updated: Vec<Change>,
    pub levels: Vec<LevelChange>,
    unchanged: usize,
}

/// What a row makes of its procedure.
struct Draft {
    service: NewService,
    level: Option<LevelRow>,
}

impl Merge {
    /// Compares, or says all that is wrong.
    pub fn of(
        rows: Vec<ServiceBatchRow>,
        mut existing: HashMap<String, ServiceRow>,
        levels: &Levels,
        agencies: &HashMap<String, AgencyId>,
        today: NaiveDate,
    ) -> Result<Self, Problem> {
        let mut faults = Violations::default();
        let mut drafts = Vec::with_capacity(rows.len());
        for (i, row) in rows.into_iter().enumerate() {
            drafts.push(draft(&format!("/rows/{i}"), row, &existing, &mut faults)?);
        }
        check_together(&drafts, &existing, agencies, &mut faults);
        faults.into_result()?;
        let mut merge = Self::default();
        for Draft { service, level } in drafts {
            let code = service.code.clone();
            let before = existing.remove(&code);
            let on_that_day = levels.get(&code).cloned();
            let level = level.filter(|level| on_that_day.as_ref() != Some(level));
            merge.add(before, service, level.as_ref(), today);
            if let Some(after) = level {
                merge.levels.push(LevelChange { code, before: on_that_day, after });
            }
        }
        Ok(merge)
    }

    fn add(
        &mut self,
        before: Option<ServiceRow>,
        service: NewService,
        level: Option<&LevelRow>,
        today: NaiveDate,
    ) {
        let after = after(before.as_ref(), service, level, today);
        match before {
            None => self.created.push(after),
            Some(before) if before == after && level.is_none() => self.unchanged += 1,
            Some(before) => {
                let after = ServiceRow { version: before.version + 1, ..after };
                self.updated.push(Change { before, after });
            }
        }
    }

    pub fn counts(&self) -> ServiceBatchCounts {
        ServiceBatchCounts {
            created: self.created.len(),
            updated: self.updated.len(),
            unchanged: self.unchanged,
        }
    }

    pub fn events(&self) -> Vec<Event> {
        let created = self.created.iter().map(|row| Event::create("service", &row.code, row));
        let updated = self
            .updated
            .iter()
            .map(|change| Event::update("service", &change.after.code, &change.before, &change.after));
        let levels = self.levels.iter().map(|level| match &level.before {
            None => Event::create("service_level", &level.code, &level.after),
            Some(before) => Event::update("service_level", &level.code, before, &level.after),
        });
        created.chain(updated).chain(levels).collect()
    }
}

/// The procedure as the row leaves it, checked by itself.
fn draft(
    at: &str,
    row: ServiceBatchRow,
    existing: &HashMap<String, ServiceRow>,
    faults: &mut Violations,
) -> Result<Draft, Problem> {
    let level = level_of(at, &row, faults);
    let service = match existing.get(&row.code) {
        None => NewService {
            code: row.code,
            name: row.name,
            field: row.field,
            tier: row.tier,
            agencies: row.agencies.unwrap_or_default(),
            status: row.status.unwrap_or_default(),
            duplicate_of: row.duplicate_of,
            postal: row.postal.unwrap_or_default(),
            information_complete: row.information_complete.unwrap_or_default(),
            forms_complete: row.forms_complete.unwrap_or_default(),
        },
        Some(stored) => ServicePatch {
            name: Some(row.name),
            field: Some(row.field),
            tier: Some(row.tier),
            agencies: row.agencies,
            status: row.status,
            status_effective_from: None,
            duplicate_of: row.duplicate_of.map_or(Patch::Absent, Patch::Value),
            postal: row.postal,
            information_complete: row.information_complete,
            forms_complete: row.forms_complete,
        }
        .apply(stored)?,
    };
    service.check_at(at, faults);
    Ok(Draft { service, level })
}

/// All three members of a level, or none.
fn level_of(at: &str, row: &ServiceBatchRow, faults: &mut Violations) -> Option<LevelRow> {
    if let (Some(level), Some(effective_from), Some(decision)) =
        (row.level, row.effective_from, row.decision.clone())
    {
        let level = NewLevel { level, effective_from, decision };
        level.check_at(at, faults);
        return Some(level.row());
    }
    let members = [
        ("level", row.level.is_some()),
        ("effective_from", row.effective_from.is_some()),
        ("decision", row.decision.is_some()),
    ];
    if members.iter().any(|(_, given)| *given) {
        for (name, _) in members.iter().filter(|(_, given)| !given) {
            let detail = msg!(
                "Mức độ (level), ngày có hiệu lực (effective_from) và quyết định (decision) phải khai báo cùng nhau; còn thiếu {name}.",
                "`level`, `effective_from` and `decision` must be set together; `{name}` is missing."
            );
            faults.add(ProblemCode::Required, format!("{at}/{name}"), detail);
        }
    }
    None
}

/// What only shows when all rows and the catalogue are seen together.
fn check_together(
    drafts: &[Draft],
    existing: &HashMap<String, ServiceRow>,
    agencies: &HashMap<String, AgencyId>,
    faults: &mut Violations,
) {
    let by_code: HashMap<&str, ServiceStatus> =
        drafts.iter().map(|draft| (draft.service.code.as_str(), draft.service.status)).collect();
    let status_of = |code: &str| {
        let stored = || existing.get(code).and_then(|row| ServiceStatus::parse(&row.status));
        by_code.get(code).copied().or_else(stored)
    };
    let mut seen = HashSet::new();
    for (i, Draft { service, .. }) in drafts.iter().enumerate() {
        if !seen.insert(service.code.as_str()) {
            let code = &service.code;
            let detail = msg!("Mã thủ tục `{code}` được khai báo nhiều lần.", "Duplicate code `{code}`.");
            faults.add(ProblemCode::DuplicateEntry, format!("/rows/{i}/code"), detail);
        }
        let held = existing.get(&service.code).map(|row| row.agencies.as_slice()).unwrap_or_default();
        for (j, agency) in service.agencies.iter().enumerate() {
            if !agencies.contains_key(agency) && !held.contains(agency) {
                faults.add(
                    ProblemCode::UnknownReference,
                    format!("/rows/{i}/agencies/{j}"),
                    crate::agencies::unknown(agency),
                );
            }
        }
        if let Some(original) = service.duplicate_of.as_ref().filter(|code| **code != service.code) {
            let pointer = format!("/rows/{i}/duplicate_of");
            match status_of(original) {
                None => faults.add(ProblemCode::UnknownReference, pointer, no_service(original)),
                Some(ServiceStatus::Duplicate) => {
                    faults.add(ProblemCode::CyclicReference, pointer, itself_a_duplicate(original));
                }
                Some(_) => {}
            }
        }
    }
}

/// The row as it will be read back.
fn after(
    before: Option<&ServiceRow>,
    service: NewService,
    level: Option<&LevelRow>,
    today: NaiveDate,
) -> ServiceRow {
    let (held, held_from) = before.map(|row| (row.level, row.level_effective_from)).unwrap_or_default();
    let takes_effect = level.filter(|level| {
        level.effective_from <= today && held_from.is_none_or(|held_from| held_from <= level.effective_from)
    });
    let mut agencies = service.agencies;
    agencies.sort_unstable();
    ServiceRow {
        id: before.map_or(ServiceId(0), |row| row.id),
        code: service.code,
        name: service.name.trim().to_owned(),
        field: service.field.trim().to_owned(),
        tier: service.tier.as_str().to_owned(),
        agencies,
        status: service.status.as_str().to_owned(),
        duplicate_of: service.duplicate_of,
        postal: service.postal,
        information_complete: service.information_complete,
        forms_complete: service.forms_complete,
        level: takes_effect.map_or(held, |level| Some(level.level)),
        level_effective_from: takes_effect.map_or(held_from, |level| Some(level.effective_from)),
        version: before.map_or(1, |row| row.version),
    }
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
