//! What each thread counts down, without a destructor: it is there from a thread's first allocation to its last one, which
//! may come from the destructor of any other thread-local value.

use core::cell::Cell;

use prof_runtime::{Profiler, Rate, ThreadProf};

/// Most bytes until a thread notices that sampling was switched on or off, or its rate changed, by another one.
const STEP: u64 = 1 << 20;

thread_local! {
    /// Bytes until there is something to do, less one: then it is negative.
    static LEFT: Cell<i64> = const { Cell::new(-1) };
    static THREAD: Thread = const { Thread::new() };
}

const _: () = assert!(!core::mem::needs_drop::<Thread>());

/// The rest of a thread's state.
pub struct Thread {
    /// The profiler's part.
    pub prof: ThreadProf,
    /// What [`LEFT`] was set to, plus one; 0 at first.
    step: Cell<u64>,
    /// Bytes from then on up to and including the next sample point; 0 while sampling is off.
    distance: Cell<u64>,
    /// Log2 of the mean distance that it was drawn with.
    lg: Cell<u8>,
    /// [`Profiler::epoch`] then.
    epoch: Cell<u32>,
    /// Whether the end of the thread is watched.
    pub watched: Cell<bool>,
}

impl Thread {
    const fn new() -> Thread {
        Thread {
            prof: ThreadProf::new(),
            step: Cell::new(0),
            distance: Cell::new(0),
            lg: Cell::new(0),
            epoch: Cell::new(0),
            watched: Cell::new(false),
        }
    }

    /// A request of `size` bytes made the count negative. With which rate it is to be sampled, if it is.
    pub fn due(&self, profiler: &Profiler, size: usize) -> Option<Rate> {
        let counted = match self.step.get() {
            // The first one.
            0 => {
                self.draw(profiler);
                size as u64
            }
            step => (step as i64 - 1).wrapping_sub(LEFT.get()) as u64,
        };
        let (distance, rate) = (self.distance.get(), Rate::new(self.lg.get()));
        // By the rate of the draw, also when there is another one since: to draw anew, and only where this one hit, would
        // make hits too rare.
        let hit = distance != 0 && counted >= distance;
        if hit || distance == 0 || self.epoch.get() != profiler.epoch() {
            self.draw(profiler);
        } else {
            self.distance.set(distance - counted);
        }
        self.arm();
        hit.then_some(rate)
    }

    /// Forgets what was drawn, so that a change which this thread made takes effect with its next request.
    pub fn refresh(&self, profiler: &Profiler) {
        self.draw(profiler);
        self.arm();
    }

    /// Points are independent of each other, so that a distance may be drawn anew at any time.
    fn draw(&self, profiler: &Profiler) {
        self.epoch.set(profiler.epoch());
        let draw = profiler.draw_bytes(&self.prof);
        self.distance.set(draw.map_or(0, |draw| draw.distance));
        self.lg.set(draw.map_or(0, |draw| draw.rate.lg()));
    }

    fn arm(&self) {
        let step = match self.distance.get() {
            0 => STEP,
            distance => distance.min(STEP),
        };
        self.step.set(step);
        LEFT.set(step as i64 - 1);
    }
}

/// Counts a request; whether there is something to do.
#[inline(always)]
pub fn count(size: usize) -> bool {
    // Of what a key of thread-local storage can do this alone is inlined into other crates, where it is three instructions.
    // It always succeeds for what has no destructor.
    let counted = LEFT.try_with(|left| {
        // The size of a layout is at most `isize::MAX`.
        left.set(left.get().wrapping_sub(size as i64));
        left.get() < 0
    });
    counted == Ok(true)
}

/// Calls a function with the state of the calling thread.
#[inline]
pub fn with<R>(act: impl FnOnce(&Thread) -> R) -> R {
    THREAD.with(act)
}

#[cfg(test)]
mod tests {
    use super::*;
    use prof_runtime::Settings;

