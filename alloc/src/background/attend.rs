//! A thread that waits for another process to ask for a dump (`prof_listen`): `jeprof-rs dump PID` does. What is said is
//! in `prof_format::wire`.
//!
//! The socket's descriptor is the only one that the allocator keeps open. It lies above those that programs count on, and is
//! looked at before each use: a program may close what it did not open, and get the number for a file of its own. Children of
//! forks close it, as they do the one of who asks just then.

use core::ffi::c_void;
use core::fmt::Write;
use core::sync::atomic::*;
use core::time::Duration;

use prof_format::wire::{self, LINE_MAX, REFUSED};
use prof_runtime::descriptors::{FileId, Passing};
use prof_runtime::fleeting::Fleeting;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd, BorrowedFd, RawFd};
use rustix::fs::{FileType, Mode};
use rustix::io::Errno;
use rustix::net::{
    self, AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, sockopt,
};
use rustix::process;

use super::spawn::{self, Resident};
use crate::page::caretaker::Bell;
use crate::relaxed::Relaxed;
use crate::report::{self, Line};
use crate::sampling::PROFILER;
use crate::tables::option;
use crate::units::Ns;

/// Waits for who asks.
pub static ATTENDANT: Resident = Resident::new("prof_listen", wanted, run);
/// Never rings.
static PAUSE: Bell = Bell::new();

/// The descriptor, the file behind it, and whose socket it is; -1 and 0 when there is none.
static SOCKET: AtomicI32 = AtomicI32::new(-1);
static DEVICE: AtomicU64 = AtomicU64::new(0);
static INODE: AtomicU64 = AtomicU64::new(0);
static OWNER: AtomicU32 = AtomicU32::new(0);

/// Where the numbers of descriptors begin that programs hardly look at.
const FIRST_DESCRIPTOR: RawFd = 200;
/// Who has connected and says nothing is given up after this time, and who takes nothing after twice as long.
const PATIENCE: Duration = Duration::from_secs(5);
/// What waits before the next look when the system is short of something.
const REST: Ns = Ns::from_ms(1000);

fn wanted() -> bool {
    option::PROF_LISTEN.on() && PROFILER.enabled()
}

fn pid() -> u32 {
    process::getpid().as_raw_nonzero().get() as u32
}

/// Name of the socket.
fn path() -> Line {
    let mut path = Line::new();
    // Writing to a `Line` never fails.
    let _ = write!(path, "{}{}", wire::SOCKET, pid());
    path
}

extern "C" fn run(_: *mut c_void) -> *mut c_void {
    spawn::begin(c"jemalloc_listen");
    loop {
        match open() {
            Ok(()) => attend(),
            Err(Errno::BADF) => {}
            Err(error) => {
                let (start, error) = (wire::SOCKET, error.raw_os_error());
                report::message(format_args!("prof_listen cannot listen at {start}{} ({error})", pid()));
                return core::ptr::null_mut();
            }
        }
        // The program has closed the socket. It may be closing all that it finds.
        PAUSE.sleep(PAUSE.heard(), Some(REST));
    }
}

/// Makes the socket.
fn open() -> Result<(), Errno> {
    let path = path();
    let path = path.as_bytes();
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = Passing::open(|| {
        let low = net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        let Ok(socket) = rustix::io::fcntl_dupfd_cloexec(&low, FIRST_DESCRIPTOR) else { return Ok(low) };
        drop(Fleeting::of(low));
        Ok(socket)
    })?;
    // What a process of ours with the same number left behind.
    if let Ok(stat) = rustix::fs::lstat(path)
        && FileType::from_raw_mode(stat.st_mode) == FileType::Socket
        && stat.st_uid == process::geteuid().as_raw()
    {
        let _ = rustix::fs::unlink(path);
    }
    net::bind(socket.ours()?, &address)?;
    // Nobody can connect before `listen`.
    rustix::fs::chmod(path, Mode::RUSR | Mode::WUSR)?;
    net::listen(socket.ours()?, 8)?;
    // Where the kernel does not tell them apart (`seccomp`), it cannot be known later whose the number is.
    let file = socket.file().ok_or(Errno::NOSYS)?;
    DEVICE.set(file.device);
    INODE.set(file.inode);
    OWNER.set(pid());
    SOCKET.set(socket.leak());
    Ok(())
}

