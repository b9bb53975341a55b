//! Those who manage accounts: there is always one.

use uuid::Uuid;

use super::model::{UserChange, UserRow};
use crate::auth::Role;
use crate::db::{Conn, QueryResult, sql};
use crate::http::{Msg, Problem, ProblemCode};

/// Somebody has to be left who can make accounts.
pub async fn keep_an_administrator(
    conn: &mut Conn,
    before: &UserRow,
    change: &UserChange,
) -> Result<(), Problem> {
    let admin = Role::Admin.as_str();
    let was = before.role == admin && before.disabled_at.is_none();
    let stays = change.role == admin && change.disabled_at.is_none();
    if was && !stays && !has_another_administrator(conn, before.id).await? {
        let detail = Msg::fixed(
            "Đây là tài khoản quản trị cuối cùng còn hiệu lực; đề nghị tạo tài khoản quản trị khác trước khi thực hiện.",
            "This is the last active administrator. Create another one first.",
        );
        return Err(Problem::with(ProblemCode::Conflict, detail));
    }
    Ok(())
}

/// Whether there is an administrator in force beside this one; nobody disables that one meanwhile.
async fn has_another_administrator(conn: &mut Conn, than: Uuid) -> QueryResult<bool> {
    let others: Vec<Uuid> = sql(
        "select id as value from users where role = 'admin' and disabled_at is null and id <> $1 order by id limit 1 for update",
    )
    .bind(than)
    .values(conn)
    .await?;
    Ok(!others.is_empty())
}
