//! The ends of threads, forks, and the end of the process.

use core::ffi::{c_int, c_void};
use core::ptr;
use core::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use crate::profiler::PROFILER;
use crate::thread;

unsafe extern "C" {
    fn pthread_atfork(
        prepare: Option<extern "C" fn()>,
        parent: Option<extern "C" fn()>,
        child: Option<extern "C" fn()>,
    ) -> c_int;
}

/// Type of the C library's function of this name.
type OnExit = unsafe extern "C" fn(extern "C" fn(c_int, *mut c_void), *mut c_void) -> c_int;

/// The key whose destructor is called when a thread ends, plus one; 0 while there is none.
static KEY: AtomicU64 = AtomicU64::new(0);

/// Status that the process ends with when it is to end with an error because memory leaked.
static LEAK_ERROR_CODE: AtomicI32 = AtomicI32::new(1);

/// Registers with the C library; once. It may allocate by `malloc`. `leak_error_code` is the status that the process ends with
/// when it is to end with an error because memory leaked; `None` when it never is.
pub fn register(leak_error_code: Option<c_int>) {
    if let Some(code) = leak_error_code {
        LEAK_ERROR_CODE.store(code, Ordering::Relaxed);
    }
    let mut key: libc::pthread_key_t = 0;
    // SAFETY: `key` is a place for the result, and `thread_ends` has a destructor's signature.
    if unsafe { libc::pthread_key_create(&raw mut key, Some(thread_ends)) } == 0 {
        KEY.store(u64::from(key) + 1, Ordering::Relaxed);
    }
    // SAFETY: the three have the handlers' signature, and this code is never unloaded, as an allocator that is in use.
    unsafe { pthread_atfork(Some(prepare), Some(parent), Some(child)) };
    let on_exit: *const () = prof_options::weak_symbol!("on_exit");
    // It alone tells the status that the program ends with, which goes before an error of ours; musl has none.
    if leak_error_code.is_some() && !on_exit.is_null() {
        // SAFETY: glibc's function of this name has this type.
        let on_exit = unsafe { core::mem::transmute::<*const (), OnExit>(on_exit) };
        // SAFETY: the handler has the signature that on_exit wants, and this code is never unloaded, as above.
        if unsafe { on_exit(process_ends_with, ptr::null_mut()) } == 0 {
            return;
        }
    }
    // SAFETY: as above, for a function that takes nothing.
    unsafe { libc::atexit(process_ends) };
}

/// Has the calling thread's end noticed. Without a key, or memory for its value, threads that ended look alive in dumps.
pub fn watch() {
    if let Some(key) = KEY.load(Ordering::Relaxed).checked_sub(1) {
        // Any value but null makes the destructor be called.
        let value = ptr::from_ref(&KEY).cast::<c_void>();
        // SAFETY: the key was made above and is never deleted; the value is not followed.
        unsafe { libc::pthread_setspecific(key as libc::pthread_key_t, value) };
    }
}

/// After the destructors of Rust's and C++'s thread-local values. What later ones allocate is counted all the same.
extern "C" fn thread_ends(_: *mut c_void) {
    thread::with(|thread| PROFILER.thread_exit(&thread.prof));
}

extern "C" fn prepare() {
    PROFILER.fork_prepare();
}

extern "C" fn parent() {
    PROFILER.fork_parent();
}

extern "C" fn child() {
    PROFILER.fork_child();
}

extern "C" fn process_ends() {
    process_ends_with(0, ptr::null_mut());
}

extern "C" fn process_ends_with(status: c_int, _: *mut c_void) {
    if thread::with(|thread| PROFILER.at_exit(Some(&thread.prof), status)) {
        // The C library goes on with the handlers that are left, flushes its streams, and ends with this status.
        // SAFETY: glibc and musl define this for a handler of atexit.
        unsafe { libc::exit(LEAK_ERROR_CODE.load(Ordering::Relaxed)) }
    }
}
