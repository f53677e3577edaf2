//! Functions of the program that the profiler calls (`experimental.hooks.prof_*`).

use core::{
    ffi::{c_char, c_uint, c_void},
    mem,
    ptr::null_mut,
    sync::atomic::{AtomicPtr, Ordering},
};

/// Fills `addresses` (room for `most`) with the stack of the caller, leaf first, and says in `count` how many it wrote.
pub type BacktraceHook = unsafe extern "C" fn(addresses: *mut *mut c_void, count: *mut c_uint, most: c_uint);
/// Is told the name of a file that is complete.
pub type DumpHook = unsafe extern "C" fn(path: *const c_char);
/// Is told a sampled object: its address, the bytes asked for, the stack and its length, the usable bytes.
pub type SampleHook = unsafe extern "C" fn(
    object: *const c_void,
    size: usize,
    stack: *mut *mut c_void,
    count: c_uint,
    usize_: usize,
);
/// Is told a sampled object that is about to be freed: its address and usable bytes.
pub type SampleFreeHook = unsafe extern "C" fn(object: *const c_void, usize_: usize);

/// A place for one function.
pub struct Hook<F> {
    function: AtomicPtr<c_void>,
    kind: core::marker::PhantomData<F>,
}

/// The type of a function that a [`Hook`] can hold.
///
/// # Safety
/// It is a type of function pointers.
pub unsafe trait Function: Copy {}

// SAFETY: a function pointer.
unsafe impl Function for BacktraceHook {}
// SAFETY: as above.
unsafe impl Function for DumpHook {}
// SAFETY: as above.
unsafe impl Function for SampleHook {}
// SAFETY: as above.
unsafe impl Function for SampleFreeHook {}

impl<F: Function> Default for Hook<F> {
    fn default() -> Self {
        Hook::new()
    }
}

impl<F: Function> Hook<F> {
    /// No function.
    pub const fn new() -> Hook<F> {
        Hook { function: AtomicPtr::new(null_mut()), kind: core::marker::PhantomData }
    }

    /// The function, if there is one.
    #[inline]
    pub fn get(&self) -> Option<F> {
        // Acquire: what the program prepared for its function before setting it is seen by it.
        let function = self.function.load(Ordering::Acquire);
        // SAFETY: `F` is a type of function pointers (`Function`), which have the size of data pointers here;
        // `set` stored one of this type, or null, which is `None`.
        unsafe { mem::transmute_copy::<*mut c_void, Option<F>>(&function) }
    }

    /// Sets or removes it. Calls of the old one may still be under way.
    pub fn set(&self, function: Option<F>) {
        // SAFETY: as above, the other way round.
        let function = unsafe { mem::transmute_copy::<Option<F>, *mut c_void>(&function) };
        self.function.store(function, Ordering::Release);
    }
}

/// All hooks; each is called by the thread that it is about, which is not sampled meanwhile and holds no lock.
pub struct Hooks {
    /// Takes the place of the unwinder.
    pub backtrace: Hook<BacktraceHook>,
    /// A dump was written.
    pub dump: Hook<DumpHook>,
    /// An object was sampled.
    pub sample: Hook<SampleHook>,
    /// A sampled object is about to be freed.
    pub sample_free: Hook<SampleFreeHook>,
}

impl Default for Hooks {
    fn default() -> Self {
        Hooks::new()
    }
}

impl Hooks {
    /// None.
    pub const fn new() -> Hooks {
        Hooks { backtrace: Hook::new(), dump: Hook::new(), sample: Hook::new(), sample_free: Hook::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe extern "C" fn told(_: *const c_char) {}

    #[test]
    fn a_hook_gives_back_what_was_set() {
        let hook = Hook::<DumpHook>::new();
        assert!(hook.get().is_none());
        hook.set(Some(told));
        assert!(hook.get().is_some_and(|function| function as usize == told as *const () as usize));
        hook.set(None);
        assert!(hook.get().is_none());
    }
}
