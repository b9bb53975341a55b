//! The caller as the service knows it, and the agencies whose data are theirs.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::{ClientScope, Permission, Role};
use crate::clock::business_day;
use crate::db::Caller;
use crate::ids::AgencyId;

/// Agencies whose data a caller may see and change. A parameter of every query on what an agency owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgencyScope {
    All,
    Agencies(Vec<AgencyId>),
}

impl AgencyScope {
    pub fn contains(&self, agency: AgencyId) -> bool {
        match self {
            Self::All => true,
            Self::Agencies(ids) => ids.contains(&agency),
        }
    }

    /// For SQL: null means every agency. `($1::int[] is null or agency_id = any($1))`
    pub fn ids(&self) -> Option<Vec<i32>> {
        match self {
            Self::All => None,
            Self::Agencies(ids) => Some(ids.iter().map(|id| id.0).collect()),
        }
    }
}

/// A person or a machine. A person with a token of the identity provider has no session here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    User { id: Uuid, username: String, role: Role, agency: Option<String>, session: Option<Uuid> },
    Client { client_id: String, scopes: Vec<ClientScope> },
}

/// An authenticated caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub identity: Identity,
    pub scope: AgencyScope,
    /// Logged in with a password that was given out.
    temporary_password: bool,
    /// Has to enrol a second factor first.
    must_enrol: bool,
    name: Arc<str>,
}

impl Principal {
    pub fn new(identity: Identity, scope: AgencyScope) -> Self {
        let name = match &identity {
            Identity::User { username, .. } => format!("user:{username}"),
            Identity::Client { client_id, .. } => format!("client:{client_id}"),
        };
        Self { identity, scope, temporary_password: false, must_enrol: false, name: name.into() }
    }

    /// May do nothing but see to the own account, until the password that was given out is changed.
    pub fn with_temporary_password(mut self) -> Self {
        self.temporary_password = true;
        self
    }

    pub fn has_temporary_password(&self) -> bool {
        self.temporary_password
    }

    /// May do nothing but see to the own account, until a second factor is enrolled.
    pub fn with_enrolment_required(mut self) -> Self {
        self.must_enrol = true;
        self
    }

    pub fn must_enrol(&self) -> bool {
        self.must_enrol
    }

    pub fn has_permission(&self, permission: Permission) -> bool {
        if (self.temporary_password || self.must_enrol) && permission != Permission::OwnAccount {
            return false;
        }
        match &self.identity {
            Identity::User { role, .. } => permission.roles().contains(role),
            Identity::Client { scopes, .. } => permission.client_scopes().iter().any(|s| scopes.contains(s)),
        }
    }

    /// `user:admin` or `client:vnpt`: for logs, audit and the owner of an idempotency key.
    pub fn name(&self) -> String {
        self.name.to_string()
    }

    /// Who is charged for the permits of this caller's requests, whichever token they come with.
    pub fn caller(&self) -> Caller {
        Caller::named(self.name.clone())
    }

    /// As [`Principal::name`], to look at.
    pub fn name_ref(&self) -> &str {
        &self.name
    }
}

/// Who does something, when, in which request: what an audit event says of the doer.
#[derive(Clone, Debug)]
pub struct Actor {
    pub name: String,
    pub request_id: String,
    pub now: DateTime<Utc>,
}

impl Actor {
    /// The service itself, as when it loads the plan.
    pub fn system(now: DateTime<Utc>) -> Self {
        Self { name: "system".into(), request_id: String::new(), now }
    }

    /// The business day in Asia/Ho_Chi_Minh.
    pub fn today(&self) -> NaiveDate {
        business_day(self.now)
    }
}
