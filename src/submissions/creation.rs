//! Beginning a submission over HTTP.

use actix_web::post;
use chrono::NaiveDate;
use serde::Deserialize;
use utoipa::ToSchema;

use super::model;
use super::routes::{Submission, caller_of};
use crate::agencies::rules::Validity;
use crate::agencies::{self, AgencyRow};
use crate::audit::{self, Event};
use crate::auth::permission::WriteSubmissions;
use crate::auth::{Access, AgencyScope};
use crate::db::Conn;
use crate::http::problem::ProblemBody;
use crate::http::{Check, Problem, ProblemCode, Reply, ValidJson, Violations};
use crate::months;
use crate::values::{Month, vietnamese};

/// A new submission.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSubmission {
    /// Code of the agency.
    #[schema(example = "SO-YT", pattern = "^[A-Za-z0-9][A-Za-z0-9._:-]*$", min_length = 1, max_length = 64)]
    agency: String,
    period: Month,
}

impl Check for NewSubmission {
    /// A period that parsed is a month; whether it has begun depends on the day.
    fn check(&self, faults: &mut Violations) {
        faults.code("/agency", &self.agency);
    }
}

/// Create a submission
///
/// Creates an empty draft. Each agency has one submission per month. For an agency outside their scope, officers get 404.
#[utoipa::path(
    tag = "submissions",
    request_body = NewSubmission,
    responses(
        (status = 201, description = "Created", body = Submission, headers(("Location" = String, description = "URL of the new resource"))),
        (status = 404, description = "The agency does not exist, or is outside your scope", body = ProblemBody, content_type = "application/problem+json")
    ),
    security(("bearer" = ["submissions:write"]))
)]
#[post("/submissions")]
pub async fn create_submission(
    access: Access<WriteSubmissions>,
    body: ValidJson<NewSubmission>,
) -> Result<Reply, Problem> {
    let (actor, scope, caller, new) = (access.actor(), access.scope(), caller_of(&access), body.value);
    access
        .post(&body.digest, async move |conn| {
            let agency = agency_of(conn, &scope, &new.agency).await?;
            check_month(&agency, new.period, actor.today())?;
            if months::model::lock_shared(conn, new.period).await? {
                return Err(Problem::new(ProblemCode::PeriodLocked));
            }
            let id = model::insert(conn, agency.id, new.period, &actor).await?.ok_or_else(|| taken(&new))?;
            let row = model::find(conn, &scope, id).await?.ok_or_else(Problem::not_found)?;
            audit::record(conn, &actor, Event::create("submission", id.to_string(), &row)).await?;
            let submission = Submission::of(row, &caller);
            let tag = submission.tag();
            Ok(Reply::created(format!("/api/v1/submissions/{id}"), &submission)?.tagged(&tag))
        })
        .await
}

/// The agency, if it is the caller's to report for.
async fn agency_of(conn: &mut Conn, scope: &AgencyScope, code: &str) -> Result<AgencyRow, Problem> {
    let found = agencies::model::find(conn, code).await?.filter(|agency| scope.contains(agency.id));
    found.ok_or_else(|| match scope {
        AgencyScope::Agencies(_) => Problem::not_found(),
        AgencyScope::All => {
            Problem::at(ProblemCode::UnknownReference, "/agency", crate::agencies::unknown(&code))
        }
    })
}

fn check_month(agency: &AgencyRow, month: Month, today: NaiveDate) -> Result<(), Problem> {
    let mut faults = Violations::default();
    let month_vi = vietnamese::month(month);
    let validity = Validity { from: agency.valid_from, until: agency.valid_to };
    if !validity.overlaps(month.first_day(), month.last_day()) {
        let code = &agency.code;
        let detail = msg!(
            "Cơ quan `{code}` chưa thành lập hoặc đã chấm dứt hoạt động trong tháng {month_vi}.",
            "Agency `{code}` is not active in {month}."
        );
        faults.add(ProblemCode::AgencyNotActive, "/agency", detail);
    }
    if month.first_day() > today {
        let detail =
            msg!("Chưa đến tháng {month_vi}, chưa thực hiện được.", "Month {month} has not started yet.");
        faults.add(ProblemCode::DateInFuture, "/period", detail);
    }
    faults.into_result()
}

fn taken(new: &NewSubmission) -> Problem {
    let (agency, month, month_vi) = (&new.agency, new.period, vietnamese::month(new.period));
    Problem::at(
        ProblemCode::AlreadyExists,
        "/period",
        msg!(
            "Cơ quan `{agency}` đã có báo cáo tháng {month_vi}; đề nghị mở báo cáo đó để tiếp tục.",
            "Agency `{agency}` already has a submission for {month}."
        ),
    )
}
