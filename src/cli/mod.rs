//! The commands of the binary. Only here does the service speak to a terminal.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod audit;
mod connections;
mod healthcheck;
pub mod logging;
mod preflight;
mod second_factor;
mod serve;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::accounts::model::{UserWrite, insert_user};
use crate::accounts::rules::{check_password, guessable_password, is_username};
use crate::audit::{Event, record};
use crate::auth::{Actor, PasswordCost, Passwords, Role, TokenKeys};
use crate::clock::Clock;
use crate::config::{Environment, database_url};
use crate::db::{Caller, Conn, Db, DbSettings, migrations};
use crate::http::{Problem, ProblemCode, Violations};
use crate::seed;

/// Follows and evaluates the ICT-Index of a province and of its agencies.
#[derive(Debug, Parser)]
#[command(name = "ict-index", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API
    Serve {
        /// Apply pending migrations first
        #[arg(long)]
        migrate: bool,
    },
    /// Apply pending migrations
    Migrate,
    /// Load the plan's agencies, indicators, tasks, targets and results; can be repeated
    Seed {
        /// Also load demo accounts, machine clients and a year of labelled demo data
        #[arg(long)]
        demo: bool,
    },
    /// Recompute all roll-ups from the facts and compare; exits 1 if they differ
    Verify {
        /// Rebuild roll-ups that differ
        #[arg(long)]
        repair: bool,
    },
    /// Print the OpenAPI description
    Openapi,
    /// Check that a running service is ready; for container health checks
    Healthcheck,
    /// Manage users
    #[command(subcommand)]
    User(UserCommand),
    /// Manage signing keys
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Seal the audit trail and detect tampering
    #[command(subcommand)]
    Audit(self::audit::AuditCommand),
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Add a user; the password is read from PASSWORD_FILE or the first line of standard input
    Add {
        username: String,
        /// admin, coordinator, monitor or officer
        #[arg(long, default_value = "admin")]
        role: String,
        /// Code of the officer's agency
        #[arg(long)]
        agency: Option<String>,
        #[arg(long)]
        display_name: Option<String>,
        /// The password is temporary: the user must change it before doing anything else
        #[arg(long)]
        must_change_password: bool,
    },
    /// Remove the second factor of a user who has lost it; ends the user's sessions
    ResetSecondFactor { username: String },
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Add a signing key to TOKEN_KEY_FILE; creates the file if it does not exist
    Rotate {
        /// Add an encryption key to SECOND_FACTOR_KEY_FILE instead; keeps the old ones
        #[arg(long)]
        second_factor: bool,
    },
}

type Outcome = Result<(), Vec<String>>;

/// Runs the command; 0 done, 1 failed, 2 wrong configuration.
pub fn run(cli: Cli) -> ExitCode {
    let env = Environment::of_process();
    let (outcome, code) = match cli.command {
        Command::Serve { migrate } => return serve::run(&env, migrate),
        Command::Migrate => (migrate(&env), 1),
        Command::Seed { demo } => (seed_all(&env, demo), 1),
        Command::Verify { repair } => (verify::run(&env, repair), 1),
        Command::Openapi => (print_openapi(), 1),
        Command::Healthcheck => (healthcheck::run(&env), 1),
        Command::User(UserCommand::Add { username, role, agency, display_name, must_change_password }) => {
            (add_user(&env, username, &role, agency, display_name, must_change_password), 1)
        }
        Command::User(UserCommand::ResetSecondFactor { username }) => {
            (self::second_factor::reset(&env, &username), 1)
        }
        Command::Keys(KeysCommand::Rotate { second_factor: true }) => {
            (self::second_factor::rotate_keys(&env), 1)
        }
        Command::Keys(KeysCommand::Rotate { second_factor: false }) => (rotate_keys(&env), 1),
        Command::Audit(command) => (self::audit::run(&env, &command), 1),
    };
    report(outcome, code)
}

fn report(outcome: Outcome, code: u8) -> ExitCode {
    let Err(faults) = outcome else { return ExitCode::SUCCESS };
    for fault in faults {
        eprintln!("ict-index: {fault}");
    }
    ExitCode::from(code)
}

fn one(fault: impl ToString) -> Vec<String> {
    vec![fault.to_string()]
}

/// Commands run on a runtime of their own; `serve` has actix's.
fn block_on<T>(work: impl Future<Output = Result<T, Vec<String>>>) -> Result<T, Vec<String>> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(one)?.block_on(work)
}

fn migrate(env: &Environment) -> Outcome {
    let url = database_url(env).map_err(one)?;
    let applied = block_on(async move { migrations::migrate(&url).await.map_err(one) })?;
    match applied.as_slice() {
        [] => println!("the schema is up to date"),
        versions => println!("applied: {}", versions.join(", ")),
    }
    Ok(())
}

