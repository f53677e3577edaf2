//! `jeprof-rs dump PID`: asks a running process for a dump, over the socket that `prof_listen:true` opens.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgMatches, Command, ValueHint, value_parser};
use flate2::Compression;
use flate2::write::GzEncoder;
use prof_format::vocab::Format;
use prof_format::wire::{DUMP, FRAME_MAX, LENGTH, REFUSED, SOCKET};

use crate::error::{Error, Result, plain};
use crate::output_file::OutputFile;
use crate::tool::Tool;

/// The command.
pub const TOOL: Tool = Tool { name: "dump", about: ABOUT, parser, run };

const ABOUT: &str = "Ask a running process for a dump";

const MORE: &str = "\
The process runs on this project's allocator and was started with prof:true,prof_listen:true in
MALLOC_CONF. Only its own user and root may ask; none of its threads is stopped. A process in a
container is asked from outside by its pid outside.

Examples:
  jeprof-rs dump 1234                       writes jeprof.1234.heap
  jeprof-rs dump 1234 -o - | jeprof-rs -    the table of what is live now
  jeprof-rs dump --format=pprof 1234        writes jeprof.1234.pb.gz, for go tool pprof

Exit status: 0, or 2 with a message on stderr.";

/// A process that takes longer than this to send the next piece does not answer.
const PATIENCE: Duration = Duration::from_secs(30);

const PID: &str = "PID";
const FORMAT: &str = "format";
const OUTPUT: &str = "output";

fn parser() -> Command {
    Command::new(TOOL.name)
        .about(ABOUT)
        .override_usage("jeprof-rs dump [OPTIONS] PID")
        .after_help(MORE)
        .arg(Arg::new(PID).help("Process to ask").required(true).value_parser(value_parser!(u32).range(1..)))
        .arg(
            Arg::new(FORMAT)
                .long(FORMAT)
                .value_name("FORMAT")
                .help("Format of the dump, as prof_dump_format names it")
                .value_parser(Format::ALL.map(Format::name))
                .default_value(Format::HeapV2.name()),
        )
        .arg(
            Arg::new(OUTPUT)
                .short('o')
                .long(OUTPUT)
                .value_name("FILE")
                .help("Where to write it; '-' for stdout [default: jeprof.PID.heap, or .pb.gz for pprof]")
                .value_parser(value_parser!(PathBuf))
                .value_hint(ValueHint::FilePath),
        )
}

fn run(matches: &ArgMatches) -> Result<ExitCode> {
    let pid = *matches.get_one::<u32>(PID).ok_or_else(|| Error::at(TOOL.name, "wants a PID"))?;
    let name = matches.get_one::<String>(FORMAT).map(String::as_str);
    let format = Format::ALL.into_iter().find(|format| Some(format.name()) == name).unwrap_or(Format::HeapV2);
    let place = format!("process {pid}");
    let socket = connect(Path::new("/proc"), pid).map_err(|what| Error::at(&place, what))?;
    let ending = if format == Format::Pprof { "pb.gz" } else { "heap" };
    let path = match matches.get_one::<PathBuf>(OUTPUT) {
        Some(path) => path.clone(),
        None => format!("jeprof.{pid}.{ending}").into(),
    };
    if path == Path::new("-") {
        let mut stdout = std::io::stdout().lock();
        receive(socket, format, &mut stdout).map_err(|failure| failure.told(&place, "standard output"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let shown = path.display().to_string();
    let mut file = OutputFile::create(&path).map_err(|error| Error::at(&shown, plain(&error)))?;
    let bytes = receive(socket, format, &mut file).map_err(|failure| failure.told(&place, &shown))?;
    file.finish().map_err(|error| Error::at(&shown, plain(&error)))?;
    eprintln!("{shown}: {bytes} bytes of {}", format.name());
    Ok(ExitCode::SUCCESS)
}

/// The socket of a process. It is named by the pid that the process has in its own container, and lies in its own /tmp.
fn connect(proc: &Path, pid: u32) -> std::result::Result<UnixStream, String> {
    let folder = proc.join(pid.to_string());
    let status = std::fs::read_to_string(folder.join("status")).map_err(|error| match error.kind() {
        ErrorKind::NotFound => "there is no such process".to_owned(),
        _ => plain(&error),
    })?;
    let socket = format!("{SOCKET}{}", innermost_pid(&status).unwrap_or(pid));
    let inside = folder.join("root").join(socket.trim_start_matches('/'));
    // Who may not look into the other's root, or has none, finds its own /tmp there.
    let stream = UnixStream::connect(&inside).or_else(|error| match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::NotFound => UnixStream::connect(&socket),
        _ => Err(error),
    });
    stream.map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            "it does not listen; it must have been started with \
             MALLOC_CONF=prof:true,prof_listen:true, on this project's allocator"
                .to_owned()
        }
        ErrorKind::PermissionDenied => "it belongs to another user, who alone may ask, and root".to_owned(),
        _ => plain(&error),
    })
}

