//! What others want to know of a thread's allocations as they happen, looked at on the slow path: the peak of what it
//! holds, a callback of the program, and what the control plane does now and then.

use core::ffi::c_void;
use core::sync::atomic::*;

use super::block::Block;
use super::counters;
use crate::os::errno::Errno;
use crate::relaxed::{Link, Relaxed};

/// Work of the control plane. The caller holds no lock.
pub type Tick = fn();
/// A function that is told of allocated bytes. The caller holds no lock.
pub type Count = fn(u64);
/// The program's callback: its context, bytes allocated and bytes freed by the thread so far.
pub type Activity = unsafe extern "C" fn(*mut c_void, u64, u64);

static TICK: Link<Tick> = Link::new();
static COUNT: Link<Count> = Link::new();

/// Lets `hook` be called about every 64 KiB that a thread allocates or frees.
pub fn set_tick(hook: &'static Tick) {
    TICK.set(Some(hook));
}

/// Lets `hook` be told of all bytes that are allocated, in pieces and sometimes in advance.
pub fn set_count(hook: &'static Count) {
    COUNT.set(Some(hook));
}

/// Calls the hook of [`set_tick`].
pub fn tick() {
    if let Some(hook) = TICK.get() {
        hook();
    }
}

/// Calls the hook of [`set_count`].
pub fn count(bytes: u64) {
    if let Some(hook) = COUNT.get() {
        hook(bytes);
    }
}

/// Peak and callback of one thread. All-zero watches nothing.
#[derive(Default)]
pub struct Watch {
    on: AtomicBool,
    /// Allocated minus freed bytes when the peak was reset.
    base: AtomicI64,
    /// Most that this grew by since.
    peak: AtomicI64,
    callback: AtomicPtr<c_void>,
    context: AtomicPtr<c_void>,
    /// While the callback runs, so that its own allocations do not call it.
    busy: AtomicBool,
}

impl Watch {
    /// Watches nothing.
    pub fn stop(&self) {
        self.on.set(false);
        self.base.set(0);
        self.peak.set(0);
        self.callback.set(core::ptr::null_mut());
    }

    /// Whether anybody wants to know.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.on.get()
    }

    /// The callback and its context.
    pub fn activity(&self) -> (Option<Activity>, *mut c_void) {
        // SAFETY: a null pointer is `None`; anything else was such a function when `set_activity` stored it.
        let callback = unsafe { core::mem::transmute::<*mut c_void, Option<Activity>>(self.callback.get()) };
        (callback, self.context.get())
    }

    /// Sets the callback and its context.
    pub fn set_activity(&self, callback: Option<Activity>, context: *mut c_void) {
        self.context.set(context);
        self.callback.set(callback.map_or(core::ptr::null_mut(), |callback| callback as *mut c_void));
        self.on.set(true);
    }
}

fn held(thread: &Block) -> i64 {
    counters::allocated(thread).wrapping_sub(counters::deallocated(thread)) as i64
}

/// Looks at the thread's counts, when anybody wants to know. Called about every 64 KiB that it allocates or frees.
pub fn look(thread: &Block) {
    let watch = &thread.watch;
    if !watch.is_on() {
        return;
    }
    note_peak(thread);
    if let (Some(callback), context) = watch.activity()
        && !watch.busy.get()
    {
        watch.busy.set(true);
        let _errno = Errno::kept();
        // SAFETY: the program registered the function for this call with this context, for this thread.
        unsafe { callback(context, counters::allocated(thread), counters::deallocated(thread)) };
        watch.busy.set(false);
    }
}

fn note_peak(thread: &Block) {
    let watch = &thread.watch;
    let now = held(thread).wrapping_sub(watch.base.get());
    watch.peak.change(|peak| peak.max(now));
}

/// Most bytes that the thread held, beyond what it held when this was reset, in bytes by usable size; to within 64 KiB.
/// Watching begins with a thread's first call of this or of [`reset_peak`]: summing up all bins every 64 KiB is not for
/// threads that never ask.
pub fn peak(thread: &Block) -> u64 {
    thread.watch.on.set(true);
    note_peak(thread);
    thread.watch.peak.get() as u64
}

/// Lets the peak be counted from now.
pub fn reset_peak(thread: &Block) {
    thread.watch.on.set(true);
    thread.watch.base.set(held(thread));
    thread.watch.peak.set(0);
}
