//! The unwinder against libgcc's `_Unwind_Backtrace`, which reads the same call-frame information with other code.

use core::{
    ffi::{c_int, c_void},
    hint::black_box,
};
use std::{cell::Cell, string::String, sync::OnceLock, vec::Vec};

use prof_format::testing::Random;

use super::{again::Again, *};
use crate::stack_table::StackTable;

unsafe extern "C" {
    fn _Unwind_Backtrace(each: extern "C" fn(*mut c_void, *mut c_void) -> c_int, data: *mut c_void) -> c_int;
    fn _Unwind_GetIPInfo(context: *mut c_void, before_instruction: *mut c_int) -> usize;
}

extern "C" fn collect(context: *mut c_void, data: *mut c_void) -> c_int {
    let mut before = 0;
    // SAFETY: `context` is what libgcc handed to its callback.
    let ip = unsafe { _Unwind_GetIPInfo(context, &raw mut before) };
    // SAFETY: `data` is the vector that `libgcc` below passed, which nobody else uses meanwhile.
    let frames = unsafe { &mut *data.cast::<Vec<u64>>() };
    // The same convention as ours: an address that readers take one off.
    frames.push(ip as u64 + before as u64);
    0
}

/// The stack by libgcc, from the caller of this function on.
#[inline(never)]
fn libgcc() -> Vec<u64> {
    let mut frames = Vec::<u64>::with_capacity(1024);
    // SAFETY: the callback gets the vector it expects, alive for the call.
    unsafe { _Unwind_Backtrace(collect, (&raw mut frames).cast()) };
    frames.remove(0);
    // A frame address of zero is how the outermost frame shows.
    frames.retain(|frame| *frame != 0);
    frames
}

fn primed() -> &'static Unwinder {
    static UNWINDER: Unwinder = Unwinder::new();
    static PRIMED: OnceLock<()> = OnceLock::new();
    PRIMED.get_or_init(|| UNWINDER.prime());
    &UNWINDER
}

/// Every module is taken for one that may be unloaded.
fn unprimed() -> &'static Unwinder {
    static UNWINDER: Unwinder = Unwinder::new();
    &UNWINDER
}

fn addresses(unwinder: &Unwinder, ids: &[u32]) -> Vec<u64> {
    ids.iter().map(|id| unwinder.addresses().site(*id).unwrap().as_return_address()).collect()
}

/// The stack by ours and by libgcc, from the caller of this function on. Ours twice: by a miss and by a hit.
#[inline(never)]
fn both_with(unwinder: &Unwinder) -> (Vec<u64>, Vec<u64>) {
    let limits = Limits { frames: 128, own_text: 0..0 };
    let mut ids = Ids::new();
    let first = unwinder.walk(arch::capture(), &limits, &mut ids);
    let ours = addresses(unwinder, ids.kept(&first).unwrap());
    let again = unwinder.walk(arch::capture(), &limits, &mut ids);
    assert_eq!(ours, addresses(unwinder, ids.kept(&again).unwrap()));
    let mut theirs = libgcc();
    theirs.remove(0);
    theirs.truncate(128);
    (ours, theirs)
}

#[inline(never)]
fn check() {
    for unwinder in [primed(), unprimed()] {
        let (ours, theirs) = both_with(unwinder);
        // The call sites of the two walks lie in the same frames but for the leaf, where the loop may be unrolled.
        assert_eq!(ours[1..], theirs[1..], "{}", hex(&ours));
        assert!(ours.len() > 3);
    }
}

fn hex(frames: &[u64]) -> String {
    frames.iter().map(|frame| std::format!("{frame:#x} ")).collect()
}

#[inline(never)]
fn recurse(depth: usize, then: &dyn Fn()) -> usize {
    // A frame whose size the compiler can not fold away.
    let local = core::hint::black_box([depth; 9]);
    if depth == 0 {
        then();
        return local[3];
    }
    recurse(depth - 1, then) + local[5]
}

#[test]
fn deep_recursion_gives_the_same_frames_and_is_cut_at_the_limit() {
    for depth in [1, 10, 60, 100] {
        recurse(depth, &check);
    }
    recurse(300, &|| {
        let mut ids = Ids::new();
        for frames in [1, 7, 127, 128] {
            let limits = Limits { frames, own_text: 0..0 };
            let walk = primed().walk(arch::capture(), &limits, &mut ids);
            assert_eq!((walk.end - walk.start, walk.truncated), (frames, true));
        }
        check();
    });
    recurse(3, &|| {
        let limits = Limits { frames: 128, own_text: 0..0 };
        let mut ids = Ids::new();
        assert!(!primed().walk(arch::capture(), &limits, &mut ids).truncated);
    });
}