fn open_db(env: &Environment) -> Result<Db, Vec<String>> {
    let mut settings = DbSettings::new(database_url(env).map_err(one)?);
    settings.as_owner = true;
    settings.checkout_timeout_ms = 10_000;
    settings.statement_timeout_ms = 600_000;
    Db::new(&settings).map_err(one)
}

fn plain(problem: Problem) -> Vec<String> {
    let body = problem.body(crate::http::Locale::En, "", "");
    let mut faults: Vec<String> =
        body.errors.iter().map(|e| format!("{}: {}", e.pointer, e.detail)).collect();
    if faults.is_empty() {
        let cause = problem.internal_cause().map(|c| format!(" ({c})")).unwrap_or_default();
        faults.push(format!("{}{cause}", body.detail));
    }
    faults
}

fn seed_all(env: &Environment, demo: bool) -> Outcome {
    let db = open_db(env)?;
    let now = Clock::System.now();
    let password = env.get("DEMO_PASSWORD").map(str::to_owned);
    block_on(async move {
        let summary = seed::plan(&db, now).await.map_err(plain)?;
        println!("plan loaded: {summary}");
        if demo {
            let passwords =
                Passwords::new(PasswordCost { memory_kib: 19_456, iterations: 2 }).map_err(one)?;
            let shown = seed::demo(&db, &passwords, password, now).await.map_err(plain)?;
            println!("{shown}");
        }
        Ok(())
    })
}

fn print_openapi() -> Outcome {
    print!("{}", crate::app::description().map_err(one)?.text());
    Ok(())
}

fn rotate_keys(env: &Environment) -> Outcome {
    let path = env.get("TOKEN_KEY_FILE").ok_or_else(|| one("TOKEN_KEY_FILE: missing"))?;
    let kid = TokenKeys::rotate(path.as_ref(), Clock::System.now()).map_err(one)?;
    println!("added key {kid} to {path}");
    Ok(())
}

fn add_user(
    env: &Environment,
    username: String,
    role: &str,
    agency: Option<String>,
    display_name: Option<String>,
    must_change_password: bool,
) -> Outcome {
    let role = Role::parse(role).ok_or_else(|| one(format!("{role}: no such role")))?;
    if !is_username(&username) {
        return Err(one(
            "username: use 3–64 lower-case ASCII letters, digits, `.`, `_` or `-`, starting with a letter",
        ));
    }
    if (role == Role::Officer) != agency.is_some() {
        return Err(one("--agency: required for the role officer, not allowed otherwise"));
    }
    let password = read_password(env)?;
    let mut faults = Violations::default();
    check_password(
        &mut faults,
        "password",
        &password,
        &username,
        display_name.as_deref().unwrap_or_default(),
    );
    faults.into_result().map_err(plain)?;
    let db = open_db(env)?;
    let actor = Actor::system(Clock::System.now());
    block_on(async move {
        let passwords = Passwords::new(PasswordCost { memory_kib: 19_456, iterations: 2 }).map_err(one)?;
        let display_name = display_name.unwrap_or_else(|| username.clone());
        let hashed =
            passwords.hash_unless_guessable(&Caller::system(), &password, &username, &display_name).await;
        let hash = hashed.map_err(|_| one("cannot hash the password"))?;
        let hash =
            hash.ok_or_else(|| plain(Problem::with(ProblemCode::WeakPassword, guessable_password())))?;
        let added = db.transaction(async move |conn: &mut Conn| {
            let agency = match agency {
                None => None,
                Some(code) => {
                    Some(crate::agencies::model::find(conn, &code).await?.ok_or_else(Problem::not_found)?.id)
                }
            };
            let user = UserWrite {
                username: username.clone(),
                display_name,
                role: role.as_str(),
                agency,
                must_change_password,
            };
            let added = insert_user(conn, user, hash, actor.now).await?;
            if added {
                let row = crate::accounts::model::find_user(conn, &username).await?;
                record(conn, &actor, Event::create("user", &username, &row)).await?;
            }
            Ok::<_, Problem>(added)
        });
        match added.await.map_err(plain)? {
            true => {
                println!("added");
                Ok(())
            }
            false => Err(one("username already taken")),
        }
    })
}

fn read_password(env: &Environment) -> Result<String, Vec<String>> {
    let text = match env.get("PASSWORD_FILE") {
        Some(path) => std::fs::read_to_string(path).map_err(|e| one(format!("PASSWORD_FILE: {e}")))?,
        None => {
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).map_err(one)?;
            line
        }
    };
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
