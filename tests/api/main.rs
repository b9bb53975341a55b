//! The service from outside: requests in, answers out, each test with a database of its own and a clock that stands still.

mod support;

mod accounts;
mod agencies;
mod dossiers;
mod indicators;
mod months;
mod services;
mod statistics;
mod submissions;
mod targets;
mod tasks;
