//! Whose dossier counts a caller may see and write.

use crate::auth::{Access, AgencyScope, Identity};

/// A machine client sees its own feed, a user the agencies in scope.
#[derive(Clone, Debug)]
pub struct FeedScope {
    pub feed: Option<String>,
    pub scope: AgencyScope,
}

impl FeedScope {
    pub fn of<P>(access: &Access<P>) -> Self {
        let feed = match access.identity() {
            Identity::Client { client_id, .. } => Some(client_id.clone()),
            Identity::User { .. } => None,
        };
        Self { feed, scope: access.scope() }
    }
}
