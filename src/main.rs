//! The command line: `ict-index serve | migrate | seed | openapi | healthcheck | user add | keys rotate`.

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();
    ict_index::cli::run(ict_index::cli::Cli::parse())
}
