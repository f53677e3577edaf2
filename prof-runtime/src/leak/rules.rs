//! Which stacks count as leaks: all but those of the runtime itself, and those that the program says are none.

use prof_format::suppression;

use super::names::{NAME_MAX, Names, last_part};

/// Starts of the names of files that belong to the C and the C++ runtime.
const RUNTIME: [&[u8]; 9] = [
    b"ld-linux",
    b"ld-musl",
    b"libc.so",
    b"libc-",
    b"libstdc++.so",
    b"libc++.so",
    b"libc++abi.so",
    b"libgcc_s.so",
    b"libpthread",
];

/// The loader's.
const LOADER: &[&[u8]] = RUNTIME.split_at(2).0;

/// Functions of the C library whose memory is its own: buffers of streams, and the locale.
const OWN: [&[u8]; 3] = [b"_IO_file_doallocate", b"setlocale", b"newlocale"];

fn is_of(files: &[&[u8]], path: &[u8]) -> bool {
    files.iter().any(|start| last_part(path).starts_with(start))
}

/// Whether a stack, leaf first, is none of the program's leaks.
///
/// The runtime's are: what the loader allocates, streams' buffers and locales, and stacks that pass no other code, such as
/// the emergency pool of C++'s exceptions. The program's own rules (`__lsan_default_suppressions`) are held against paths of
/// modules and names of functions as they are linked; a rule with conditions in the comment above it is left to the viewer.
pub fn is_suppressed(frames: &[u32], names: &Names, rules: &[u8]) -> bool {
    let Some(leaf) = frames.first() else { return false };
    let runtime_s = is_of(LOADER, names.module_of(*leaf))
        || frames.iter().all(|frame| is_of(&RUNTIME, names.module_of(*frame)));
    let mut buffer = [0; NAME_MAX];
    runtime_s
        || frames.iter().any(|frame| {
            let function = names.function(*frame, &mut buffer);
            let own = is_of(&RUNTIME, names.module_of(*frame)) && OWN.contains(&function);
            own || suppression::rules(rules).any(|rule| {
                rule.more.is_empty()
                    && (suppression::matches(rule.template, names.module_of(*frame))
                        || suppression::matches(rule.template, function))
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_runtime_are_known_by_their_names() {
        for path in [
            "/lib64/ld-linux-x86-64.so.2",
            "/usr/lib/libc.so.6",
            "/lib/libc-2.31.so",
            "/x/libstdc++.so.6.0.33",
        ] {
            assert!(is_of(&RUNTIME, path.as_bytes()), "{path}");
        }
        for path in ["/usr/bin/libc", "/usr/lib/libcurl.so.4", "", "/lib64/ld-linux/app", "[vdso]"] {
            assert!(!is_of(&RUNTIME, path.as_bytes()), "{path}");
        }
        assert!(is_of(LOADER, b"/lib/ld-musl-x86_64.so.1") && !is_of(LOADER, b"/lib/libc.so.6"));
    }
}