#[test]
fn frames_of_own_code_at_the_leaf_are_left_out_up_to_the_outermost_of_the_first_sixteen() {
    recurse(4, &|| {
        let mut ids = Ids::new();
        let mut walk = |own_text, frames| {
            let limits = Limits { frames, own_text };
            let walk = primed().walk(arch::capture(), &limits, &mut ids);
            addresses(primed(), ids.kept(&walk).unwrap())
        };
        let all = walk(0..0, 128);
        // Not the leaf itself: its address differs from call to call.
        for outermost in 1..6 {
            let at = all[outermost] as usize;
            let kept = walk(at..at + 1, 128);
            let last = all.iter().take(16).rposition(|frame| *frame == all[outermost]).unwrap();
            assert_eq!(kept, all[last + 1..]);
            assert_eq!(walk(at..at + 1, 2), all[last + 1..last + 3]);
        }
    });
}

extern "C" fn compare(a: *const c_void, b: *const c_void) -> c_int {
    check();
    // SAFETY: `qsort` passes pointers to elements of the array it was given, which holds `i32`.
    unsafe { *a.cast::<i32>() - *b.cast::<i32>() }
}

#[test]
fn the_c_library_in_the_middle_of_the_stack_is_passed_through() {
    let mut values = [3, 1, 2, 5, 4];
    // SAFETY: the array has five elements of four bytes, and `compare` reads such elements.
    unsafe { libc::qsort(values.as_mut_ptr().cast(), 5, 4, Some(compare)) };
    assert_eq!(values, [1, 2, 3, 4, 5]);
}

#[test]
fn a_thread_of_its_own_ends_cleanly() {
    std::thread::spawn(|| {
        recurse(20, &check);
    })
    .join()
    .unwrap();
}

static HANDLED: core::sync::atomic::AtomicUsize = core::sync::atomic::AtomicUsize::new(0);

extern "C" fn on_signal(_: c_int) {
    check();
    HANDLED.fetch_add(1, Ordering::Relaxed);
}

