//! Messages to the user, and the end of the process where going on would corrupt memory.
//!
//! Nothing here allocates.

use core::fmt::{self, Write};

use core::ffi::{c_char, c_void};
use core::sync::atomic::{AtomicPtr, Ordering};

use crate::os::errno::Errno;
use crate::os::output;

/// What `malloc_message` points at.
type Message = unsafe extern "C" fn(*mut c_void, *const c_char);

/// Most bytes that are handed to `malloc_message` at once.
const PIECE: usize = 1024;

/// The program's own receiver of messages, from the first of the variables `malloc_message`, `je_malloc_message` and
/// `_rjem_malloc_message` that exists and is set.
fn receiver() -> Option<Message> {
    let variables: [*const Option<Message>; 3] = [
        crate::weak_symbol!("malloc_message"),
        crate::weak_symbol!("je_malloc_message"),
        crate::weak_symbol!("_rjem_malloc_message"),
    ];
    variables.into_iter().find_map(|variable| {
        // SAFETY: null, or the address of a variable of this type, by jemalloc's documented interface. Volatile,
        // because the program may set it at any time.
        (!variable.is_null()).then(|| unsafe { variable.read_volatile() }).flatten()
    })
}

/// Sends a piece of text as it is: to `malloc_message` if the program has set it, to standard error otherwise.
pub fn write(bytes: &[u8]) {
    write_for(core::ptr::null_mut(), bytes);
}

/// The same with the first argument for `malloc_message`, which alone knows what it is.
#[allow(clippy::not_unsafe_ptr_arg_deref, reason = "nothing here follows the pointer")]
pub fn write_for(opaque: *mut c_void, bytes: &[u8]) {
    let Some(message) = receiver() else { return output::stderr(bytes) };
    let _errno = Errno::kept();
    for piece in bytes.chunks(PIECE) {
        let mut text = [0u8; PIECE + 1];
        text[..piece.len()].copy_from_slice(piece);
        // SAFETY: by jemalloc's documented interface the function takes any first argument, and a C string.
        unsafe { message(opaque, text.as_ptr().cast()) };
    }
}

/// A line of text under construction; what does not fit is cut.
pub struct Line {
    bytes: [u8; 1024],
    len: usize,
}

impl Line {
    /// Empty.
    pub const fn new() -> Line {
        Line { bytes: [0; 1024], len: 0 }
    }

    /// Appends bytes that need not be UTF-8.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Line {
        let n = bytes.len().min(self.bytes.len() - self.len);
        self.bytes[self.len..self.len + n].copy_from_slice(&bytes[..n]);
        self.len += n;
        self
    }

    /// What is there so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Default for Line {
    fn default() -> Self {
        Line::new()
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

/// One line, `<jemalloc>: ` and the text; what does not fit is cut, with room left for C's end of a string.
fn line(text: fmt::Arguments) -> Line {
    let mut line = Line::new();
    line.bytes(b"<jemalloc>: ");
    // Writing to a `Line` never fails.
    let _ = line.write_fmt(text);
    line.len = line.len.min(line.bytes.len() - 2);
    line.bytes(b"\n");
    line
}

/// Shows one line, `<jemalloc>: ` and the text.
pub fn message(text: fmt::Arguments) {
    write(line(text).as_bytes());
}

/// Says why and ends the process by abort(3).
pub fn fatal(text: fmt::Arguments) -> ! {
    message(text);
    // SAFETY: abort has no conditions.
    unsafe { libc::abort() }
}

/// What is called in the place of message and abort when the program misuses memory.
pub type SafetyCheckAbort = unsafe extern "C" fn(*const c_char);

/// `experimental.hooks.safety_check_abort`; null when the program has given none.
static SAFETY_CHECK_ABORT: AtomicPtr<c_void> = AtomicPtr::new(core::ptr::null_mut());

/// Has a function called at misuse; `None` goes back to the message.
pub fn set_safety_check_abort(function: Option<SafetyCheckAbort>) {
    let address = function.map_or(core::ptr::null_mut(), |function| function as *mut c_void);
    SAFETY_CHECK_ABORT.store(address, Ordering::Release);
}

/// The end of a program that misuses memory. Its own function is told first, if there is one, and may leave by exit(3)
/// or longjmp(3); when it returns the process still ends, as memory cannot be trusted. The caller holds no lock of a bin.
fn misuse(text: fmt::Arguments) -> ! {
    let function = SAFETY_CHECK_ABORT.load(Ordering::Acquire);
    if function.is_null() {
        fatal(text);
    }
    let mut line = line(text);
    line.bytes(b"\0");
    // SAFETY: only `set_safety_check_abort` stores other addresses than null, all of functions of this type.
    let function = unsafe { core::mem::transmute::<*mut c_void, SafetyCheckAbort>(function) };
    // SAFETY: by the hook's interface it takes a C string, which is alive until it returns.
    unsafe { function(line.as_bytes().as_ptr().cast()) };
    // SAFETY: abort has no conditions.
    unsafe { libc::abort() }
}

/// A mistake of the program that was noticed with a lock held, to be told without: the program's own function may allocate,
/// and may not come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misuse {
    /// See [`invalid_pointer`].
    InvalidPointer(*const u8),
    /// See [`double_free`].
    DoubleFree(*const u8),
}

impl Misuse {
    /// Tells it.
    #[cold]
    pub fn end(self) -> ! {
        match self {
            Misuse::InvalidPointer(p) => invalid_pointer(p),
            Misuse::DoubleFree(p) => double_free(p),
        }
    }
}

/// A pointer given to `free` or `realloc` that no allocating function returned.
#[cold]
pub fn invalid_pointer(p: *const u8) -> ! {
    misuse(format_args!("invalid pointer {p:p} passed to a deallocating function"))
}

/// A pointer into an object, given to `free` instead of the object's start.
#[cold]
pub fn inside_object(p: *const u8, usable: usize) -> ! {
    misuse(format_args!(
        "invalid pointer {p:p} passed to a deallocating function: not the start of an object of {usable} bytes"
    ))
}

/// A free that tells another size than the object has.
#[cold]
pub fn size_mismatch(p: *const u8, given: usize, usable: usize) -> ! {
    misuse(format_args!("size mismatch: {p:p} was freed with size {given}, but its usable size is {usable}"))
}

/// A pointer that was freed twice.
#[cold]
pub fn double_free(p: *const u8) -> ! {
    misuse(format_args!("double free of {p:p} detected"))
}
