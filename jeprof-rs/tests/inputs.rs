//! Folders, patterns, packed files, words that mean nothing.

mod common;

use std::process::{Command, Stdio};

use common::{Run, Scratch, dump, tool, tool_in};

fn refused(run: Run, words: &[&str]) {
    assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{}", run.stderr);
    for word in words {
        assert!(run.stderr.contains(word), "no `{word}` in: {}", run.stderr);
    }
}

#[test]
fn a_folder_is_every_dump_in_it_and_a_pattern_is_what_it_matches() {
    let scratch = Scratch::new("inputs-folder");
    let (one, other) = (dump("jemalloc-5.3.0.heap"), dump("gperftools-2.10.heap"));
    std::fs::create_dir(scratch.path("dumps")).unwrap();
    scratch.write("dumps/b.heap", std::fs::read(&one).unwrap());
    scratch.write("dumps/a.heap", std::fs::read(&other).unwrap());
    scratch.write("dumps/notes.txt", "not a dump");
    scratch.write("dumps/c.heap", "");
    let expected = tool(&["--show_bytes", &other, &one]).stdout;
    let in_scratch = |args: &[&str]| tool_in(&scratch.path(""), args);
    let folder = in_scratch(&["--show_bytes", "dumps"]);
    assert_eq!((folder.status, folder.stdout.as_str()), (0, expected.as_str()), "{}", folder.stderr);
    let note = "adding up the 2 dumps of dumps, a.heap to b.heap (one empty file is left out)";
    assert!(folder.stderr.contains(note), "{}", folder.stderr);
    assert_eq!(in_scratch(&["--show_bytes", "dumps/[ab].heap"]).stdout, expected);
    assert_eq!(in_scratch(&["--show_bytes", "dumps/a.*", "--add=dumps/b.heap"]).stdout, expected);
    let rest = in_scratch(&["--show_bytes", "--base=dumps/a*", "dumps"]);
    assert_eq!(rest.stdout, tool(&["--show_bytes", "--base", &other, &other, &one]).stdout);
    // A file whose name is a pattern is that file.
    scratch.write("[ab].heap", std::fs::read(&one).unwrap());
    assert_eq!(in_scratch(&["--show_bytes", "[ab].heap"]).stdout, tool(&["--show_bytes", &one]).stdout);
    std::fs::create_dir(scratch.path("empty")).unwrap();
    refused(in_scratch(&["empty"]), &["empty: has no heap profile in it"]);
    refused(in_scratch(&["dumps/z*"]), &["dumps/z*: no such file, and no file matches"]);
}

#[test]
fn a_missing_file_is_never_a_server_and_the_nearest_name_is_suggested() {
    let scratch = Scratch::new("inputs-missing");
    scratch.write("service.1.heap", "x");
    let in_scratch = |args: &[&str]| tool_in(&scratch.path(""), args);
    refused(
        in_scratch(&["servise.1.heap"]),
        &["servise.1.heap: no such file (did you mean service.1.heap?)"],
    );
    refused(in_scratch(&["unlike"]), &["unlike: no such file\n"]);
    refused(in_scratch(&["none/x.heap"]), &["none/x.heap: no such file (there is no none)"]);
    refused(in_scratch(&["localhost/pprof/heap"]), &["no such file (a server is given as http://localhost"]);
    assert!(!scratch.path("jeprof").exists());
}

#[test]
fn what_the_usual_packers_write_is_read() {
    let scratch = Scratch::new("inputs-packed");
    let plain = std::fs::read(dump("gperftools-2.10.heap")).unwrap();
    let expected = tool(&["--show_bytes", &dump("gperftools-2.10.heap")]).stdout;
    let zstd =
        ruzstd::encoding::compress_to_vec(plain.as_slice(), ruzstd::encoding::CompressionLevel::Fastest);
    let options = lzma_rust2::XzOptions::with_preset(1);
    let mut xz = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    std::io::Write::write_all(&mut xz, &plain).unwrap();
    for (name, content) in [("a.heap.zst", zstd), ("a.heap.xz", xz.finish().unwrap())] {
        let path = scratch.write(name, content);
        assert_eq!(tool(&["--show_bytes", path.to_str().unwrap()]).stdout, expected, "{name}");
    }
}

/// Ten gigabytes: takes half a minute without optimisation.
#[test]
#[ignore = "slow without optimisation; run by hand with --release --ignored"]
fn ten_megabytes_that_unpack_to_ten_gigabytes_are_refused_in_bounded_memory() {
    let scratch = Scratch::new("inputs-bomb");
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let part = vec![b'x'; 1 << 20];
    for _ in 0..10 << 10 {
        std::io::Write::write_all(&mut packer, &part).unwrap();
    }
    let bomb = scratch.write("bomb.heap.gz", packer.finish().unwrap());
    let tool = env!("CARGO_BIN_EXE_jeprof-rs");
    // The shell's limit on address space: the tool may hold what is not suspicious, and itself.
    let script = format!("ulimit -v {}; exec '{tool}' '{}'", 512 << 10, bomb.display());
    let output = Command::new("sh").args(["-c", &script]).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("unpacks to more than 1024 MiB (--unpack_max=MIB raises it)"), "{said}");
}
