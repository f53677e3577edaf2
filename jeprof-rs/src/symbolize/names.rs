//! Linkage names made readable.
//!
//! Rust: both manglings, without hash and crate disambiguators, generic arguments kept. C++: without parameter list
//! and return type, template arguments kept. jeprof cuts every bracket out, which makes `::extend` of
//! `<alloc::vec::Vec<T,A> as core::iter::Extend<T>>::extend` and one row of many functions.

use std::borrow::Cow;

use cpp_demangle::{DemangleOptions, ParseOptions, Symbol};

/// Nesting that a real name stays far below, and that a hostile one cannot overflow the stack with.
const CPP_RECURSION_MAX: u32 = 96;

/// What a method's declaration has behind its parameters.
const QUALIFIERS: [&str; 4] = [" const", " volatile", " &", " &&"];

/// The name to show for a name as the linker or the debug information has it.
pub fn readable(raw: &str) -> Cow<'_, str> {
    // Symbol tables of shared libraries append the version: `malloc@@GLIBC_2.2.5`.
    let raw = match raw.find('@') {
        Some(1..) => raw.split('@').next().unwrap_or(raw),
        _ => raw,
    };
    if let Some(name) = rust(raw).or_else(|| cpp(raw)) { Cow::Owned(name) } else { Cow::Borrowed(raw) }
}

/// Whether a name is a linkage name with its whole path in it.
pub fn is_mangled(raw: &str) -> bool {
    raw.starts_with("_Z") || raw.starts_with("_R") || raw.starts_with("__R")
}

/// What compilers append to the name of a changed copy or of a part of a function.
const COPY_MARKS: [&str; 7] =
    [".cold", ".constprop.", ".isra.", ".llvm.", ".localalias", ".lto_priv.", ".part."];

/// The name of the function that a copy or part was made of.
pub fn without_copy_mark(raw: &str) -> &str {
    let end = COPY_MARKS.iter().filter_map(|mark| raw.find(mark)).filter(|at| *at > 0).min();
    &raw[..end.unwrap_or(raw.len())]
}

fn rust(raw: &str) -> Option<String> {
    let is_v0 = raw.starts_with("_R") || raw.starts_with("__R");
    if !is_v0 && !has_legacy_hash(raw) {
        return None;
    }
    let name = rustc_demangle::try_demangle(raw).ok()?;
    Some(format!("{name:#}"))
}

/// C++ names have the outer form of legacy Rust names; only Rust's end in `17h` and 16 hex digits, before what marks a
/// copy.
fn has_legacy_hash(raw: &str) -> bool {
    let hash = |at: usize| {
        let digits = raw.as_bytes().get(at + 3..at + 20);
        digits.is_some_and(|digits| digits[..16].iter().all(u8::is_ascii_hexdigit) && digits[16] == b'E')
    };
    raw.starts_with("_ZN") && raw.rfind("17h").is_some_and(hash)
}

fn cpp(raw: &str) -> Option<String> {
    if !raw.starts_with("_Z") {
        return None;
    }
    let parse = ParseOptions::default().recursion_limit(CPP_RECURSION_MAX);
    let show = DemangleOptions::new().no_params().no_return_type().recursion_limit(CPP_RECURSION_MAX);
    let mut name = Symbol::new_with_options(raw, &parse).ok()?.demangle_with_options(&show).ok()?;
    // What is behind the parameter list belongs to it: the qualifiers of a method.
    while let Some(rest) =
        QUALIFIERS.iter().find_map(|qualifier| name.strip_suffix(qualifier)).filter(|rest| !rest.is_empty())
    {
        name.truncate(rest.len());
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, shown: &str) {
        assert_eq!(readable(raw), shown, "{raw}");
    }

    #[test]
    fn rust_names_lose_their_hash_and_keep_their_generics() {
        check("_ZN3foo3bar17h05af221e174051e9E", "foo::bar");
        check(
            "_ZN76_$LT$alloc..vec..Vec$LT$T$C$A$GT$$u20$as$u20$core..iter..Extend$LT$T$GT$$GT$6extend17h0123456789abcdefE",
            "<alloc::vec::Vec<T,A> as core::iter::Extend<T>>::extend",
        );
        check("_ZN3foo3bar17h05af221e174051e9E.llvm.77", "foo::bar");
        check("_RNvCskwGfYPst2Cb_3foo16example_function", "foo::example_function");
        check("_RINvCsbmNqQUJIY6D_4core3foolE", "core::foo::<i32>");
        check("_RNvCshGpAVYOtgW1_7___rustc12___rust_alloc", "__rustc::__rust_alloc");
    }

    #[test]
    fn cpp_names_lose_parameters_and_keep_template_arguments() {
        check("_Z4grabm", "grab");
        check("_ZN1A2goEi", "A::go");
        check("_ZZ4mainENKUlvE_clEv", "main::{lambda()#1}::operator()");
        check("_ZNK1A3getEv", "A::get");
        check("_ZNO1A4takeEv", "A::take");
        check("_Znwm", "operator new");
        check("_ZSt18_Rb_tree_decrementPSt18_Rb_tree_node_base@@GLIBCXX_3.4", "std::_Rb_tree_decrement");
        check("_ZNSt6vectorIiSaIiEE9push_backERKi", "std::vector<int, std::allocator<int> >::push_back");
    }

    #[test]
    fn marks_of_copies_are_found_in_names_with_dots_of_their_own() {
        for (raw, function) in [
            ("_ZZ4mainENKUlvE_clEv.constprop.0", "_ZZ4mainENKUlvE_clEv"),
            ("grow.isra.0.cold", "grow"),
            (
                "_ZN5alloc3vec12Vec$LT$T..$GT$17h0123456789abcdefE.llvm.77",
                "_ZN5alloc3vec12Vec$LT$T..$GT$17h0123456789abcdefE",
            ),
            ("plain", "plain"),
            (".cold", ".cold"),
        ] {
            assert_eq!(without_copy_mark(raw), function);
        }
    }

    #[test]
    fn other_names_stay_as_they_are() {
        for raw in ["main", "", "_Z", "_ZN", "_R", "malloc", "@", "foo.part.0", "_ZNgarbage", "_start"] {
            check(raw, raw);
        }
    }

    #[test]
    fn no_mangled_lookalike_panics() {
        let deep = format!("_Z1fI{}E", "N1aI".repeat(5000));
        for raw in [deep.as_str(), "_RNvNvNvNvNvNvNvNvNv", "_ZN17hE", "_ZN17h0123456789abcdefE", "_ZNé17hE"]
        {
            let _ = readable(raw);
        }
    }
}
