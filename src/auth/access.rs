//! The first parameter of every handler. Nothing of a request is looked at before it has decided.

use std::cell::RefCell;
use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use chrono::{DateTime, NaiveDate, Utc};

use super::authenticate::authenticated;
use super::permission::RequiredPermission;
use super::repeat::Repeat;
use super::request_checks::check_request;
use super::request_context::{RequestContext, lag_of};
use super::{Actor, AgencyScope, Identity, Permission, Principal};
use crate::clock::business_day;
use crate::db::{Caller, Conn, Reader, RlsContext};
use crate::http::idempotency::IdempotentRequest;
use crate::http::request::RequestId;
use crate::http::{Preconditions, Problem, ProblemCode, Reply};
use crate::state::State;

/// An authenticated caller who holds `P`, and the only way to the database.
#[derive(Debug)]
pub struct Access<P> {
    principal: Arc<Principal>,
    context: RequestContext,
    pub conditions: Preconditions,
    asks: PhantomData<P>,
}

impl<P: RequiredPermission> FromRequest for Access<P> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    /// Ready at once: actix polls extractors side by side, and one that waited would let the next ones answer first.
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::admit(request))
    }
}

impl<P: RequiredPermission> Access<P> {
    fn admit(request: &HttpRequest) -> Result<Self, Problem> {
        let state = state_of(request)?;
        let principal = authenticated(request)?;
        if !principal.has_permission(P::PERMISSION) {
            return Err(forbidden(&principal, P::PERMISSION));
        }
        check_request(request, &state)?;
        let request_id = request.extensions().get::<RequestId>().cloned().unwrap_or_default();
        Ok(Self {
            conditions: Preconditions::of(request)?,
            context: RequestContext {
                db: state.db().clone(),
                ctx: RlsContext::of(principal.scope.ids()),
                now: state.clock().now(),
                request_id,
                repeat: Repeat::of(request)?,
                lag: state.db().replica().map(|_| lag_of(request)),
                caller: principal.caller(),
                offload: state.offload().clone(),
                permit: RefCell::default(),
            },
            principal,
            asks: PhantomData,
        })
    }
}

impl<P> Access<P> {
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    pub fn identity(&self) -> &Identity {
        &self.principal.identity
    }

    /// Agencies whose data the caller may see and change; owned, to go into a transaction.
    pub fn scope(&self) -> AgencyScope {
        self.principal.scope.clone()
    }

    pub fn may(&self, permission: Permission) -> bool {
        self.principal.has_permission(permission)
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.context.now
    }

    /// The business day in Asia/Ho_Chi_Minh.
    pub fn today(&self) -> NaiveDate {
        business_day(self.context.now)
    }

    /// Who does what this request does.
    pub fn actor(&self) -> Actor {
        Actor {
            name: self.principal.name(),
            request_id: self.context.request_id.0.to_string(),
            now: self.context.now,
        }
    }

    /// The same caller before a database that shows every agency: for work whose rules say themselves what is the caller's.
    pub fn bypass_rls(mut self) -> Self {
        self.context.ctx = RlsContext::all();
        self
    }

    /// Who is charged for permits.
    pub fn caller(&self) -> &Caller {
        &self.context.caller
    }

    /// Gives back this request's permit for the pool: before it waits for what is not the database, such as the rest of its body or a
    /// computation. The next work for the pool takes one again.
    pub fn release_permit(&self) {
        drop(self.context.permit.take());
    }

