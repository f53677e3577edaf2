//! A stack's key: the same after a rebuild that moves code, renumbers closures or changes hashes.
//!
//! Version `k1`. Frames of the allocator, of growing buffers above it and of the start of a program or thread below are
//! no part of it; names lose what compilers number; direct recursion counts once. No addresses, lines or folders.

use std::sync::LazyLock;

use regex::Regex;
use sha2::{Digest, Sha256};

use crate::plan::check::KeyPlan;

/// What a frame goes into a key as.
#[derive(Clone, Copy, Debug)]
pub struct KeyFrame<'n> {
    /// Readable name; `None` when nothing is known.
    pub function: Option<&'n str>,
    /// Path of the source file, may be empty.
    pub file: &'n str,
    /// Name of the file with the code, without folders.
    pub module: &'n str,
    /// Build id of that file, may be empty.
    pub build_id: &'n str,
    /// Offset in that file.
    pub offset: u64,
}

/// Functions in which a program or a thread starts. What is called before the innermost of them is left out.
static ENTRY: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"^(?:_start|_dl_start_user|__libc_start_main(?:_impl)?|__libc_start_call_main|start_thread|__?clone3?",
        r"|thread_start|std::rt::lang_start(?:::.*|_internal.*)?",
        r"|std::sys(?:_common)?::backtrace::__rust_begin_short_backtrace(?:::.*)?",
        r"|std::sys::.*::[Tt]hread::new::thread_start)$",
    ))
});

/// How the standard library calls what a thread or program is to do, inlined or not.
static CALL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^(?:core::ops::function::FnOnce::call_once|<.* as core::ops::function::FnOnce<.*>>::call_once)")
});

/// Growing buffers of Rust's standard library, which are inlined or not as the compiler likes.
static BUFFER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"^<?(?:alloc::raw_vec::|alloc::alloc::|__rust_|__rustc::__rust_|core::alloc::",
        r"|alloc::boxed::Box<.*>>::(?:new|try_new))",
    ))
});

/// What compilers number, and what stands there instead.
static NUMBERED: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r"::h[0-9a-f]{16}$", ""),
        (r"\[[0-9a-f]{8,16}\]", ""),
        (r"\{\{closure\}\}|\{closure#[0-9]+\}", "{closure}"),
        (r"\{impl#[0-9]+\}", "{impl}"),
        (r"\{constant#[0-9]+\}", "{constant}"),
        (r"\.(?:cold|part|isra|constprop|llvm|lto_priv|localalias)(?:\.[0-9]+)*", ""),
        (r"@@?[A-Za-z][A-Za-z0-9_.]*$", ""),
        (r"\[abi:[^\]]*\]", ""),
        (r"\{lambda\([^{}]*\)#[0-9]+\}|'lambda[0-9]*'(?:\([^()]*\))?|\$_[0-9]+", "{lambda}"),
    ]
    .map(|(text, instead)| (pattern(text), instead))
    .into()
});

/// Only for the patterns above, which a test compiles.
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is one of this file's")
}

/// A name without what a compiler numbers.
pub fn normal_name(name: &str) -> String {
    NUMBERED.iter().fold(name.to_string(), |name, (pattern, instead)| match pattern.is_match(&name) {
        true => pattern.replace_all(&name, *instead).into_owned(),
        false => name,
    })
}

/// A name with every list of generic arguments as `<...>`. `<T as Trait>::f`, which begins with one, keeps its beginning.
fn without_generics(name: &str) -> String {
    let mut out = String::new();
    let mut depth = 0_usize;
    // Of each open bracket that is written as it is.
    let mut plain: Vec<usize> = Vec::new();
    let mut before = ' ';
    for letter in name.chars() {
        match letter {
            '<' if depth == 0 && !before.is_alphanumeric() && !"_:>".contains(before) => {
                plain.push(0);
                out.push('<');
            }
            '<' if before == 'r' && out.ends_with("operator") => out.push('<'),
            '<' => {
                if depth == 0 {
                    out.push_str("<...>");
                }
                depth += 1;
            }
            // An arrow closes nothing.
            '>' if before == '-' && depth == 0 => out.push('>'),
            '>' if before == '-' => {}
            '>' if depth > 0 => depth -= 1,
            '>' => {
                plain.pop();
                out.push('>');
            }
            _ if depth == 0 => out.push(letter),
            _ => {}
        }
        before = letter;
    }
    out
}

