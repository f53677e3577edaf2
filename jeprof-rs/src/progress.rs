//! One line on stderr that says what takes so long: only on a terminal, and only after a second.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const SHOW_AFTER: Duration = Duration::from_secs(1);
const REFRESH: Duration = Duration::from_millis(200);

struct State {
    step: String,
    over: bool,
}

/// Shows the current step while it lives; erases its line when dropped.
///
/// A thread of its own draws the line, because a step (parsing one large binary) can take long without coming back
/// to us. No thread is started when stderr is not a terminal.
pub struct Progress {
    shared: Arc<(Mutex<State>, Condvar)>,
    painter: Option<JoinHandle<()>>,
}

impl Progress {
    /// Starts the clock.
    pub fn start() -> Progress {
        let shared = Arc::new((Mutex::new(State { step: "reading".into(), over: false }), Condvar::new()));
        let painter = std::io::stderr().is_terminal().then(|| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || paint(&shared))
        });
        Progress { shared, painter }
    }

    /// Says what is being done now, for example `reading heap.pb.gz`.
    pub fn step(&self, what: impl Into<String>) {
        if self.painter.is_some()
            && let Ok(mut state) = self.shared.0.lock()
        {
            state.step = what.into();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(painter) = self.painter.take() {
            if let Ok(mut state) = self.shared.0.lock() {
                state.over = true;
            }
            self.shared.1.notify_all();
            // A painter that panicked has nothing left to clean up.
            let _ = painter.join();
        }
    }
}

fn paint(shared: &(Mutex<State>, Condvar)) {
    let started = Instant::now();
    let mut shown = false;
    let Ok(mut state) = shared.0.lock() else { return };
    while !state.over {
        let pause = if shown { REFRESH } else { SHOW_AFTER.saturating_sub(started.elapsed()) };
        let Ok((next, timeout)) = shared.1.wait_timeout(state, pause) else { return };
        state = next;
        if timeout.timed_out() && !state.over {
            let seconds = started.elapsed().as_secs_f64();
            // Nobody is helped by an error about a progress line.
            let _ = write!(std::io::stderr(), "\r\x1b[K{} ({seconds:.1} s)", state.step);
            shown = true;
        }
    }
    if shown {
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
}
