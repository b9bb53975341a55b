//! The log goes to standard error in the background: a request does not wait for its line to be written.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::DateTime;
use env_logger::{Builder, Env, Logger, Target};
use log::kv::{Error, Key, Value, VisitSource};
use log::{LevelFilter, Log, Metadata, Record};

/// How long a line waits at most.
const INTERVAL: Duration = Duration::from_millis(20);
/// Whoever fills the buffer beyond this writes it out: a slow reader of the log slows the service, not its memory.
const MOST_BYTES: usize = 1024 * 1024;
/// There is one such line for each request: worth a writer of its own.
const ACCESS: &str = "access";

static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Begins to log as `RUST_LOG` says.
pub fn init() {
    let background = std::thread::Builder::new().name("log".into()).spawn(|| {
        loop {
            std::thread::sleep(INTERVAL);
            flush();
        }
    });
    let mut builder = Builder::from_env(Env::default().default_filter_or("info"));
    // Below this it writes out what statements are bound to: hashes, keys, names.
    builder.filter_module("tokio_postgres", LevelFilter::Info);
    // What it says in that way is said of requests that it could not read: anybody could fill the log with them.
    builder.filter_module("actix_http", LevelFilter::Off);
    if background.is_err() {
        return builder.init();
    }
    let logger = builder.target(Target::Pipe(Box::new(Lines))).build();
    let most = logger.filter();
    if hides_faults(&logger) {
        let _ = io::stderr().lock().write_all(HIDDEN.as_bytes());
    }
    if log::set_boxed_logger(Box::new(Background { logger })).is_ok() {
        log::set_max_level(most);
    }
}

/// Targets are no modules (`access`, `failure`, …): a filter that names modules alone leaves the service's own lines out.
const HIDDEN: &str = "warning: RUST_LOG hides the service's own errors. Its log targets are not module names; `RUST_LOG=info` is the usual setting\n";

fn hides_faults(logger: &Logger) -> bool {
    let fault = Metadata::builder().level(log::Level::Error).target("failure").build();
    !logger.enabled(&fault) && logger.filter() > LevelFilter::Off
}

/// Writes what waits. The last thing a process does.
pub fn flush() {
    let lines = std::mem::take(&mut *lines());
    if !lines.is_empty() {
        // There is nobody left to tell that standard error is closed.
        let _ = io::stderr().lock().write_all(&lines);
    }
}

fn lines() -> MutexGuard<'static, Vec<u8>> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Lines;

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let full = {
            let mut lines = lines();
            lines.extend_from_slice(line);
            lines.len() > MOST_BYTES
        };
        if full {
            flush();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// env_logger, but for lines of [`ACCESS`], which look as it would write them and cost a fraction.
struct Background {
    logger: Logger,
}

impl Log for Background {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.logger.enabled(metadata)
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "a line of the log bears the time of the machine, whatever the service's clock says"
    )]
    fn log(&self, record: &Record<'_>) {
        if record.target() != ACCESS {
            self.logger.log(record);
        } else if self.logger.matches(record) {
            THIS_THREADS.with_borrow_mut(|line| {
                line.write(record, SystemTime::now());
                // It is kept in memory: that cannot fail.
                let _ = Lines.write(line.text.as_bytes());
            });
        }
    }

    fn flush(&self) {
        self.logger.flush();
    }
}

thread_local! {
    static THIS_THREADS: RefCell<Line> = RefCell::default();
}

/// Room for a line, and the second as it was written last.
#[derive(Default)]
struct Line {
    text: String,
    second: Option<u64>,
    time: String,
}

impl Line {
    fn write(&mut self, record: &Record<'_>, now: SystemTime) {
        let second = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if self.second != Some(second) {
            self.second = Some(second);
            let time = i64::try_from(second).ok().and_then(|second| DateTime::from_timestamp(second, 0));
            self.time = time.unwrap_or_default().format("%Y-%m-%dT%H:%M:%SZ").to_string();
        }
        self.text.clear();
        // Writing to a String cannot fail.
        let _ =
            write!(self.text, "[{} {:<5} {}] {}", self.time, record.level(), record.target(), record.args());
        let _ = record.key_values().visit(self);
        self.text.push('\n');
    }
}

impl<'v> VisitSource<'v> for Line {
    fn visit_pair(&mut self, key: Key<'v>, value: Value<'v>) -> Result<(), Error> {
        self.text.push(' ');
        self.text.push_str(key.as_str());
        self.text.push('=');
        match value.to_borrowed_str() {
            Some(text) => self.text.push_str(text),
            None => write!(self.text, "{value}")?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use log::Level;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(line);
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_filter_that_hides_the_services_faults_is_told_from_one_that_is_meant() {
        let hides = |filter: &str| hides_faults(&Builder::new().parse_filters(filter).build());
        for slip in ["[[", "infoo", "ict_index=info", "actix_server=warn"] {
            assert!(hides(slip), "{slip}");
        }
        for meant in ["info", "error", "off", "ict_index=debug,warn"] {
            assert!(!hides(meant), "{meant}");
        }
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "compared with a logger that takes the machine's time")]
    fn an_access_line_looks_as_the_others_do() {
        let pairs: [(&str, Value<'_>); 4] = [
            ("method", "GET".into()),
            ("status", 200_u16.into()),
            ("duration_ms", 0.25.into()),
            ("caller", "user:quan.tri".into()),
        ];
        let (kept, mut line) = (Kept::default(), Line::default());
        let logger = Builder::new()
            .filter_level(log::LevelFilter::Info)
            .target(Target::Pipe(Box::new(kept.clone())))
            .build();
        // Again when a second ended between the two.
        for _ in 0..3 {
            kept.0.lock().unwrap().clear();
            logger.log(
                &Record::builder()
                    .level(Level::Info)
                    .target(ACCESS)
                    .args(format_args!("request"))
                    .key_values(&pairs)
                    .build(),
            );
            line.write(
                &Record::builder()
                    .level(Level::Info)
                    .target(ACCESS)
                    .args(format_args!("request"))
                    .key_values(&pairs)
                    .build(),
                SystemTime::now(),
            );
            if kept.0.lock().unwrap().as_slice() == line.text.as_bytes() {
                break;
            }
        }
        assert_eq!(String::from_utf8(kept.0.lock().unwrap().clone()).unwrap(), line.text);
        assert!(line.text.ends_with(
            " INFO  access] request method=GET status=200 duration_ms=0.25 caller=user:quan.tri\n"
        ));
    }
}
