//! Users as the identity provider knows them.

use uuid::Uuid;

use crate::db::{Conn, QueryResult, sql};

row! {
    /// A user in force who is linked to an identity.
    pub struct LinkedUser {
        pub id: Uuid,
        pub role: String,
        pub epoch: i32,
        pub second_factor: bool,
    }
}

pub async fn linked_user(conn: &mut Conn, subject: String) -> QueryResult<Option<LinkedUser>> {
    sql("select u.id, u.role, u.epoch, \
         exists(select 1 from second_factors f where f.user_id = u.id and f.secret is not null) as second_factor \
         from users u where u.external_subject = $1 and u.disabled_at is null")
    .bind(subject)
    .maybe(conn)
    .await
}

/// Whether another user is linked to this identity.
pub async fn is_linked_to_another(conn: &mut Conn, subject: String, user: Uuid) -> QueryResult<bool> {
    sql("select exists(select 1 from users where external_subject = $1 and id <> $2) as value")
        .bind(subject)
        .bind(user)
        .value(conn)
        .await
}