impl KeyPlan {
    /// A frame as the key and a baseline have it.
    pub fn frame_text(self, frame: &KeyFrame<'_>) -> String {
        let Some(function) = frame.function else {
            let id: String = frame.build_id.chars().take(8).collect();
            return match (frame.module, id.as_str()) {
                ("", _) => "?".into(),
                (module, "") => format!("{module}+{:#x}", frame.offset),
                (module, id) => format!("{module}+{id}:{:#x}", frame.offset),
            };
        };
        let mut text = normal_name(function);
        if self.fold_generics {
            text = without_generics(&text);
        }
        if self.with_file && !frame.file.is_empty() {
            text += &format!(" {}", frame.file.rsplit('/').next().unwrap_or_default());
        }
        text
    }

    /// Brings neighbours that are equal together, and cuts to the depth. Leaf first.
    pub fn folded<T: PartialEq>(self, texts: impl IntoIterator<Item = T>) -> Vec<T> {
        let mut folded: Vec<T> = Vec::new();
        for text in texts {
            let seen = if self.fold_recursion {
                folded.iter().position(|known| *known == text)
            } else {
                folded.last().is_some_and(|last| *last == text).then(|| folded.len() - 1)
            };
            match seen {
                Some(at) => folded.truncate(at + 1),
                None => folded.push(text),
            }
        }
        folded.truncate(self.depth.unwrap_or(usize::MAX));
        folded
    }
}

/// What a frame does in a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The program's own work, as far as names tell.
    Own,
    /// It grows a buffer.
    Buffer,
    /// It calls what a program or thread is to do.
    Call,
    /// A program or thread starts in it.
    Entry,
}

impl Role {
    /// That of a function; of one without a name, [`Role::Own`].
    pub fn of(function: Option<&str>) -> Role {
        let Some(name) = function.map(normal_name) else { return Role::Own };
        let roles = [(&ENTRY, Role::Entry), (&BUFFER, Role::Buffer), (&CALL, Role::Call)];
        roles.into_iter().find(|(pattern, _)| pattern.is_match(&name)).map_or(Role::Own, |(_, role)| role)
    }
}

/// Which of a stack's frames, leaf first, are the program's own: without buffers at the leaf end, and without the start of
/// the program or thread at the root. At least one of those that there are.
pub fn own(roles: &[Role]) -> std::ops::Range<usize> {
    let entered = roles.iter().position(|role| *role == Role::Entry).unwrap_or(roles.len());
    let called = roles[..entered].iter().rev().take_while(|role| **role == Role::Call).count();
    let end = entered - called;
    let start = roles.iter().take_while(|role| **role == Role::Buffer).count();
    match (start < end, roles.len()) {
        (true, _) => start..end,
        (false, 0) => 0..0,
        // All of it is the language's: the innermost is told.
        (false, count) => start.min(count - 1)..start.min(count - 1) + 1,
    }
}

/// The version of what a key is made of, which it begins with. Keys of different versions do not compare.
pub const VERSION: &str = "k1";

/// The key of a stack of such texts: [`VERSION`], a colon and 16 hexadecimal digits of SHA-256.
pub fn key_of(texts: &[String]) -> String {
    let digest = Sha256::digest(texts.join("\n"));
    let digits: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{VERSION}:{digits}")
}

