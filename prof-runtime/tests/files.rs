//! Dump files: names, triggers, failures, forks, exit.

mod support;

use std::{os::unix::fs::PermissionsExt, process::id};

use prof_format::vocab::Format;
use prof_runtime::{DumpError, Profiler, Settings};
use support::*;

/// Takes what was said about `name`: tests run side by side.
fn said_of(name: &str) -> Vec<String> {
    SAID.lock().unwrap().lines().filter(|line| line.contains(name)).map(str::to_owned).collect()
}

#[test]
fn each_trigger_counts_its_own_files_and_all_share_one_sequence() {
    let directory = Directory::new("names");
    let prefix = directory.file("p");
    let profiler = boot(&Settings {
        lg_sample: 0,
        lg_interval: Some(10),
        gdump: true,
        final_dump: true,
        prefix: prefix.as_bytes(),
        ..settings()
    });
    let host = Host::new(profiler);
    assert_eq!(profiler.interval_bytes(), 1024);
    profiler.dump(Some(&host.thread), None).unwrap();
    // 2,560 bytes: two boundaries of 1,024.
    let live: Vec<_> = (0..40).map(|_| SITES[0](&host, 64)).collect();
    assert!(profiler.active_bytes(100));
    profiler.dump_growth(&host.thread);
    assert!(!profiler.active_bytes(100) && !profiler.active_bytes(50));
    assert!(profiler.active_bytes(101));
    profiler.dump_growth(&host.thread);
    assert!(profiler.set_gdump(false) && !profiler.gdump());
    assert!(!profiler.active_bytes(102));
    profiler.dump(None, None).unwrap();
    profiler.at_exit(None, 0);
    profiler.at_exit(None, 0);
    let pid = id();
    let expected = ["0.m0", "1.i0", "2.i1", "3.u0", "4.u1", "5.m1", "6.f"];
    assert_eq!(directory.names(), expected.map(|name| format!("p.{pid}.{name}.heap")));
    live.into_iter().for_each(|object| host.free(object));
}

/// A dump into a pipe that nobody reads takes as long as nobody does: a thread that grows goes on, and the growth dump is
/// written by the next one that asks.
#[test]
fn growth_does_not_wait_for_a_dump_that_is_being_written() {
    let directory = Directory::new("growth");
    let (prefix, pipe) = (directory.file("p"), directory.file("pipe"));
    let name = std::ffi::CString::new(pipe.as_bytes()).unwrap();
    // SAFETY: a C string, and a mode.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    let profiler = boot(&Settings { lg_sample: 0, gdump: true, prefix: prefix.as_bytes(), ..settings() });
    let host = Host::new(profiler);
    let object = SITES[0](&host, 64);
    let (path, before) = (pipe.clone(), format!("{:?}", profiler.dump_lock_counts()));
    let writer = std::thread::spawn(move || profiler.dump(None, Some(path.as_bytes())));
    while format!("{:?}", profiler.dump_lock_counts()) == before {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    assert!(profiler.active_bytes(100));
    profiler.dump_growth(&host.thread);
    assert!(!directory.names().iter().any(|name| name.contains(".u0.")), "the other dump goes on");
    std::fs::read(&pipe).unwrap();
    writer.join().unwrap().unwrap();
    assert!(profiler.active_bytes(1), "it is owed");
    profiler.dump_growth(&host.thread);
    assert!(!profiler.active_bytes(1));
    assert_eq!(directory.names().iter().filter(|name| name.ends_with(".u0.heap")).count(), 1);
    host.free(object);
}

#[test]
fn an_interval_dump_of_a_large_sample_is_written_once() {
    let directory = Directory::new("interval");
    let prefix = directory.file("p");
    let profiler =
        boot(&Settings { lg_sample: 0, lg_interval: Some(10), prefix: prefix.as_bytes(), ..settings() });
    let host = Host::new(profiler);
    SITES[0](&host, 1 << 20);
    SITES[0](&host, 16);
    assert_eq!(directory.names(), [format!("p.{}.0.i0.heap", id())]);
}

#[test]
fn an_empty_prefix_writes_nothing_by_itself_and_refuses_a_dump_without_a_name() {
    let profiler = boot(&Settings { lg_sample: 0, lg_interval: Some(4), final_dump: true, ..settings() });
    let host = Host::new(profiler);
    SITES[0](&host, 64);
    assert_eq!(profiler.dump(Some(&host.thread), None), Err(DumpError::BadName));
    for bad in [&b""[..], b"a\0b", &[b'x'; 5000]] {
        assert_eq!(profiler.dump(None, Some(bad)), Err(DumpError::BadName));
    }
    profiler.at_exit(None, 0);
}

#[test]
fn files_are_complete_readable_by_all_and_replace_what_was_there() {
    let directory = Directory::new("mode");
    let profiler = boot(&Settings { lg_sample: 0, ..settings() });
    let host = Host::new(profiler);
    let path = directory.file("given.heap");
    std::fs::write(&path, "something older, and longer than nothing").unwrap();
    let _object = SITES[0](&host, 64);
    profiler.dump(Some(&host.thread), Some(path.as_bytes())).unwrap();
    assert_eq!(read(&path).format, Format::HeapV2);
    // SAFETY: sets and restores the mask of this process; other tests here make no files with other modes.
    let mask = unsafe { libc::umask(0o022) };
    // SAFETY: as above.
    unsafe { libc::umask(mask) };
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644 & !mask);
    assert_eq!(directory.names(), ["given.heap"]);
}