    /// A profiler for the life of the process, as it is made to be.
    fn profiler(lg_sample: u8, active: bool) -> &'static Profiler {
        let profiler = Box::leak(Box::new(Profiler::new()));
        profiler.boot(&Settings { lg_sample, active, ..Settings::default() }).unwrap();
        profiler
    }

    /// How many of some requests are due, in a thread of its own.
    fn hits(profiler: &'static Profiler, sizes: impl Iterator<Item = usize> + Send + 'static) -> usize {
        let due = |size| count(size) && with(|thread| thread.due(profiler, size)).is_some();
        std::thread::spawn(move || sizes.filter(|size| due(*size)).count()).join().unwrap()
    }

    /// Seeds are of the clock. 200,000 requests: six standard deviations of a binomial number are passed by chance once in
    /// five hundred million runs.
    #[test]
    fn a_request_is_due_with_the_probability_of_its_size_however_it_lies_to_the_steps() {
        const COUNT: usize = 200_000;
        for (lg, size) in [(12, 16), (12, 4096), (12, 100_000), (19, 64 << 10), (19, 300_000), (22, 1 << 20)]
        {
            let p = -(-(size as f64) / f64::from(1 << lg)).exp_m1();
            let (mean, sigma) = (COUNT as f64 * p, (COUNT as f64 * p * (1.0 - p)).sqrt());
            let found = hits(profiler(lg, true), std::iter::repeat_n(size, COUNT)) as f64;
            assert!((found - mean).abs() <= 6.0 * sigma + 1e-9, "{lg} {size}: {found} of {mean}");
        }
    }

    #[test]
    fn each_request_is_due_at_rate_one_and_none_while_sampling_is_off() {
        assert_eq!(hits(profiler(0, true), std::iter::repeat_n(1, 1000)), 1000);
        assert_eq!(hits(profiler(0, false), std::iter::repeat_n(1 << 20, 1000)), 0);
        assert_eq!(hits(profiler(10, true), std::iter::repeat_n(0, 1000)), 0);
        assert_eq!(hits(profiler(40, true), [isize::MAX as usize; 40].into_iter()), 40);
    }

    #[test]
    fn a_switch_is_noticed_within_a_step_by_others_and_at_once_by_the_thread_itself() {
        let all = profiler(0, false);
        let due = |size| count(size) && with(|thread| thread.due(all, size)).is_some();
        std::thread::spawn(move || {
            assert!(!due(16));
            all.set_active(true);
            assert!(!due(16), "it does not look yet");
            assert!(!due(STEP as usize), "and then it counts from the next one on");
            assert!(due(16) && due(16));
            all.set_active(false);
            with(|thread| thread.refresh(all));
            assert!(!due(16));
            all.set_active(true);
            with(|thread| thread.refresh(all));
            assert!(due(16));
        })
        .join()
        .unwrap();
    }

    /// The rate changes all the time between two values, by another hand than the thread's own: estimates stay unbiased.
    /// Six deviations, as above.
    #[test]
    fn a_rate_that_changes_all_the_time_biases_nothing() {
        const COUNT: u64 = 200_000;
        const SIZE: usize = 600;
        let profiler = profiler(12, true);
        let (estimate, variance) = std::thread::spawn(move || {
            let (mut estimate, mut variance) = (0.0, 0.0);
            for n in 0..COUNT {
                if n % 97 == 0 {
                    profiler.reset(Some(12 + (n / 97 % 3) as u8));
                }
                if count(SIZE)
                    && let Some(rate) = with(|thread| thread.due(profiler, SIZE))
                {
                    let p = -(-(SIZE as f64) / rate.period() as f64).exp_m1();
                    estimate += 1.0 / p;
                    variance += (1.0 - p) / (p * p);
                }
            }
            (estimate, variance)
        })
        .join()
        .unwrap();
        let deviations = (estimate - COUNT as f64) / f64::sqrt(variance);
        assert!(deviations.abs() < 6.0, "{deviations}");
    }
}
