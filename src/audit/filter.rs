//! What a list or an export of the audit trail is narrowed by.

use chrono::{Days, NaiveDate};
use serde::Deserialize;
use utoipa::IntoParams;

use super::model::EventQuery;
use crate::clock::end_of_business_day;
use crate::http::query::AnyOf;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditFilter {
    /// Kinds of record, comma-separated: `agency`, `task`, `submission`, …
    #[param(value_type = Option<String>, example = "agency")]
    entity: Option<AnyOf<String>>,
    /// Code or id of the record.
    key: Option<String>,
    /// `user:<username>`, `client:<client_id>` or `system`.
    actor: Option<String>,
    /// Actions, comma-separated.
    #[param(value_type = Option<String>)]
    action: Option<AnyOf<String>>,
    /// First business day.
    #[serde(default, deserialize_with = "crate::http::dates::day")]
    from: Option<NaiveDate>,
    /// Last business day.
    #[serde(default, deserialize_with = "crate::http::dates::day")]
    to: Option<NaiveDate>,
}

impl AuditFilter {
    pub(super) fn query(&self) -> EventQuery {
        EventQuery {
            entity: self.entity.clone().map(|any| any.0),
            key: self.key.clone(),
            actor: self.actor.clone(),
            action: self.action.clone().map(|any| any.0),
            from: self.from.map(|day| end_of_business_day(day.checked_sub_days(Days::new(1)).unwrap_or(day))),
            until: self.to.map(end_of_business_day),
        }
    }
}
