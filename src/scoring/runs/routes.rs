//! Index runs over HTTP: computing, finding and reading them. The files beside this one hold the handlers of what follows from one.

use actix_web::{get, post, web};
use tokio_util::sync::CancellationToken;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::model::{self, InputRow, RunRow, RunWrite};
use super::rules::{Computation, Verification, verify};
use super::run_store::{both_of, of_input};
use super::score_model::ScoreRow;
use super::warnings::{RunWarning, warnings};
use super::wire::{IndexRun, IndexRunDetail, Kind, NewIndexRun, RunFilter};
use super::{comparison, levers, national, redaction, robustness, score_model, scores, simulations, units};
use crate::audit::{self, Event};
use crate::auth::permission::{ReadStatistics, WriteIndexRuns};
use crate::auth::{Access, Actor, AgencyScope};
use crate::db::Conn;
use crate::db::keyset::Order;
use crate::http::{EntityTag, ListParams, ListQuery, Page, PathOf, Problem, ProblemCode, Reply, ValidJson};
use crate::scoring::engine::hash::ENGINE_VERSION;
use crate::scoring::engine::outcome::ScoreItem;
use crate::scoring::{frameworks, observations};
use crate::state::State;

pub fn configure(config: &mut ServiceConfig<'_>) {
    config
        .service(create_run)
        .service(list_runs)
        .service(get_run)
        .service(scores::list_scores)
        .service(scores::list_ranks)
        .service(units::explain_unit)
        .service(levers::list_levers)
        .service(simulations::simulate_run)
        .service(comparison::compare_runs)
        .service(robustness::test_robustness)
        .service(national::compare_with_published);
}

/// Create an index run
///
/// Scores every unit at every node of the framework, based on the current revision of its observations of `data_year`, and stores
/// the result permanently. An `official` run is the result of its framework and `index_year`: it supersedes the previous official
/// run, which stays readable. Without observations the response is 422 `MISSING_DATA`. The response is the run as `GET
/// /index-runs/{id}` returns it.
#[utoipa::path(
    tag = "runs",
    request_body = NewIndexRun,
    responses((status = 201, description = "Created", body = IndexRunDetail, headers(("Location" = String, description = "URL of the new resource")))),
    security(("bearer" = ["index_runs:write"]))
)]
#[post("/index-runs")]
async fn create_run(
    access: Access<WriteIndexRuns>,
    body: ValidJson<NewIndexRun>,
    state: web::Data<State>,
) -> Result<Reply, Problem> {
    let (actor, new) = (access.actor(), body.value);
    // Before the transaction: who waits for it holds no connection.
    let permit = state.computed().permit(access.caller()).await?;
    access
        .post(&body.digest, async move |conn| {
            let _until_stored = permit;
            if new.kind == Kind::Official {
                model::lock_official(conn, &new.framework, new.index_year).await?;
            }
            let (input, revision) = input_of(conn, &new).await?;
            let scored = scored(input).await?;
            store(conn, new, revision, scored, &actor).await
        })
        .await
}

/// Computes on the threads for what blocks: other work of the database goes on.
async fn scored(input: InputRow) -> Result<(Computation, Vec<ScoreItem>), Problem> {
    let done = tokio::task::spawn_blocking(move || {
        let done = of_input(input)?;
        let items = done.run.scores();
        Ok((done, items))
    });
    done.await.map_err(|e| Problem::internal(format!("a run ended early: {e}")))?
}

/// What the run is computed from, and its revision.
async fn input_of(conn: &mut Conn, new: &NewIndexRun) -> Result<(InputRow, i32), Problem> {
    let Some(framework) = frameworks::model::find(conn, &new.framework).await? else {
        let code = &new.framework;
        let detail = msg!("Không tìm thấy bộ chỉ số có mã `{code}`.", "Framework `{code}` does not exist.");
        return Err(Problem::at(ProblemCode::UnknownReference, "/framework", detail));
    };
    let set = observations::model::current(conn, &new.framework, new.data_year).await?;
    let is_empty = |array: &str| array == "[]";
    match set.filter(|set| !is_empty(&set.rows) || !is_empty(&set.units)) {
        Some(set) => {
            let revision = set.revision;
            let (figures, named) = (set.rows, set.units);
            Ok((InputRow { definition: framework.definition, figures, named }, revision))
        }
        None => {
            let (code, year) = (&new.framework, new.data_year);
            let detail = msg!(
                "Bộ chỉ số `{code}` chưa có số liệu năm {year}; đề nghị nhập số liệu trước khi tính.",
                "Framework `{code}` has no observations for {year}."
            );
            Err(Problem::at(ProblemCode::MissingData, "/data_year", detail))
        }
    }
}