#[test]
fn links_and_devices_are_written_in_place() {
    let directory = Directory::new("links");
    let profiler = boot(&Settings { lg_sample: 0, ..settings() });
    let (target, link) = (directory.file("target"), directory.file("link"));
    std::fs::write(&target, "").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    profiler.dump(None, Some(link.as_bytes())).unwrap();
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(read(&target).format, Format::HeapV2);
    profiler.dump(None, Some(b"/dev/null")).unwrap();
    use std::os::unix::fs::FileTypeExt;
    assert!(std::fs::symlink_metadata("/dev/null").unwrap().file_type().is_char_device());
}

#[test]
fn a_dump_that_fails_says_so_leaves_no_file_and_sampling_goes_on() {
    let directory = Directory::new("failing");
    let profiler = boot(&Settings { lg_sample: 0, ..settings() });
    let host = Host::new(profiler);
    let _object = SITES[0](&host, 64);
    let missing = directory.file("missing/x.heap");
    assert_eq!(profiler.dump(Some(&host.thread), Some(missing.as_bytes())), Err(DumpError::Open));
    assert_eq!(said_of(&missing), [format!("<jemalloc>: failed to open \"{missing}\"")]);
    let itself = directory.0.to_str().unwrap();
    assert_eq!(profiler.dump(Some(&host.thread), Some(itself.as_bytes())), Err(DumpError::Open));
    assert_eq!(profiler.dump(Some(&host.thread), Some(b"/dev/full")), Err(DumpError::Write));
    let text = "<jemalloc>: failed to write during heap profile flush";
    assert!(said_of("failed to write").iter().all(|line| line == text));
    assert!(!said_of("failed to write").is_empty());
    assert_eq!(directory.names(), Vec::<String>::new());
    assert!(SITES[0](&host, 64).sample.is_some());
    profiler.dump(Some(&host.thread), Some(directory.file("fine.heap").as_bytes())).unwrap();
}

#[test]
fn a_full_file_system_leaves_no_temporary_file() {
    let directory = Directory::new("limit");
    let path = directory.file("limited.heap");
    let profiler = boot(&Settings { lg_sample: 0, ..settings() });
    let host = Host::new(profiler);
    let object = SITES[0](&host, 64);
    in_child(profiler, || {
        let limit = libc::rlimit { rlim_cur: 100, rlim_max: 100 };
        // SAFETY: limits the size of files of this child, which then gets an error instead of a signal.
        unsafe {
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit);
        }
        profiler.dump(Some(&host.thread), Some(path.as_bytes())) == Err(DumpError::Write)
    });
    assert_eq!(directory.names(), Vec::<String>::new());
    host.free(object);
}

/// Runs `body` in a forked child, which must return true.
fn in_child(profiler: &Profiler, body: impl FnOnce() -> bool) {
    profiler.fork_prepare();
    // SAFETY: the child runs `body` only, and leaves by `_exit`.
    let child = unsafe { libc::fork() };
    if child == 0 {
        profiler.fork_child();
        let fine = body();
        // SAFETY: ends the child without running the parent's exit handlers.
        unsafe { libc::_exit(if fine { 0 } else { 1 }) };
    }
    profiler.fork_parent();
    let mut status = 0;
    // SAFETY: waits for the child just made.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0);
}

/// Whether this process has a file open whose name ends so.
fn has_open(end: &str) -> bool {
    let names = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    names.flat_map(|entry| std::fs::read_link(entry.path())).any(|to| to.to_string_lossy().ends_with(end))
}