/// The socket, unless its number belongs to something else by now.
fn socket() -> Option<BorrowedFd<'static>> {
    let socket = SOCKET.get();
    if socket < 0 {
        return None;
    }
    // SAFETY: not -1. The number is looked at with fstat(2), which answers an error when nothing is open there, and used
    // only while it is our socket, which we never close while a thread of this process waits at it.
    let socket = unsafe { BorrowedFd::borrow_raw(socket) };
    let ours = FileId { device: DEVICE.get(), inode: INODE.get() };
    (FileId::behind(socket) == Some(ours)).then_some(socket)
}

/// Takes the next connection. While we waited for it the program may have closed the socket, and made one of its own under
/// the number, of which nothing is to be taken.
///
/// # Errors
/// Those of accept(2); `EBADF` when the number belongs to something else by now.
fn accept() -> Result<Passing, Errno> {
    Passing::open(|| net::accept_with(socket().ok_or(Errno::BADF)?, SocketFlags::CLOEXEC))
}

/// Answers whoever asks, until the socket is gone.
fn attend() {
    while let Some(socket) = socket() {
        // Waiting for somebody is not accepting, for which a fork has to wait.
        let somebody = poll(&mut [PollFd::new(&socket, PollFlags::IN)], None);
        match somebody.and_then(|_| accept()) {
            Ok(client) => answer(&client),
            Err(Errno::INTR | Errno::CONNABORTED | Errno::AGAIN) => {}
            Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                PAUSE.sleep(PAUSE.heard(), Some(REST));
            }
            Err(_) => return,
        }
    }
}

fn answer(client: &Passing) {
    let _ = sockopt::set_socket_timeout(client, sockopt::Timeout::Recv, Some(PATIENCE));
    let _ = sockopt::set_socket_timeout(client, sockopt::Timeout::Send, Some(2 * PATIENCE));
    match asked(client).map(|format| PROFILER.send(client.as_fd(), format)) {
        // Who is gone cannot be told.
        Ok(Ok(()) | Err(prof_runtime::DumpError::Write)) => {}
        Ok(Err(prof_runtime::DumpError::OutOfMemory)) => refuse(client, "no memory for a copy of the tables"),
        Ok(Err(_)) => refuse(client, "the profiler is off"),
        Err(reason) => refuse(client, reason),
    }
}

/// What somebody who may ask asks for.
fn asked(client: &Passing) -> Result<prof_runtime::Format, &'static str> {
    let peer = sockopt::socket_peercred(client).map_err(|_| "who asks is not known")?;
    if peer.uid != process::geteuid() && !peer.uid.is_root() {
        return Err("only the user of the process and root may ask");
    }
    let (mut line, mut length) = ([0; LINE_MAX], 0);
    while length < LINE_MAX && !line[..length].ends_with(b"\n") {
        match net::recv(client, &mut line[length..], RecvFlags::empty()) {
            Ok((0, _)) => break,
            Ok((count, _)) => length += count,
            Err(Errno::INTR) => {}
            Err(_) => return Err("nothing was asked"),
        }
    }
    wire::asked(&line[..length]).ok_or("what is asked for is not known here")
}

/// Says that there is no dump, and why.
fn refuse(client: &Passing, reason: &str) {
    for piece in [&REFUSED.to_le_bytes()[..], reason.as_bytes()] {
        // A reason that does not get through is not worth a second try.
        let _ = net::send(client, piece, SendFlags::NOSIGNAL);
    }
}

/// In the child of a fork: the socket is the parent's, and would keep who connects waiting after its end. The profiler has
/// closed it.
pub fn forget() {
    SOCKET.set(-1);
}

/// The process ends: nobody can connect any more.
pub fn at_exit() {
    if OWNER.get() == pid() {
        let _ = rustix::fs::unlink(path().as_bytes());
    }
}