fn install(signal: c_int, handler: usize, flags: c_int) {
    // SAFETY: all-zero is a value of this C structure.
    let mut action: libc::sigaction = unsafe { core::mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = flags;
    // SAFETY: the handler has the signature that the flags announce.
    assert_eq!(unsafe { libc::sigaction(signal, &raw const action, core::ptr::null_mut()) }, 0);
}

#[test]
fn a_signal_handler_shows_what_it_interrupted_on_its_own_stack_and_on_an_alternate_one() {
    std::thread::spawn(|| {
        for flags in [0, libc::SA_ONSTACK] {
            let memory = Map::new(256 << 10).unwrap();
            let words = memory.as_slice::<core::sync::atomic::AtomicU64>();
            let stack = libc::stack_t { ss_sp: words.as_ptr() as *mut _, ss_flags: 0, ss_size: 256 << 10 };
            // SAFETY: the mapping is as large as said; it is leaked below, so it outlives the thread's use of it.
            assert_eq!(unsafe { libc::sigaltstack(&raw const stack, core::ptr::null_mut()) }, 0);
            memory.leak::<core::sync::atomic::AtomicU64>();
            install(libc::SIGUSR1, on_signal as *const () as usize, flags);
            let before = HANDLED.load(Ordering::Relaxed);
            // SAFETY: raises a signal whose handler was just installed.
            recurse(5, &|| assert_eq!(unsafe { libc::raise(libc::SIGUSR1) }, 0));
            assert_eq!(HANDLED.load(Ordering::Relaxed), before + 1);
        }
    })
    .join()
    .unwrap();
}

use crate::memory::Map;

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use super::*;

    core::arch::global_asm!(
        // Realigns its stack as compilers do for over-aligned locals.
        ".pushsection .text",
        ".globl realigning; .hidden realigning; .type realigning, @function",
        "realigning: .cfi_startproc",
        "lea r10, [rsp + 8]",
        ".cfi_def_cfa r10, 0",
        "and rsp, -64",
        "push qword ptr [r10 - 8]",
        "push rbp",
        "mov rbp, rsp",
        // rbp is saved at rbp + 0; CFA is the word at rbp - 8.
        ".cfi_escape 0x10, 6, 2, 0x76, 0",
        "push r10",
        ".cfi_escape 0x0f, 3, 0x76, 0x78, 0x06",
        "sub rsp, 72",
        "call rdi",
        "mov r10, [rbp - 8]",
        ".cfi_def_cfa r10, 0",
        "leave",
        "lea rsp, [r10 - 8]",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
        // No information at all, but a frame pointer, as just-in-time compilers make it.
        ".globl uninformed; .hidden uninformed; .type uninformed, @function",
        "uninformed:",
        "push rbp",
        "mov rbp, rsp",
        "call rdi",
        "pop rbp",
        "ret",
        // Sets the trap flag to its argument, 0x100 or 0: from then on each instruction raises SIGTRAP.
        ".globl set_trap; .hidden set_trap; .type set_trap, @function",
        "set_trap: .cfi_startproc",
        "pushfq",
        ".cfi_adjust_cfa_offset 8",
        "and qword ptr [rsp], -257",
        "or qword ptr [rsp], rdi",
        "popfq",
        ".cfi_adjust_cfa_offset -8",
        "ret",
        ".cfi_endproc",
        ".popsection",
    );
    unsafe extern "C" {
        fn realigning(then: extern "C" fn());
        fn uninformed(then: extern "C" fn());
        fn set_trap(flag: u64);
    }

    extern "C" fn check_in_c() {
        check();
    }

    #[test]
    fn a_function_that_realigns_its_stack_is_passed_through() {
        // SAFETY: calls its argument with a well-formed stack and returns.
        recurse(3, &|| unsafe { realigning(check_in_c) });
    }

    std::thread_local!(static SEEN: Cell<usize> = const { Cell::new(0) });

    #[inline(never)]
    extern "C" fn count_frames() {
        let limits = Limits { frames: 128, own_text: 0..0 };
        let mut ids = Ids::new();
        let walk = primed().walk(arch::capture(), &limits, &mut ids);
        SEEN.set(walk.end - walk.start);
    }

    #[test]
    fn code_without_information_is_left_by_its_frame_pointer() {
        recurse(3, &|| {
            count_frames();
            let direct = SEEN.get();
            // SAFETY: calls its argument with a well-formed stack and returns.
            unsafe { uninformed(count_frames) };
            assert_eq!(SEEN.get(), direct + 1);
        });
    }

    /// Compares at one interrupted instruction; the frames above the trampoline are what the signal interrupted.
    extern "C" fn on_step(_: c_int, _: *mut libc::siginfo_t, context: *mut c_void) {
        // SAFETY: the kernel passes a `ucontext_t` to handlers with `SA_SIGINFO`.
        let registers = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
        let pc = registers[libc::REG_RIP as usize] as u64;
        let (ours, theirs) = both_with(primed());
        let from = ours.iter().position(|frame| *frame == pc + 1).expect("the interrupted instruction");
        let tail = theirs.iter().position(|frame| *frame == pc + 1).expect("libgcc's");
        // libgcc does not know stubs between modules and stops there.
        let stub = theirs[tail..].len() == 1 && ours[from..].len() > 3;
        if ours[from..] != theirs[tail..] && !stub {
            DIFFERENT.fetch_add(1, Ordering::Relaxed);
            LAST.lock().unwrap().push((ours[from..].to_vec(), theirs[tail..].to_vec()));
        }
        STEPS.fetch_add(1, Ordering::Relaxed);
    }

    static STEPS: core::sync::atomic::AtomicUsize = core::sync::atomic::AtomicUsize::new(0);
    static DIFFERENT: core::sync::atomic::AtomicUsize = core::sync::atomic::AtomicUsize::new(0);
    static LAST: std::sync::Mutex<Vec<(Vec<u64>, Vec<u64>)>> = std::sync::Mutex::new(Vec::new());

    extern "C" fn plain_compare(a: *const c_void, b: *const c_void) -> c_int {
        // SAFETY: `qsort` passes pointers to elements of the array, which holds `i32`.
        unsafe { *a.cast::<i32>() - *b.cast::<i32>() }
    }

    #[test]
    fn at_every_single_instruction_of_c_library_and_own_code_the_frames_agree() {
        std::thread::spawn(|| {
            check();
            install(libc::SIGTRAP, on_step as *const () as usize, libc::SA_SIGINFO);
            let mut values = [5, 3, 1, 2, 4, 9, 8, 7, 6, 0];
            let mut text = [0u8; 64];
            // SAFETY: the signal that follows has a handler.
            unsafe { set_trap(0x100) };
            // SAFETY: ten elements of four bytes, compared as such.
            unsafe { libc::qsort(values.as_mut_ptr().cast(), 10, 4, Some(plain_compare)) };
            recurse(3, &|| ());
            let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            // SAFETY: the kernel's vDSO fills in the time.
            assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) }, 0);
            // SAFETY: the buffer is as long as said and the format takes one int.
            unsafe { libc::snprintf(text.as_mut_ptr().cast(), text.len(), c"%d apples".as_ptr(), 12) };
            // SAFETY: ends what was begun above.
            unsafe { set_trap(0) };
            assert_eq!(values, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
            assert!(text.starts_with(b"12 apples\0"));
        })
        .join()
        .unwrap();
        let (steps, different) = (STEPS.load(Ordering::Relaxed), DIFFERENT.load(Ordering::Relaxed));
        for (ours, theirs) in LAST.lock().unwrap().iter().take(5) {
            std::println!("ours   {}\nlibgcc {}", hex(ours), hex(theirs));
        }
        assert!(steps > 1000, "{steps} steps");
        assert_eq!(different, 0, "of {steps}");
    }
}

