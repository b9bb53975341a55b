//! Which units of a framework a caller reads who may not read every agency. Hidden is what is not proven to be theirs, or no agency.

use std::collections::HashSet;

use crate::agencies::model as agencies;
use crate::auth::AgencyScope;
use crate::db::{Connected, QueryResult};
use crate::values::{has_mixed_scripts, invisible_character, look_alike_key, name_key};

/// Kinds of units that are never agencies of this province. Units of any other kind count as agencies.
const NO_AGENCIES: [&str; 3] = ["country", "ministry", "province"];

/// Shorter keys occur inside of other words.
const LEAST_KEY: usize = 5;

/// The agencies by every name that a unit can have.
#[derive(Debug, Default)]
pub struct VisibleUnits {
    own_codes: HashSet<String>,
    own_keys: HashSet<String>,
    foreign_keys: HashSet<String>,
}

impl VisibleUnits {
    /// `None` for a caller who reads all agencies.
    pub async fn of(conn: &mut impl Connected, scope: &AgencyScope) -> QueryResult<Option<Self>> {
        if *scope == AgencyScope::All {
            return Ok(None);
        }
        let mut units = Self::default();
        for agency in agencies::names(conn).await? {
            let own = scope.contains(agency.id);
            let names = [Some(agency.code.as_str()), Some(&agency.name), agency.name_en.as_deref()];
            for name in names.into_iter().flatten() {
                if own {
                    units.own_keys.insert(name_key(name))
                } else {
                    units.foreign_keys.insert(look_alike_key(name))
                };
            }
            if own {
                units.own_codes.insert(agency.code);
            }
        }
        Ok(Some(units))
    }

    /// Whether the caller reads the figures of this unit of a framework that scores units of this kind.
    pub fn shows(&self, unit: &str, unit_type: &str) -> bool {
        if self.own_codes.contains(unit) {
            return true;
        }
        let foreign = look_alike_key(unit);
        if self.foreign_keys.contains(&foreign) {
            return false;
        }
        if self.own_keys.contains(&name_key(unit)) {
            return true;
        }
        NO_AGENCIES.contains(&unit_type) && self.is_no_agency(unit, &foreign)
    }

    /// Neither written so that its name cannot be judged, nor with the name of an agency in it.
    fn is_no_agency(&self, unit: &str, key: &str) -> bool {
        let names = |foreign: &String| foreign.len() >= LEAST_KEY && key.contains(foreign.as_str());
        !key.is_empty()
            && invisible_character(unit).is_none()
            && !has_mixed_scripts(unit)
            && !self.foreign_keys.iter().any(names)
    }

    /// Whether the caller may learn that this agency or source of batches delivered something.
    pub fn shows_source(&self, name: &str) -> bool {
        self.own_codes.contains(name) || !self.foreign_keys.contains(&look_alike_key(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units() -> VisibleUnits {
        let keys = |names: &[&str], key: fn(&str) -> String| names.iter().map(|name| key(name)).collect();
        VisibleUnits {
            own_codes: ["SO-YT".to_owned()].into(),
            own_keys: keys(&["SO-YT", "Sở Y tế"], name_key),
            foreign_keys: keys(&["SO-GDDT", "Sở Giáo dục và Đào tạo"], look_alike_key),
        }
    }

    #[test]
    fn a_unit_that_is_written_like_a_foreign_agency_is_hidden_whatever_units_are_called() {
        let names = [
            "SO-GDDT",
            "so-gddt",
            "SO\u{2011}GDDT",
            "SO GDDT",
            "S\u{41e}-GDDT",
            "SO-\u{200b}GDDT",
            "\u{ff33}\u{ff2f}-GDDT",
            "sogddt",
            "Sở Giáo dục và Đào tạo",
            "SỞ GIÁO DỤC VÀ ĐÀO TẠO",
            "Sở Giáo dục và Đào tạo tỉnh Lào Cai",
            "So Giao duc va Dao tao",
        ];
        for unit in names {
            for unit_type in ["agency", "district", "province", "anything"] {
                assert!(!units().shows(unit, unit_type), "{unit:?} as {unit_type}");
            }
        }
    }

    #[test]
    fn a_unit_is_shown_when_it_is_proven_to_be_the_callers_own_or_no_agency() {
        for unit in ["SO-YT", "so-yt", "Sở Y tế", "SỞ Y TẾ"] {
            assert!(units().shows(unit, "agency") && units().shows(unit, "province"), "{unit:?}");
        }
        assert!(units().shows("Lào Cai", "province") && units().shows("Bộ Y tế", "ministry"));
        for unit in ["Lào Cai", "Phòng Y tế", "Sở Y tê", "Sở GD&ĐT", ""] {
            assert!(!units().shows(unit, "agency") && !units().shows(unit, "district"), "{unit:?}");
        }
        assert!(!units().shows("\u{202e}iaC oàL", "province") && !units().shows("L\u{430}o Cai", "province"));
    }
}
