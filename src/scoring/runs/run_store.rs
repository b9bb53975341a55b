//! Runs in memory: a run never changes, so it is computed once and kept as long as there is room.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::faults::refused;
use super::model::{self, InputRow, RunRow};
use super::rules::{Computation, compute};
use crate::auth::Access;
use crate::http::Problem;
use crate::scoring::frameworks;
use crate::scoring::observations::model::set_of;
use crate::state::State;

/// A run, computed, with which of its leaves were collected from an indicator with another code.
#[derive(Debug)]
pub struct Kept {
    done: Computation,
    pub fed: BTreeSet<(String, String)>,
}

impl Deref for Kept {
    type Target = Computation;

    fn deref(&self) -> &Computation {
        &self.done
    }
}

/// The run of the path, as far as the caller may see it.
pub async fn row_of<P>(access: &Access<P>, id: Uuid) -> Result<RunRow, Problem> {
    rows_of(access, vec![id]).await?.pop().ok_or_else(Problem::not_found)
}

pub async fn rows_of<P>(access: &Access<P>, ids: Vec<Uuid>) -> Result<Vec<RunRow>, Problem> {
    let scope = access.scope();
    let runs = access.read_shared(async |conn| Ok(model::find(conn, ids.clone(), &scope).await?)).await?;
    access.offload(runs.bytes(), move || runs.filtered()).await
}

/// The run of the path, computed: its row and its inputs are read together where it is not kept.
pub async fn both_of<P>(access: &Access<P>, state: &State, id: Uuid) -> Result<(RunRow, Arc<Kept>), Problem> {
    let (read, run) = computed(access, state, id).await?;
    match read {
        Some(row) => Ok((row, run)),
        None => Ok((row_of(access, id).await?, run)),
    }
}

/// The run, computed.
pub async fn run_of<P>(access: &Access<P>, state: &State, row: &RunRow) -> Result<Arc<Kept>, Problem> {
    computed(access, state, row.id).await.map(|(_, run)| run)
}

/// The run, computed, and its row where that was read with the inputs.
async fn computed<P>(
    access: &Access<P>,
    state: &State,
    id: Uuid,
) -> Result<(Option<RunRow>, Arc<Kept>), Problem> {
    let mut read = None;
    let prepare = async || {
        let scope = access.scope();
        // Long results would keep others waiting on a shared connection.
        let whole = access.read(async move |conn| Ok(model::whole(conn, id, &scope).await?)).await?;
        let (run, input) = whole.ok_or_else(Problem::not_found)?;
        access.release_permit();
        read = access.offload(run.bytes(), move || run.filtered()).await?.pop();
        Ok(move |_: &CancellationToken| {
            let kept = kept_of(input)?;
            let weight = kept.weight();
            Ok((kept, weight))
        })
    };
    let run = state.computed().get(access.caller(), key(id), prepare).await?;
    Ok((read, run))
}

fn key(id: Uuid) -> String {
    format!("run/{id}")
}

/// Reads what is stored and computes.
pub fn of_input(input: InputRow) -> Result<Computation, Problem> {
    kept_of(input).map(|kept| kept.done)
}

fn kept_of(input: InputRow) -> Result<Kept, Problem> {
    let framework = frameworks::model::read(input.definition)?;
    let set = set_of(&input.figures, &input.named)?;
    let done = compute(&framework, &set.input()).map_err(refused)?;
    Ok(Kept { done, fed: set.fed() })
}
