//! The closed list of permissions, who holds them, and the machine scope that grants each.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Role of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Accounts and machine clients.
    Admin,
    /// Everything of the domain: the coordinating department.
    Coordinator,
    /// Reads everything: the Office of the provincial committee.
    Monitor,
    /// Reports for one agency and those below it.
    Officer,
}

impl Role {
    pub const ALL: [Self; 4] = [Self::Admin, Self::Coordinator, Self::Monitor, Self::Officer];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Coordinator => "coordinator",
            Self::Monitor => "monitor",
            Self::Officer => "officer",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// Scope of a machine client (RFC 6749).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum ClientScope {
    #[serde(rename = "statistics:read")]
    StatisticsRead,
    #[serde(rename = "catalogue:read")]
    CatalogueRead,
    #[serde(rename = "catalogue:write")]
    CatalogueWrite,
    #[serde(rename = "dossiers:write")]
    DossiersWrite,
}

impl ClientScope {
    pub const ALL: [Self; 4] =
        [Self::StatisticsRead, Self::CatalogueRead, Self::CatalogueWrite, Self::DossiersWrite];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::StatisticsRead => "statistics:read",
            Self::CatalogueRead => "catalogue:read",
            Self::CatalogueWrite => "catalogue:write",
            Self::DossiersWrite => "dossiers:write",
        }
    }

    pub fn describe(self) -> &'static str {
        match self {
            Self::StatisticsRead => "Read statistics, targets, tasks and published results",
            Self::CatalogueRead => "Read agencies, frameworks, indicators, plans and procedures",
            Self::CatalogueWrite => "Write procedures and their levels",
            Self::DossiersWrite => "Write and read back the dossier counts of the client's own feed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

stored_as_text!(Role, ClientScope);

impl crate::db::Bindable for Vec<ClientScope> {
    type St = diesel::sql_types::Array<diesel::sql_types::Text>;
}

/// A permission as a type: `Access<ReadTasks>` asks for it in a handler's signature.
pub trait RequiredPermission: Send + Sync + 'static {
    const PERMISSION: Permission;
}

macro_rules! permissions {
    ($($(#[$meta:meta])* $name:ident = $text:literal, roles [$($role:ident),*], client [$($scope:ident),*];)+) => {
        /// What a caller may do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Permission { $($(#[$meta])* $name),+ }

        impl Permission {
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Spelling in the API description.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            /// Roles that hold it.
            pub fn roles(self) -> &'static [Role] {
                match self { $(Self::$name => &[$(Role::$role),*]),+ }
            }

            /// Machine scopes that grant it.
            pub fn client_scopes(self) -> &'static [ClientScope] {
                match self { $(Self::$name => &[$(ClientScope::$scope),*]),+ }
            }
        }

        $(
            $(#[$meta])*
            #[derive(Debug)]
            pub struct $name;

            impl RequiredPermission for $name {
                const PERMISSION: Permission = Permission::$name;
            }
        )+
    };
}

permissions! {
    /// Of every person: one's own account.
    OwnAccount = "account:own", roles [Admin, Coordinator, Monitor, Officer], client [];
    ReadUsers = "users:read", roles [Admin], client [];
    WriteUsers = "users:write", roles [Admin], client [];
    ReadClients = "clients:read", roles [Admin], client [];
    WriteClients = "clients:write", roles [Admin], client [];
    ReadAudit = "audit:read", roles [Admin, Coordinator, Monitor], client [];
    ReadAgencies = "agencies:read", roles [Admin, Coordinator, Monitor, Officer], client [CatalogueRead];
    WriteAgencies = "agencies:write", roles [Coordinator], client [];
    ReadFrameworks = "frameworks:read", roles [Coordinator, Monitor, Officer], client [CatalogueRead];
    WriteFrameworks = "frameworks:write", roles [Coordinator], client [];
    ReadObservations = "observations:read", roles [Coordinator, Monitor, Officer], client [StatisticsRead];
    WriteObservations = "observations:write", roles [Coordinator], client [];
    ReadIndicators = "indicators:read", roles [Coordinator, Monitor, Officer], client [CatalogueRead];
    WriteIndicators = "indicators:write", roles [Coordinator], client [];
    ReadTargets = "targets:read", roles [Coordinator, Monitor, Officer], client [StatisticsRead];
    WriteTargets = "targets:write", roles [Coordinator], client [];
    ReadNationalResults = "national_results:read", roles [Coordinator, Monitor, Officer], client [StatisticsRead];
    WriteNationalResults = "national_results:write", roles [Coordinator], client [];
    ReadPlans = "plans:read", roles [Coordinator, Monitor, Officer], client [CatalogueRead];
    WritePlans = "plans:write", roles [Coordinator], client [];
    ReadTasks = "tasks:read", roles [Coordinator, Monitor, Officer], client [StatisticsRead];
    WriteTasks = "tasks:write", roles [Coordinator], client [];
    /// Reports and decisions with their reasons: of one's own agency for an officer, and for no machine.
    ReadTaskUpdates = "task_updates:read", roles [Coordinator, Monitor, Officer], client [];
    ReportTasks = "tasks:report", roles [Coordinator, Officer], client [];
    ReviewTasks = "tasks:review", roles [Coordinator], client [];
    ReadSubmissions = "submissions:read", roles [Coordinator, Monitor, Officer], client [];
    WriteSubmissions = "submissions:write", roles [Coordinator, Officer], client [];
    ReadIndicatorValues = "indicator_values:read", roles [Coordinator, Monitor, Officer], client [StatisticsRead];
    ReadMonths = "months:read", roles [Coordinator, Monitor, Officer], client [StatisticsRead];
    CloseMonths = "months:close", roles [Coordinator], client [];
    ReadServices = "services:read", roles [Coordinator, Monitor, Officer], client [CatalogueRead];
    WriteServices = "services:write", roles [Coordinator], client [CatalogueWrite];
    ReadDossiers = "dossiers:read", roles [Coordinator, Monitor, Officer], client [DossiersWrite];
    WriteDossiers = "dossiers:write", roles [Coordinator, Officer], client [DossiersWrite];
    WriteIndexRuns = "index_runs:write", roles [Coordinator], client [];
    ReadStatistics = "statistics:read", roles [Coordinator, Monitor, Officer], client [StatisticsRead];
    /// What goes to the committee, of all agencies.
    ReadReports = "reports:read", roles [Coordinator, Monitor], client [];
}
