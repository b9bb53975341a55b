//! A batch on its way in: its rows are checked one by one and copied to where they wait for the transaction that stores them.

use tokio::sync::mpsc::{self, Receiver};

use super::checker::{Checked, Checker, ControlPlace};
use super::raw::{Control, RawRow};
use super::rules::{CountRow, MOST_ROWS, Procedure};
use crate::db::copy::Staging;
use crate::db::locks;
use crate::db::stage::{Cell, CellType, CopiedRows, Layout, Stage};
use crate::http::upload::rows::{Row, RowFormat, RowReader};
use crate::http::upload::stream::{Piece, RowStream};
use crate::http::{Problem, ProblemCode};

/// Tables that batches wait in.
pub static STAGES: Layout = Layout {
    lock: locks::STAGES,
    relations: &["dossier_stage_1", "dossier_stage_2", "dossier_stage_3", "dossier_stage_4"],
    columns: &[
        ("place", CellType::INT4),
        ("agency_id", CellType::INT4),
        ("service_id", CellType::INT4),
        ("parked_code", CellType::TEXT),
        ("channel", CellType::INT2),
        ("received", CellType::INT4),
        ("resolved_early", CellType::INT4),
        ("resolved_on_time", CellType::INT4),
        ("resolved_late", CellType::INT4),
        ("withdrawn", CellType::INT4),
        ("carried_in", CellType::INT4),
        ("in_progress_on_time", CellType::INT4),
        ("in_progress_overdue", CellType::INT4),
    ],
};

/// Pieces between the one who reads the body and the one who reads the rows.
const PIECES: usize = 4;
/// Rows of a list after which others get a turn.
const TURN: usize = 1_000;

/// A batch whose rows have all been seen; those of a batch without faults wait in the stage.
#[derive(Debug)]
pub struct Uploaded {
    pub stage: Stage,
    pub checked: Checked,
}

/// What the sender says of the rows as a whole.
#[derive(Clone, Copy, Debug)]
pub struct Totals {
    pub control: Control,
    pub place: ControlPlace,
}

/// Takes rows that are in memory.
pub async fn whole(
    staging: Staging,
    rows: Vec<RawRow>,
    mut checker: Checker,
    totals: Totals,
) -> Result<Uploaded, Problem> {
    let home = staging.clone();
    let work = async move {
        let (stage, mut copied) = claim(&home).await?;
        for (at, row) in rows.into_iter().enumerate() {
            if let Some(row) = checker.row(&row, None)
                && checker.is_clean()
            {
                write(&mut copied, &row).await?;
            }
            if at % TURN == TURN - 1 {
                tokio::task::yield_now().await;
            }
        }
        finish(stage, copied, checker, totals).await
    };
    staging.spawn(work).await
}

/// Takes rows as they come.
pub async fn stream(
    staging: Staging,
    rows: RowStream,
    checker: Checker,
    totals: Totals,
) -> Result<Uploaded, Problem> {
    let (sender, receiver) = mpsc::channel(PIECES);
    let home = staging.clone();
    let format = rows.format;
    let taken = staging.spawn(async move { take(home, format, receiver, checker, totals).await });
    // A client that departs drops the sender, and the other end gives up what it has.
    let (sent, taken) = futures_util::join!(rows.send_to(sender), taken);
    sent.and(taken)
}

async fn take(
    home: Staging,
    format: RowFormat,
    mut pieces: Receiver<Piece>,
    mut checker: Checker,
    totals: Totals,
) -> Result<Uploaded, Problem> {
    let mut reader = RowReader::<RawRow>::new(format);
    let mut rows = Vec::new();
    let mut table = None;
    loop {
        let ended = match pieces.recv().await {
            // Nobody is there to be told.
            None => return Err(Problem::new(ProblemCode::MalformedBody)),
            Some(Piece::Bytes(bytes)) => reader.read(&bytes, &mut rows).map(|()| false)?,
            Some(Piece::End) => reader.end(&mut rows).map(|()| true)?,
        };
        // Claimed when the first row is read, not when the request begins: a client that sends nothing holds no table.
        if table.is_none() && (ended || !rows.is_empty()) {
            table = Some(claim(&home).await?);
        }
        let Some((_, copied)) = table.as_mut() else { continue };
        for row in rows.drain(..) {
            take_row(row, &mut checker, copied).await?;
        }
        if ended && let Some((stage, copied)) = table.take() {
            return finish(stage, copied, checker, totals).await;
        }
    }
}

async fn claim(home: &Staging) -> Result<(Stage, CopiedRows), Problem> {
    let stage = home.claim(&STAGES).await?;
    let copied = stage.copy().await?;
    Ok((stage, copied))
}

async fn take_row(row: Row<RawRow>, checker: &mut Checker, copied: &mut CopiedRows) -> Result<(), Problem> {
    if checker.rows() == MOST_ROWS {
        let detail =
            msg!("Mỗi lần chỉ được gửi tối đa {MOST_ROWS} dòng.", "At most {MOST_ROWS} rows are allowed.");
        return Err(Problem::at(ProblemCode::InvalidLength, "/rows", detail));
    }
    match row.value {
        Err(faults) => checker.unreadable(faults),
        Ok(raw) => {
            // Of a batch that is refused nothing needs to be kept.
            if let Some(valid) = checker.row(&raw, Some(row.line))
                && checker.is_clean()
            {
                write(copied, &valid).await?;
            }
        }
    }
    Ok(())
}

async fn finish(
    stage: Stage,
    copied: CopiedRows,
    checker: Checker,
    totals: Totals,
) -> Result<Uploaded, Problem> {
    let checked = checker.finish(&totals.control, totals.place);
    if checked.faults.is_empty() {
        copied.finish().await?;
    }
    Ok(Uploaded { stage, checked })
}

async fn write(copied: &mut CopiedRows, row: &CountRow) -> Result<(), Problem> {
    let (service, parked) = match &row.procedure {
        Procedure::Known(id) => (Some(id.0), None),
        Procedure::Parked(code) => (None, Some(code.as_str())),
    };
    let channel = row.channel.number();
    let [a, b, c, d, e, f, g, h] = &row.counts;
    let cells: [&(dyn Cell + Sync); 13] =
        [&row.place, &row.agency.0, &service, &parked, &channel, a, b, c, d, e, f, g, h];
    Ok(copied.write(&cells).await?)
}
