//! Broken and hostile input: an answer, never a panic, and no truncated dump that looks whole.

use alloc::{format, vec::Vec};

use super::written;
use crate::any::read;
use crate::dump::ReadError;
use crate::testing::{Random, VecSnapshot};
use crate::vocab::Format;

fn sample(format: Format) -> Vec<u8> {
    written(format, &VecSnapshot::random(&mut Random::new(5), 1 << 16, true, 8))
}

fn is_broken(bytes: &[u8]) -> bool {
    matches!(read(bytes), Err(ReadError::Broken { .. }))
}

#[test]
fn a_text_dump_of_ours_cut_anywhere_is_broken() {
    let whole = sample(Format::Text);
    // Up to the mark, it could be a file of another writer.
    let marked =
        whole.windows(3).position(|window| window == b"\n# ").unwrap() + b"\n# jeprof-rs text 1\n".len();
    for length in marked..whole.len() {
        assert!(is_broken(&whole[..length]), "{length} of {} bytes", whole.len());
    }
    assert!(read(&whole).is_ok());
}

#[test]
fn a_pprof_dump_cut_anywhere_is_broken() {
    let whole = sample(Format::Pprof);
    // The first sample type is what makes it a profile.
    for length in 6..whole.len() {
        assert!(is_broken(&whole[..length]), "{length} of {} bytes", whole.len());
    }
    assert!(read(&whole).is_ok());
}

#[test]
fn a_jemalloc_dump_without_its_map_is_broken_or_warned_about() {
    let whole = sample(Format::HeapV2);
    let map = whole.windows(17).position(|window| window == b"MAPPED_LIBRARIES:").unwrap();
    let (mut broken, mut warned) = (0, 0);
    for length in 8..map + 17 {
        match read(&whole[..length]) {
            Err(ReadError::Broken { .. }) => broken += 1,
            Ok(dump) if !dump.warnings.is_empty() || length == map + 17 => warned += 1,
            other => panic!("{length} bytes: {other:?}"),
        }
    }
    // Only an end just after a count line or a total, or after the blank line or heading, can be taken for a whole file.
    let count_lines = whole.windows(3).filter(|window| [&b"\n  "[..], b"\n# "].contains(window)).count();
    assert!(warned <= count_lines + 3 && broken > 10 * warned, "{warned} warned, {broken} broken");
}

#[test]
fn errors_name_the_place() {
    let check = |text: &str, expected: &str| {
        let error = read(text.as_bytes()).expect_err(text);
        assert_eq!(format!("{error}"), expected);
    };
    check("", "not a heap profile that this tool knows");
    check("hello\n", "not a heap profile that this tool knows");
    check("heap_v2/x\n", "line 1: sampling distance: `x` is not a positive number");
    check("heap_v2/0\n", "line 1: sampling distance: `0` is not a positive number");
    check(
        "heap_v2/4096\n  t*: 1: 64 [0: 0]\n@ 0x10 0x2\n",
        "line 3: stack: no line `t*: objects: bytes [objects: bytes]` follows this stack",
    );
    check("heap_v2/4096\n@ 0x10 zz\n  t*: 1: 64 [0: 0]\n", "line 2: address: `zz` is not a hex address");
    check("heap_v2/4096\n@ 0x10\n  t*: 1: 64 [0", {
        "line 3: count line: the dump is cut off inside this line, and the memory map is missing"
    });
    check("heap profile: 1\n", {
        "line 1: header: `heap profile:` is not followed by `objects: bytes [objects: bytes]`"
    });
    check("heap profile: 1: 2 [3: 4] @ heap_v2/q\n", "line 1: sampling distance: `q` is not a number");
    check("heap profile: 1: 2 [3: 4] @ heapprofile\n1: 2 [3: 4] @ 0x10 0x2", {
        "line 2: sample line: the dump is cut off inside this line, and the memory map is missing"
    });
    check("heap profile: 1: 2 [3: 4] @ heapprofile\n# jeprof-rs text 1\n", {
        "line 2: end of file: the dump is cut off: its closing line `# end` is missing"
    });
    check("\n\u{4}\u{8}\u{1}\u{10}\u{2}", {
        "byte 2: sample_type: string 1 of 0: the file is cut off or its string table is damaged"
    });
}

