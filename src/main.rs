//! The command line: `ict-index serve | migrate | seed | verify | openapi | healthcheck | user add | keys rotate`.

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = ict_index::cli::Cli::parse();
    ict_index::cli::logging::init();
    let code = ict_index::cli::run(cli);
    ict_index::cli::logging::flush();
    code
}
