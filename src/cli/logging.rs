//! The log goes to standard error in the background: a request does not wait for its line to be written.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use env_logger::{Builder, Env, Target};

/// How long a line waits at most.
const INTERVAL: Duration = Duration::from_millis(20);
/// Whoever fills the buffer beyond this writes it out: a slow reader of the log slows the service, not its memory.
const MOST_BYTES: usize = 1024 * 1024;

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
    if background.is_ok() {
        builder.target(Target::Pipe(Box::new(Lines)));
    }
    builder.init();
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