/// Builds a shared library whose `call` calls its argument from a frame of `locals` bytes.
fn library(directory: &std::path::Path, name: &str, locals: usize) -> std::ffi::CString {
    let source = directory.join(name).with_extension("c");
    let object = directory.join(name).with_extension("so");
    let text = std::format!(
        "void call(void (*then)(void)) {{ volatile char local[{locals}]; local[0] = 1; then(); local[1] = 2; }}\n"
    );
    std::fs::write(&source, text).unwrap();
    let mut compiler = std::process::Command::new("cc");
    compiler
        .args(["-O2", "-shared", "-fPIC", "-fomit-frame-pointer", "-Wl,--build-id", "-o"])
        .args([&object, &source]);
    assert!(compiler.status().unwrap().success());
    std::ffi::CString::new(object.into_os_string().into_encoded_bytes()).unwrap()
}

extern "C" fn check_in_library() {
    check();
}

#[test]
fn libraries_that_come_and_go_at_the_same_address_are_unwound_by_their_own_rules() {
    let program = std::env::current_exe().unwrap();
    let directory = program.with_extension(std::format!("libraries.{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    // The same code but for one number, the frame size: the return address is the same, and a stale rule would take
    // the wrong word for the next one.
    let libraries = [library(&directory, "one", 200), library(&directory, "two", 400)];
    let mut bases = std::collections::HashSet::new();
    primed();
    for round in 0..20 {
        let path = &libraries[round % 2];
        // SAFETY: loads a library without constructors.
        let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
        assert!(!handle.is_null());
        // SAFETY: looks up a symbol of the library just loaded.
        let symbol = unsafe { libc::dlsym(handle, c"call".as_ptr()) };
        bases.insert(symbol as usize);
        // SAFETY: `call` has this signature, see `library`.
        let call: extern "C" fn(extern "C" fn()) = unsafe { core::mem::transmute(symbol) };
        call(check_in_library);
        // SAFETY: nothing of the library is used afterwards.
        assert_eq!(unsafe { libc::dlclose(handle) }, 0);
    }
    std::fs::remove_dir_all(&directory).unwrap();
    // Otherwise the test has tested nothing: the loader gave both the same place at least once.
    assert!(bases.len() < 20, "{bases:x?}");
}

#[inline(never)]
fn left(path: u32, depth: u32, each: &mut dyn FnMut()) {
    match (depth, path & 1) {
        (0, _) => each(),
        (_, 0) => left(path >> 1, depth - 1, each),
        _ => right(path >> 1, depth - 1, each),
    }
    black_box(path);
}

#[inline(never)]
fn right(path: u32, depth: u32, each: &mut dyn FnMut()) {
    match (depth, path & 1) {
        (0, _) => each(),
        (_, 0) => left(path >> 1, depth - 1, each),
        _ => right(path >> 1, depth - 1, each),
    }
    black_box(path);
}

#[test]
fn a_stack_is_known_again_from_the_third_time_on_and_another_never_is_taken_for_it() {
    // In a thread of its own, whose stack is not deep.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (stacks, again) = (StackTable::new(), Again::new());
            let mut ids = Ids::new();
            let limits = Limits { frames: 128, own_text: 0..0 };
            // What was remembered, and what is true.
            let mut look = || {
                let regs = arch::capture();
                let known = again.stack(regs);
                let walk = primed().walk(regs, &limits, &mut ids);
                let found = stacks.intern(ids.kept(&walk).unwrap(), walk.truncated).unwrap();
                if known.is_none() {
                    again.found(primed(), regs, found);
                }
                (known, found)
            };
            let mut random = Random::new(5);
            let (mut distinct, mut known) = (std::collections::HashSet::new(), 0);
            for _ in 0..2000 {
                let path = random.below(64) as u32;
                // All from one place, so that only the path tells stacks apart.
                let mut results = Vec::new();
                for _ in 0..black_box(4) {
                    left(path, 6, &mut || results.push(look()));
                }
                let (_, found) = results[0];
                distinct.insert(found.to_bits());
                for (at, (remembered, now)) in results.iter().enumerate() {
                    assert_eq!(*now, found);
                    assert!(remembered.is_none_or(|remembered| remembered == found));
                    assert!(at < 2 || remembered.is_some(), "{at}");
                    known += usize::from(remembered.is_some());
                }
            }
            assert_eq!(distinct.len(), 64);
            // The first two are known, too, when the path is one of the few that are remembered, of 64: about once in eleven rounds.
            assert!((4200..4500).contains(&known), "{known}");
        });
    });
}