    /// Work that takes a processor for long, away from the threads of requests and of the database. See [`crate::http::offload::Offload::run_if_large`].
    pub async fn offload<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        self.context.offload.run_if_large(&self.context.caller, bytes, work).await
    }

    /// Reads that need no common snapshot.
    pub async fn read<T, F>(&self, work: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        for<'c> F: AsyncFnOnce(&'c mut Conn) -> Result<T, Problem>
            + crate::db::Work<&'c mut Conn, Result<T, Problem>, Fut: Send>
            + Send
            + 'static,
    {
        self.context.admitted()?.read_as(self.context.ctx.clone(), work).await
    }

    /// Reads that need no common snapshot, over a connection that others read from at the same time. May be run twice: when
    /// a connection had ended, or the standby could not answer. It is nobody's: what agencies own, it does not show; what
    /// statistics count of all of them, the views `reported_…` do.
    pub async fn read_shared<T, F>(&self, work: F) -> Result<T, Problem>
    where
        F: for<'a, 'c> AsyncFn(&'a mut Reader<'c>) -> Result<T, Problem>,
    {
        self.context.db.read_shared(&self.context.caller, work).await
    }

    /// As [`Access::read_shared`], for statistics: from the standby, where there is one and it has every known change.
    pub async fn read_statistics<T, F>(&self, work: F) -> Result<T, Problem>
    where
        F: for<'a, 'c> AsyncFn(&'a mut Reader<'c>) -> Result<T, Problem>,
    {
        let (answer, lag) = self.context.db.read_statistics(&self.context.caller, work).await?;
        if let Some(told) = &self.context.lag {
            told.set(lag);
        }
        Ok(answer)
    }

    /// Where rows wait for the transaction that takes them over.
    pub fn staging(&self) -> crate::db::copy::Staging {
        self.context.db.staging().seeing(self.context.ctx.clone()).charged_to(&self.context.caller)
    }

    /// One transaction: committed when it answers `Ok`.
    pub async fn transaction<T, F>(&self, work: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        for<'c> F: AsyncFnOnce(&'c mut Conn) -> Result<T, Problem>
            + crate::db::Work<&'c mut Conn, Result<T, Problem>, Fut: Send>
            + Send
            + 'static,
    {
        self.context.admitted()?.transaction_as(self.context.ctx.clone(), work).await
    }

    /// As [`Access::transaction`]; a dry run answers the same by the same way and is rolled back.
    pub async fn transaction_or_dry_run<T, F>(&self, dry_run: bool, work: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        for<'c> F: AsyncFnOnce(&'c mut Conn) -> Result<T, Problem>
            + crate::db::Work<&'c mut Conn, Result<T, Problem>, Fut: Send>
            + Send
            + 'static,
    {
        if !dry_run {
            return self.transaction(work).await;
        }
        let db = self.context.admitted()?;
        // An error is what rolls back, so the answer travels as one.
        let undone = db
            .transaction_as::<(), Undone<T>, _>(self.context.ctx.clone(), async move |conn: &mut Conn| {
                match work(conn).await {
                    Ok(answer) => Err(Undone::Answer(answer)),
                    Err(problem) => Err(Undone::Problem(problem)),
                }
            })
            .await;
        match undone {
            Ok(()) => Err(Problem::internal("a dry run was committed")),
            Err(Undone::Answer(answer)) => Ok(answer),
            Err(Undone::Problem(problem)) => Err(problem),
        }
    }

    /// The stored answer to a repeated `POST` with this body: for handlers that count or compute something before [`Access::post`], which a
    /// repetition must not do again.
    pub async fn replay(&self, body_digest: &[u8]) -> Result<Option<Reply>, Problem> {
        let Some((repeatable, ctx)) = self.repeatable(body_digest) else { return Ok(None) };
        let work = async move |conn: &mut Conn| repeatable.stored(conn).await;
        self.context.admitted()?.read_as(ctx, work).await
    }

    /// What a request with an `Idempotency-Key` is known by, and the RLS context that shows its answer.
    fn repeatable(&self, body_digest: &[u8]) -> Option<(IdempotentRequest, RlsContext)> {
        let repeat = self.context.repeat.as_ref()?;
        let repeatable = repeat.with_body(&self.principal, body_digest, self.context.now);
        Some((repeatable, self.context.ctx.clone().as_caller(self.principal.name_ref())))
    }

    /// One transaction for a `POST` with this body: with an `Idempotency-Key`, the effect and its answer happen once.
    pub async fn post<F>(&self, body_digest: &[u8], work: F) -> Result<Reply, Problem>
    where
        for<'c> F: AsyncFnOnce(&'c mut Conn) -> Result<Reply, Problem>
            + crate::db::Work<&'c mut Conn, Result<Reply, Problem>, Fut: Send>
            + Send
            + 'static,
    {
        let Some((repeatable, ctx)) = self.repeatable(body_digest) else {
            return self.transaction(work).await;
        };
        let db = self.context.admitted()?;
        db.transaction_as::<Reply, Problem, _>(ctx, async move |conn: &mut Conn| {
            if let Some(reply) = repeatable.replay(conn).await? {
                return Ok(reply);
            }
            let reply = work(conn).await?;
            repeatable.store(conn, &reply).await?;
            Ok(reply)
        })
        .await
    }
}

/// How a transaction ends that must leave nothing behind.
enum Undone<T> {
    Answer(T),
    Problem(Problem),
}

impl<T> From<crate::db::DbError> for Undone<T> {
    fn from(fault: crate::db::DbError) -> Self {
        Self::Problem(fault.into())
    }
}

impl<T> From<diesel::result::Error> for Undone<T> {
    fn from(error: diesel::result::Error) -> Self {
        Self::Problem(error.into())
    }
}

pub(super) fn state_of(request: &HttpRequest) -> Result<web::Data<State>, Problem> {
    request
        .app_data::<web::Data<State>>()
        .cloned()
        .ok_or_else(|| Problem::internal("no state in the application"))
}

fn forbidden(principal: &Principal, permission: Permission) -> Problem {
    if principal.has_temporary_password() {
        return Problem::new(ProblemCode::PasswordChangeRequired);
    }
    if principal.must_enrol() {
        return Problem::new(ProblemCode::SecondFactorEnrolmentRequired);
    }
    let name = permission.as_str();
    Problem::with(
        ProblemCode::Forbidden,
        msg!(
            "Tài khoản không có quyền `{name}` để thực hiện thao tác này; đề nghị liên hệ quản trị viên.",
            "This operation requires the permission `{name}`."
        ),
    )
}
