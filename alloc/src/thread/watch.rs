//! What others want to know of a thread's allocations as they happen, told on the slow path: the peak of what it holds, a
//! callback of the program, and what the control plane does now and then.

use core::ffi::c_void;
use core::sync::atomic::*;

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

    /// Looks at what the thread ever allocated and freed, in bytes. Called about every 64 KiB of either, while anybody wants to
    /// know.
    pub fn look(&self, allocated: u64, deallocated: u64) {
        self.note_peak(allocated.wrapping_sub(deallocated) as i64);
        if let (Some(callback), context) = self.activity()
            && !self.busy.get()
        {
            self.busy.set(true);
            let _errno = Errno::kept();
            // SAFETY: the program registered the function for this call with this context, for this thread.
            unsafe { callback(context, allocated, deallocated) };
            self.busy.set(false);
        }
    }

    fn note_peak(&self, held: i64) {
        let now = held.wrapping_sub(self.base.get());
        self.peak.change(|peak| peak.max(now));
    }

    /// Most bytes that the thread held, which now holds `held`, beyond what it held when this was reset, in bytes by usable
    /// size; to within 64 KiB. Watching begins with a thread's first call of this or of [`Watch::reset_peak`]: summing up all
    /// bins every 64 KiB is not for threads that never ask.
    pub fn peak(&self, held: i64) -> u64 {
        self.on.set(true);
        self.note_peak(held);
        self.peak.get() as u64
    }

    /// Lets the peak be counted from now, when the thread holds `held` bytes.
    pub fn reset_peak(&self, held: i64) {
        self.on.set(true);
        self.base.set(held);
        self.peak.set(0);
    }
}