async fn store(
    conn: &mut Conn,
    new: NewIndexRun,
    revision: i32,
    (done, items): (Computation, Vec<ScoreItem>),
    actor: &Actor,
) -> Result<Reply, Problem> {
    let id = Uuid::now_v7();
    if new.kind == Kind::Official
        && let Some(before) = model::supersede(conn, &new.framework, new.index_year, id, actor).await?
    {
        let event = Event::update(
            "index_run",
            before.id.to_string(),
            &serde_json::json!({"superseded_by": null}),
            &before,
        );
        audit::record(conn, actor, event.named("supersede")).await?;
    }
    let write = RunWrite {
        id,
        framework: new.framework,
        data_year: new.data_year,
        index_year: new.index_year,
        kind: new.kind.as_str(),
        label: new.label.trim().to_owned(),
        observations_revision: revision,
        engine_version: ENGINE_VERSION,
        input_hash: done.input_hash.clone(),
        units: i32::try_from(done.run.units.len()).unwrap_or(i32::MAX),
    };
    let row = model::insert(conn, write, actor).await?;
    score_model::insert_scores(conn, id, &items).await?;
    audit::record(conn, actor, Event::create("index_run", id.to_string(), &row)).await?;
    let verification = Verification::of_new(&done);
    let tag = tag_of(&row, verification.matches);
    let detail = IndexRunDetail {
        run: IndexRun::of(row, &AgencyScope::All),
        warnings: warnings(&done.run),
        verification,
    };
    Ok(Reply::created(format!("/api/v1/index-runs/{id}"), &detail)?.tagged(&tag))
}

fn tag_of(row: &RunRow, matches: bool) -> EntityTag {
    let limited = row.own.as_ref().map(|own| own.join(","));
    let mut parts = vec![ENGINE_VERSION, if matches { "matches" } else { "differs" }];
    parts.extend(limited.as_deref());
    EntityTag::of_variant(row.version, &parts)
}

/// List index runs
///
/// Latest first. Sort keys: `created_at`, `data_year`, `index_year`.
#[utoipa::path(
    tag = "runs",
    params(RunFilter, ListParams),
    responses((status = 200, description = "A page of runs", content((Page<IndexRun> = "application/json"), (String = "text/csv")))),
    security(("bearer" = ["statistics:read"]), ("oauth2" = ["statistics:read"]))
)]
#[get("/index-runs")]
async fn list_runs(access: Access<ReadStatistics>, list: ListQuery<RunFilter>) -> Result<Reply, Problem> {
    let latest = Order { key: model::ID, descending: true };
    let order = list.order(&[model::ID, model::INDEX_YEAR, model::DATA_YEAR], &[latest], latest)?;
    let window = list.window(&order)?;
    list.filter.query()?;
    let slice = access
        .read_shared(async |conn| Ok(model::list(conn, list.filter.query()?, &order, window.clone()).await?))
        .await?;
    let scope = access.scope();
    Reply::page(&access.conditions, list.format, &list.page(slice, |row| IndexRun::of(row, &scope)))
}

/// Read an index run
///
/// Includes `verification`: the service recomputes the run from its framework and observations and compares the result with every
/// stored score. `warnings` list what readers of the scores should know. For officers, warnings omit agencies outside their scope
/// and the nodes of warnings that also concern such agencies, and `input_hash` is null.
#[utoipa::path(
    tag = "runs",
    params(("id" = Uuid, Path)),
    responses((status = 200, description = "The run", body = IndexRunDetail)),
    security(("bearer" = ["statistics:read"]), ("oauth2" = ["statistics:read"]))
)]
#[get("/index-runs/{id}")]
async fn get_run(
    access: Access<ReadStatistics>,
    id: PathOf<Uuid>,
    state: web::Data<State>,
) -> Result<Reply, Problem> {
    let (row, now) = both_of(&access, &state, id.0).await?;
    // Long results would keep others waiting on a shared connection.
    let stored = access.read(async move |conn| Ok(score_model::all_scores(conn, id.0).await?)).await?;
    let (run, told) = (now.clone(), row.clone());
    access.release_permit();
    let found = move |_: &CancellationToken| checked(&told, &run, &stored);
    let (verification, warnings) = state.computed().work(access.caller(), found).await?;
    let tag = tag_of(&row, verification.matches);
    let run = IndexRun::of(row, &access.scope());
    Reply::resource(&access.conditions, &tag, || IndexRunDetail { run, warnings, verification })
}

/// The run compared with what is stored, and its warnings, as disclosed to the reader of the row.
fn checked(row: &RunRow, now: &Computation, stored: &[ScoreRow]) -> (Verification, Vec<RunWarning>) {
    let (mut verification, warnings) = (verify(row, stored, now), warnings(&now.run));
    match row.disclosure(&now.run) {
        None => (verification, warnings),
        Some(disclosure) => {
            redaction::verification(row, &mut verification);
            (verification, redaction::warnings(&disclosure, warnings))
        }
    }
}