/// Files of every reader: ours, and those with symbols in front or from other writers.
fn samples() -> Vec<Vec<u8>> {
    let snapshot = VecSnapshot::random(&mut Random::new(5), 1 << 16, true, 3);
    let mut all: Vec<Vec<u8>> = Format::ALL.iter().map(|format| written(*format, &snapshot)).collect();
    let dump = read(&all[1]).unwrap();
    for profile in [0, 1] {
        let mut file = b"%warn careful\n--- symbol\nbinary=/opt/demo/app\n".to_vec();
        for frame in &dump.frame_table {
            file.extend_from_slice(format!("{:#018x} outer(int)--inner<a, b>\n", frame.address).as_bytes());
        }
        file.extend_from_slice(b"---\n--- heap\n");
        file.extend_from_slice(&all[profile]);
        all.push(file);
    }
    all.push(include_bytes!("../../../../fixtures/dumps/gperftools-2.10.heap").to_vec());
    all.push(
        b"heap profile: 10: 5120 [10: 5120] @ heap/131072\n10: 5120 [10: 5120] @ 0x1000 0x2000\n--- Memory map:\n\
          build=/srv/out\n0x1000-0x2000: $build/app\n\
          0x800600000 0x80061a000 26 0 0xfffff800035a0000 r-x 75 33 0x1004 COW NC vnode /lib/a.so.1 NCH -1\n"
            .to_vec(),
    );
    all
}

#[test]
fn every_cut_and_every_flipped_byte_gets_an_answer() {
    for whole in samples() {
        let _ = read(&whole).unwrap();
        for at in 0..whole.len() {
            let _ = read(&whole[..at]);
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            let _ = read(&flipped);
        }
    }
}

#[test]
fn no_damage_makes_a_reader_panic() {
    let mut random = Random::new(0xdead);
    for whole in samples() {
        for _ in 0..3000 {
            let mut bytes = whole.clone();
            for _ in 0..1 + random.below(8) {
                let at = random.below(bytes.len() as u64) as usize;
                match random.below(4) {
                    0 => bytes[at] = random.next() as u8,
                    1 => bytes[at] ^= 1 << random.below(8),
                    2 => bytes.truncate(at.max(1)),
                    _ => {
                        let from = random.below(bytes.len() as u64) as usize;
                        let piece = bytes[from..(from + 20).min(bytes.len())].to_vec();
                        bytes.splice(at..at, piece);
                    }
                }
            }
            let _ = read(&bytes);
        }
    }
}

#[test]
fn random_bytes_do_not_make_a_reader_panic() {
    let mut random = Random::new(99);
    for _ in 0..20_000 {
        let bytes: Vec<u8> =
            (0..random.below(60)).map(|_| random.next() as u8 & 0x7f >> random.below(4)).collect();
        let _ = read(&bytes);
    }
}

#[test]
fn a_small_file_cannot_ask_for_much_memory() {
    // One name of 1 MiB, used by a thousand functions, mappings, labels or comments: 1 GiB if each got its copy.
    let long_string = |bytes: &mut Vec<u8>| {
        bytes.extend_from_slice(&[0x32, 0, 0x32, 0x80, 0x80, 0x40]);
        bytes.extend(core::iter::repeat_n(b'x', 1 << 20));
    };
    let check = |field: &str, repeated: &dyn Fn(u8, u8) -> Vec<u8>| {
        let mut bytes = b"\x0a\x02\x08\x01".to_vec();
        for id in 1..=1000u32 {
            bytes.extend_from_slice(&repeated(0x80 | id as u8, (id >> 7) as u8));
        }
        long_string(&mut bytes);
        match read(&bytes) {
            Err(ReadError::Broken { field: found, what, .. }) => {
                assert!(found == field && what.contains("room"), "{found}: {what}");
            }
            other => panic!("{field}: {:?}", other.map(|dump| dump.frames.len())),
        }
    };
    check("function", &|low, high| [0x2a, 5, 0x08, low, high, 0x10, 1].to_vec());
    check("mapping", &|low, high| [0x1a, 5, 0x08, low, high, 0x28, 1].to_vec());
    check("label", &|low, high| [0x12, 9, 0x10, 0, 0x1a, 5, 0x08, 1, 0x18, low, high].to_vec());
    check("comment", &|_, _| [0x68, 1].to_vec());
    // A folder of 1 MiB that every line of the map repeats.
    let mut text = b"heap profile: 0: 0 [0: 0] @ heapprofile\n--- Memory map:\nbuild=/".to_vec();
    text.extend(core::iter::repeat_n(b'x', 1 << 20));
    (0..1000).for_each(|_| text.extend_from_slice(b"\n1-2: $build/a"));
    text.push(b'\n');
    let paths: usize = read(&text).unwrap().maps.iter().map(|row| row.path.len()).sum();
    assert!(paths < 2 << 20, "{paths}");
}
