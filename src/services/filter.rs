//! Filters of the list of procedures.

use serde::Deserialize;
use utoipa::IntoParams;

use super::model::ServiceQuery;
use super::rules::ServiceStatus;
use crate::http::query::AnyOf;
use crate::values::{fold, nfc};

/// A level in a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum LevelFilter {
    #[serde(rename = "1")]
    One = 1,
    #[serde(rename = "2")]
    Two = 2,
    #[serde(rename = "3")]
    Three = 3,
    #[serde(rename = "4")]
    Four = 4,
}

/// How a dossier can come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelFilter {
    Online,
    InPerson,
    Postal,
}

impl ChannelFilter {
    fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::InPerson => "in_person",
            Self::Postal => "postal",
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ServiceFilter {
    /// Words of the name or code. Ignores case and diacritics.
    #[param(example = "dat dai")]
    q: Option<String>,
    /// Levels today, comma-separated: 1 to 4.
    #[param(value_type = Option<String>, example = "3,4")]
    level: Option<AnyOf<LevelFilter>>,
    /// Full names of fields, comma-separated. Names that contain a comma are recognised.
    #[param(value_type = Option<String>, example = "Đất đai")]
    field: Option<AnyOf<String>>,
    /// Codes of agencies that handle it, comma-separated.
    #[param(value_type = Option<String>, example = "SO-TNMT")]
    agency: Option<AnyOf<String>>,
    /// Statuses, comma-separated: `in_force`, `abolished`, `duplicate`.
    #[param(value_type = Option<String>, example = "in_force")]
    status: Option<AnyOf<ServiceStatus>>,
    /// Channels, comma-separated: `online` (level 3 or 4 today), `postal` (with `postal` true), `in_person` (all in force).
    #[param(value_type = Option<String>, example = "online")]
    channel: Option<AnyOf<ChannelFilter>>,
}

impl ServiceFilter {
    pub fn query(&self) -> ServiceQuery {
        let owned = |text: &str| text.to_owned();
        ServiceQuery {
            q: self.q.as_deref().map(fold),
            levels: self.level.as_ref().map(|any| any.0.iter().map(|level| *level as i16).collect()),
            fields: self.field.as_ref().map(fields_of),
            agencies: self.agency.clone().map(|any| any.0),
            statuses: self.status.as_ref().map(|any| any.0.iter().map(|s| owned(s.as_str())).collect()),
            channels: self.channel.as_ref().map(|any| any.0.iter().map(|c| owned(c.as_str())).collect()),
        }
    }
}

/// The fields a filter may mean: each part between commas, and all of it, since the name of a field may hold a comma.
pub fn fields_of(any: &AnyOf<String>) -> Vec<String> {
    let whole = any.0.join(",");
    any.0.iter().chain([&whole]).map(|field| nfc(field.trim())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_may_hold_a_comma() {
        let any = AnyOf(vec!["Văn hóa".to_owned(), " Thể thao".to_owned()]);
        assert_eq!(fields_of(&any), ["Văn hóa", "Thể thao", "Văn hóa, Thể thao"]);
    }
}