/// A key as people read it: its first eight digits.
pub fn short_key(key: &str) -> &str {
    key.get(..11).unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str) -> KeyFrame<'_> {
        KeyFrame { function: Some(function), file: "/src/a/b.rs", module: "svc", build_id: "", offset: 0 }
    }

    fn texts(plan: KeyPlan, names: &[&str]) -> Vec<String> {
        let roles: Vec<Role> = names.iter().map(|name| Role::of(Some(name))).collect();
        plan.folded(names[own(&roles)].iter().map(|name| plan.frame_text(&frame(name))))
    }

    #[test]
    fn what_compilers_number_is_no_part_of_a_name() {
        for (raw, normal) in [
            ("svc::grow::h0123456789abcdef", "svc::grow"),
            ("core[846817f741e54dfd]::slice::sort", "core::slice::sort"),
            ("svc::main::{closure#12}", "svc::main::{closure}"),
            ("svc::main::{{closure}}", "svc::main::{closure}"),
            ("svc::{impl#3}::go", "svc::{impl}::go"),
            ("grow.isra.0.cold", "grow"),
            ("grow.llvm.1234567", "grow"),
            ("malloc_usable_size@@GLIBC_2.2.5", "malloc_usable_size"),
            ("f[abi:cxx11]", "f"),
            ("main::{lambda(int)#3}::operator()", "main::{lambda}::operator()"),
            ("f(char[16])", "f(char[16])"),
            ("plain", "plain"),
        ] {
            assert_eq!(normal_name(raw), normal, "{raw}");
            assert_eq!(normal_name(normal), normal, "twice: {raw}");
        }
    }

    #[test]
    fn generic_arguments_fold_and_operators_stay() {
        for (name, folded) in [
            ("alloc::vec::Vec<T,A>::push", "alloc::vec::Vec<...>::push"),
            ("<alloc::vec::Vec<T> as Extend<T>>::extend", "<alloc::vec::Vec<...> as Extend<...>>::extend"),
            ("f::<fn() -> u8>", "f::<...>"),
            ("std::map<int, std::vector<int> >::find", "std::map<...>::find"),
            ("A::operator<", "A::operator<"),
        ] {
            assert_eq!(without_generics(name), folded);
        }
    }

    #[test]
    fn the_start_of_program_and_thread_and_buffers_are_left_out() {
        let own = ["svc::cache::insert", "svc::main"];
        let program = [
            "<alloc::raw_vec::RawVec<T,A>>::grow_one",
            "svc::cache::insert",
            "svc::main",
            "core::ops::function::FnOnce::call_once",
        ];
        let start = [
            "std::sys::backtrace::__rust_begin_short_backtrace",
            "std::rt::lang_start::{{closure}}",
            "std::rt::lang_start_internal",
            "main",
            "__libc_start_main",
            "_start",
        ];
        let whole: Vec<&str> = program.iter().chain(&start).copied().collect();
        assert_eq!(texts(KeyPlan::default(), &whole), own);
        assert_eq!(texts(KeyPlan::default(), &["work", "start_thread", "clone3"]), ["work"]);
        assert_eq!(texts(KeyPlan::default(), &["main", "__libc_start_call_main", "_start"]), ["main"]);
        assert_eq!(texts(KeyPlan::default(), &["_start"]), ["_start"], "something is left");
    }

    #[test]
    fn recursion_folds_and_depth_cuts() {
        let names = ["leaf", "a", "a", "a", "b", "a", "b", "root"];
        assert_eq!(texts(KeyPlan::default(), &names), ["leaf", "a", "b", "a", "b", "root"]);
        let folded = KeyPlan { fold_recursion: true, ..KeyPlan::default() };
        assert_eq!(texts(folded, &names), ["leaf", "a", "b", "root"]);
        let cut = KeyPlan { depth: Some(2), ..KeyPlan::default() };
        assert_eq!(texts(cut, &names), ["leaf", "a"]);
    }

    #[test]
    fn a_key_is_of_the_names_alone() {
        let key = |names: &[&str]| key_of(&texts(KeyPlan::default(), names));
        assert_eq!(key(&["f::h0123456789abcdef", "main"]), key(&["f::hfedcba9876543210", "main"]));
        assert_ne!(key(&["f", "main"]), key(&["g", "main"]));
        // Of `printf 'f\nmain' | sha256sum`.
        assert_eq!(key(&["f", "main"]), "k1:37d82c5b556637f6");
        assert_eq!(short_key("k1:5d0c1f9a3be02711"), "k1:5d0c1f9a");
    }

    #[test]
    fn code_without_a_name_is_told_by_its_place() {
        let unknown = KeyFrame { function: None, build_id: "abcdef0123", offset: 0x1f40, ..frame("") };
        assert_eq!(KeyPlan::default().frame_text(&unknown), "svc+abcdef01:0x1f40");
        let nameless = KeyFrame { build_id: "", ..unknown };
        assert_eq!(KeyPlan::default().frame_text(&nameless), "svc+0x1f40");
        let with_file = KeyPlan { with_file: true, ..KeyPlan::default() };
        assert_eq!(with_file.frame_text(&frame("f")), "f b.rs");
    }
}
