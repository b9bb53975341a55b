//! `ict-index`: follows and evaluates the ICT-Index of a Vietnamese province and of its agencies.
//!
//! `ARCHITECTURE.md` is the map of this crate.

#[macro_use]
mod macros;

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod db;
pub mod http;
pub mod ids;
pub mod values;

pub mod auth;
pub mod state;

pub mod accounts;
pub mod agencies;
pub mod audit;
pub mod dossiers;
pub mod indicators;
pub mod months;
pub mod reports;
pub mod scoring;
pub mod services;
pub mod statistics;
pub mod submissions;
pub mod targets;
pub mod tasks;

pub mod seed;