/// The last number behind `NSpid:`, the pid in the innermost namespace.
fn innermost_pid(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    line.split_whitespace().next_back()?.parse().ok()
}

/// Why there is no dump.
#[derive(Debug)]
enum Failure {
    /// The process does not send one.
    Process(String),
    /// It cannot be written.
    Output(std::io::Error),
}

impl Failure {
    fn told(self, process: &str, output: &str) -> Error {
        match self {
            Failure::Process(what) => Error::at(process, what),
            Failure::Output(error) => Error::at(output, plain(&error)),
        }
    }
}

/// Asks for a dump, and writes it to `output`, packed if it is profile.proto; how many bytes it has before it is packed.
fn receive(
    mut socket: UnixStream,
    format: Format,
    output: &mut dyn Write,
) -> std::result::Result<u64, Failure> {
    let process = |error: std::io::Error| {
        Failure::Process(match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => "it does not answer".into(),
            ErrorKind::UnexpectedEof => "it ended before the dump was whole".into(),
            _ => plain(&error),
        })
    };
    socket.set_read_timeout(Some(PATIENCE)).map_err(process)?;
    socket.write_all(&[DUMP, format.name().as_bytes(), b"\n"].concat()).map_err(process)?;
    let mut packed = (format == Format::Pprof).then(|| GzEncoder::new(Vec::new(), Compression::default()));
    let (mut frame, mut total) = (vec![0; FRAME_MAX], 0);
    loop {
        let mut length = [0; LENGTH];
        socket.read_exact(&mut length).map_err(process)?;
        let length = u32::from_le_bytes(length);
        if length == REFUSED {
            let mut reason = String::new();
            let read = (&mut socket).take(4096).read_to_string(&mut reason);
            return Err(read.map_or_else(process, |_| Failure::Process(reason)));
        }
        let Some(bytes) = frame.get_mut(..length as usize) else {
            return Err(Failure::Process("its answer is not one of this project's allocator".into()));
        };
        if bytes.is_empty() {
            break;
        }
        socket.read_exact(bytes).map_err(process)?;
        total += u64::from(length);
        match &mut packed {
            Some(packer) => packer.write_all(bytes),
            None => output.write_all(bytes),
        }
        .map_err(Failure::Output)?;
    }
    if let Some(packer) = packed {
        packer.finish().and_then(|bytes| output.write_all(&bytes)).map_err(Failure::Output)?;
    }
    output.flush().map_err(Failure::Output)?;
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is received from somebody who answers with these bytes, and what was asked.
    fn answered(answer: &[u8]) -> (std::result::Result<Vec<u8>, String>, Vec<u8>) {
        let (here, mut there) = UnixStream::pair().unwrap();
        there.write_all(answer).unwrap();
        there.shutdown(std::net::Shutdown::Write).unwrap();
        let mut written = Vec::new();
        let received = receive(here, Format::HeapV2, &mut written);
        let mut asked = Vec::new();
        // What the other end left unread resets the connection.
        let _ = there.read_to_end(&mut asked);
        let result = received.map_err(|failure| failure.told("process 7", "file").to_string());
        (result.map(|total| assert_eq!(total, written.len() as u64)).map(|()| written), asked)
    }

    #[test]
    fn frames_are_joined_and_a_dump_without_its_end_is_none() {
        let whole = b"\x03\0\0\0abc\x01\0\0\0d\0\0\0\0";
        assert_eq!(answered(whole), (Ok(b"abcd".to_vec()), b"dump heap_v2\n".to_vec()));
        for cut in 0..whole.len() {
            let error = answered(&whole[..cut]).0.unwrap_err();
            assert_eq!(error, "process 7: it ended before the dump was whole", "{cut}");
        }
    }

    #[test]
    fn a_refusal_is_told_and_nonsense_is_no_answer() {
        let refused = answered(b"\xff\xff\xff\xffthe profiler is off").0;
        assert_eq!(refused, Err("process 7: the profiler is off".into()));
        assert!(answered(b"HTTP/1.1 400 Bad Request").0.unwrap_err().contains("not one of this project's"));
    }

    #[test]
    fn a_process_in_a_container_is_asked_by_its_pid_there() {
        assert_eq!(innermost_pid("Name:\tsvc\nNSpid:\t4711\t17\t1\nThreads:\t1\n"), Some(1));
        assert_eq!(innermost_pid("NSpid:\t4711\n"), Some(4711));
        assert_eq!(innermost_pid("Name:\tsvc\n"), None);
    }

    #[test]
    fn processes_that_are_not_there_or_do_not_listen_are_told_apart() {
        let nobody = connect(Path::new("/proc"), u32::MAX >> 1).unwrap_err();
        assert_eq!(nobody, "there is no such process");
        let deaf = connect(Path::new("/proc"), std::process::id()).unwrap_err();
        assert!(deaf.contains("prof_listen:true"), "{deaf}");
    }
}
