//! The caller behind a token, as stored now: one statement a request.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{AgencyScope, Claims, ClientScope, Identity, Principal, Role, SecondFactorPolicy};
use crate::db::{QueryResult, Reader, sql};
use crate::ids::AgencyId;

row! {
    /// A user in force, by whichever token.
    struct UserRow {
        id: Uuid,
        username: String,
        role: Role,
        agency: Option<String>,
        scope_ids: Vec<i32>,
        must_change_password: bool,
        /// When the session ends; null for a token of the identity provider.
        session_ends: Option<DateTime<Utc>>,
        /// The session has proved one, or, without a session, one is enrolled.
        second_factor: bool,
    }
}

impl UserRow {
    /// What holds of the user whatever a second factor has to say.
    fn principal(self, session: Option<Uuid>) -> Principal {
        let scope = scope_of(self.role, self.scope_ids);
        let Self { id, username, role, agency, .. } = self;
        let principal = Principal::new(Identity::User { id, username, role, agency, session }, scope);
        if self.must_change_password { principal.with_temporary_password() } else { principal }
    }
}

/// The statement that reads a [`UserRow`]: of whom, its columns that differ, and what follows `from users u`.
macro_rules! user_statement {
    ($who:literal, $columns:literal, $rest:literal) => {
        concat!(
            "with recursive own as (select agency_id as id from users where ",
            $who,
            " and agency_id is not null union select a.id from agencies a join own on a.parent_id = own.id) \
             select u.id, u.username, u.role, a.code as agency, u.must_change_password, \
             coalesce((select array_agg(own.id) from own), '{}'::int[]) as scope_ids, ",
            $columns,
            " from users u left join agencies a on a.id = u.agency_id ",
            $rest
        )
    };
}

row! {
    struct ClientRow {
        scopes: Vec<ClientScope>,
    }
}

/// A principal, and when its session ends.
pub type Found = (Principal, Option<DateTime<Utc>>);

/// The principal and when its session ends (a machine has none), unless the account, its session or its tokens have ended
/// since the token was signed.
pub async fn principal(
    conn: &mut Reader<'_>,
    claims: &Claims,
    policy: SecondFactorPolicy,
    now: DateTime<Utc>,
) -> QueryResult<Option<Found>> {
    match (claims.sid, &claims.scope) {
        (Some(session), None) => user(conn, claims, session, policy, now).await,
        (None, Some(granted)) => client(conn, claims, granted).await,
        _ => Ok(None),
    }
}

async fn user(
    conn: &mut Reader<'_>,
    claims: &Claims,
    session: Uuid,
    policy: SecondFactorPolicy,
    now: DateTime<Utc>,
) -> QueryResult<Option<Found>> {
    let Ok(id) = claims.sub.parse::<Uuid>() else { return Ok(None) };
    let row: Option<UserRow> = sql(user_statement!(
        "id = $1",
        "s.expires_at as session_ends, s.second_factor_at is not null as second_factor",
        "join sessions s on s.user_id = u.id where u.id = $1 and s.id = $2 and u.epoch = $3 and u.disabled_at is null \
         and s.revoked_at is null and s.expires_at > $4"
    ))
    .bind(id)
    .bind(session)
    .bind(claims.epoch)
    .bind(now)
    .maybe(conn)
    .await?;
    Ok(row.map(|row| {
        let (ends, enrolled) = (row.session_ends, row.second_factor || !policy.requires(row.role));
        let principal = row.principal(Some(session));
        (if enrolled { principal } else { principal.with_enrolment_required() }, ends)
    }))
}

/// The user in force who is linked to this identity, and whether a second factor is needed.
pub async fn external(
    conn: &mut Reader<'_>,
    subject: &str,
    policy: SecondFactorPolicy,
) -> QueryResult<Option<(Principal, bool)>> {
    let row: Option<UserRow> = sql(user_statement!(
        "external_subject = $1",
        "null::timestamptz as session_ends, exists(select 1 from second_factors f where f.user_id = u.id and f.secret is not null) as second_factor",
        "where u.external_subject = $1 and u.disabled_at is null"
    ))
    .bind(subject.to_owned())
    .maybe(conn)
    .await?;
    Ok(row.map(|row| {
        let needed = row.second_factor || policy.requires(row.role);
        (row.principal(None), needed)
    }))
}

/// Only an officer is bound to an agency; the other roles see the province.
fn scope_of(role: Role, ids: Vec<i32>) -> AgencyScope {
    match role {
        Role::Officer => AgencyScope::Agencies(ids.into_iter().map(AgencyId).collect()),
        Role::Admin | Role::Coordinator | Role::Monitor => AgencyScope::All,
    }
}

async fn client(conn: &mut Reader<'_>, claims: &Claims, granted: &str) -> QueryResult<Option<Found>> {
    let row: Option<ClientRow> =
        sql("select scopes from clients where client_id = $1 and epoch = $2 and disabled_at is null")
            .bind(claims.sub.clone())
            .bind(claims.epoch)
            .maybe(conn)
            .await?;
    Ok(row.map(|row| {
        let held = |scope: &ClientScope| granted.split(' ').any(|text| text == scope.as_str());
        let scopes = row.scopes.into_iter().filter(held).collect();
        let identity = Identity::Client { client_id: claims.sub.clone(), scopes };
        (Principal::new(identity, AgencyScope::All), None)
    }))
}
