//! The monthly report to the provincial committee: what statistics, submissions, tasks and published results say of a month,
//! as data and as a workbook to print. It counts nothing itself.

mod book;
mod compose;
mod labels;
mod lines;
mod model;
pub mod routes;
mod rows;
pub mod rules;
mod sheets;
mod summary;
pub mod wire;