/// A dump into a pipe that nobody reads takes as long as nobody does. A fork does not, and the child has nothing of it: not
/// the file, whose reader would wait for the child's end too, nor the lock.
#[test]
fn a_fork_waits_for_no_dump_and_the_child_closes_its_file() {
    use std::{io::Read, os::fd::AsRawFd, os::unix::fs::OpenOptionsExt, sync::mpsc, time::Duration};
    const ROOM: i32 = 4096;
    let directory = Directory::new("waiting");
    let (pipe, other) = (directory.file("a.pipe"), directory.file("other.heap"));
    let name = std::ffi::CString::new(pipe.as_bytes()).unwrap();
    // SAFETY: a C string, and a mode.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    let profiler = boot(&Settings { lg_sample: 0, ..settings() });
    let mut reader =
        std::fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&pipe).unwrap();
    let descriptor = reader.as_raw_fd();
    // SAFETY: an open pipe, and a size.
    assert_eq!(unsafe { libc::fcntl(descriptor, libc::F_SETPIPE_SZ, ROOM) }, ROOM);
    let writer = std::thread::spawn({
        let pipe = pipe.clone();
        move || profiler.dump(None, Some(pipe.as_bytes()))
    });
    let mut filled = 0;
    while filled < ROOM {
        std::thread::sleep(Duration::from_millis(1));
        // SAFETY: an open pipe, and a valid place for a number.
        assert_eq!(unsafe { libc::ioctl(descriptor, libc::FIONREAD, &raw mut filled) }, 0);
    }
    assert!(has_open("a.pipe"));
    let (done, wait) = mpsc::channel();
    std::thread::spawn(move || {
        in_child(profiler, || {
            // SAFETY: the test's own end.
            unsafe { libc::close(descriptor) };
            !has_open("a.pipe") && profiler.dump(None, Some(other.as_bytes())).is_ok()
        });
        done.send(()).unwrap();
    });
    // Only who waits for the dump needs so long: for ever.
    wait.recv_timeout(Duration::from_secs(100)).expect("the fork goes on while the dump is being written");
    // SAFETY: an open pipe, which blocks from now on.
    assert_eq!(unsafe { libc::fcntl(descriptor, libc::F_SETFL, 0) }, 0);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    writer.join().unwrap().unwrap();
    assert!(text.starts_with("heap_v2/"), "{text}");
    assert_eq!(read(&directory.file("other.heap")).format, Format::HeapV2);
}

#[test]
fn a_child_keeps_the_counts_and_dumps_under_its_own_pid_while_other_threads_dump() {
    let directory = Directory::new("fork");
    let prefix = directory.file("p");
    let profiler = boot(&Settings { lg_sample: 0, prefix: prefix.as_bytes(), ..settings() });
    let host = Host::new(profiler);
    let objects: Vec<_> = (0..7).map(|_| SITES[0](&host, 64)).collect();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let during = directory.file("during.heap");
    std::thread::scope(|scope| {
        // Somebody holds the lock most of the time.
        let dumper = scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                profiler.dump(None, Some(during.as_bytes())).unwrap();
            }
        });
        for _ in 0..20 {
            in_child(profiler, || {
                let _more = SITES[1](&host, 32);
                !has_open(".tmp") && profiler.dump(Some(&host.thread), None).is_ok()
            });
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        dumper.join().unwrap();
    });
    let dumps: Vec<_> = directory.names().into_iter().filter(|name| name.contains(".m0.")).collect();
    assert_eq!(dumps.len(), 20);
    for name in dumps {
        let pid: u32 = name.split('.').nth(1).unwrap().parse().unwrap();
        assert_ne!(pid, id());
        let dump = read(&directory.file(&name));
        let sites = by_site(&dump, &dump.stacks);
        assert_eq!((sites[&0].0.objs, sites[&1].0.objs), (7.0, 1.0));
    }
    objects.into_iter().for_each(|object| host.free(object));
}

#[test]
fn the_leak_summary_follows_the_final_dump_and_tells_estimated_sums() {
    let directory = Directory::new("leak");
    let prefix = directory.file("p");
    let profiler = boot(&Settings {
        lg_sample: 0,
        leak: true,
        final_dump: true,
        prefix: prefix.as_bytes(),
        ..settings()
    });
    let host = Host::new(profiler);
    let _live: Vec<_> = (0..3).map(|n| SITES[n](&host, 12_345)).collect();
    host.free(SITES[4](&host, 99));
    profiler.at_exit(None, 0);
    assert_eq!(directory.names(), [format!("p.{}.0.f.heap", id())]);
    assert_eq!(
        said_of("37035 bytes"),
        ["<jemalloc>: Leak approximation summary: ~37035 bytes, ~3 objects, >= 3 contexts"]
    );
}

/// The kernel kills a process that writes past its file-size limit, unless it looks away: a dump must not cost the
/// program its life.
#[test]
fn a_file_size_limit_fails_the_dump_and_spares_the_program() {
    let directory = Directory::new("limit");
    let path = directory.file("limited.heap");
    let profiler = boot(&Settings { lg_sample: 0, ..settings() });
    let host = Host::new(profiler);
    let live: Vec<_> = (0..50).map(|_| SITES[0](&host, 64)).collect();
    // SAFETY: the child only calls the profiler, which takes no lock that another thread of the parent may hold but
    // those that `fork_prepare` took, and system calls.
    let child = unsafe {
        profiler.fork_prepare();
        libc::fork()
    };
    if child == 0 {
        profiler.fork_child();
        let limit = libc::rlimit { rlim_cur: 512, rlim_max: 512 };
        // SAFETY: the limit is a valid value.
        unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) };
        let answer = profiler.dump(Some(&host.thread), Some(path.as_bytes()));
        // SAFETY: ends the child without running the test harness's exit handlers.
        unsafe { libc::_exit(if answer == Err(DumpError::Write) { 7 } else { 1 }) };
    }
    profiler.fork_parent();
    let mut status = 0;
    // SAFETY: `status` is a valid place, and `child` a child of this process.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 7, "status {status:#x}");
    assert_eq!(directory.names(), Vec::<String>::new());
    live.into_iter().for_each(|object| host.free(object));
}
