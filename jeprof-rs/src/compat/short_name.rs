//! How jeprof shortens a name: brackets and what is in them go, then a leading type.
//!
//! It was made for C++ signatures. Of Rust's `<alloc::vec::Vec<T,A> as core::iter::Extend<T>>::extend` it leaves
//! `::extend`, and different functions become one.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

/// The rules, in their order. Bytes outside of ASCII are no letters to jeprof.
struct Rules {
    arguments: Regex,
    templates: Regex,
    leading_type: Regex,
}

static RULES: LazyLock<Rules> = LazyLock::new(|| {
    let rule = |text| Regex::new(text).expect("the expression is tested");
    Rules {
        arguments: rule(r"\([^()]*\)(?:[ \t\n\r\f\x0b]*const)?"),
        templates: rule("<[^<>]*>"),
        leading_type: rule(r"^.*[ \t\n\r\f\x0b]+([0-9A-Za-z_]+::)"),
    }
});

/// The short name of a function.
pub fn short_name(full: &str) -> String {
    let name = without(full.into(), &RULES.arguments);
    let name = without(name, &RULES.templates);
    RULES.leading_type.replace(&name, "$1").into_owned()
}

/// Takes out what matches until nothing does: brackets may be nested.
fn without<'a>(mut name: Cow<'a, str>, rule: &Regex) -> Cow<'a, str> {
    while let Cow::Owned(shorter) = rule.replace_all(&name, "") {
        name = Cow::Owned(shorter);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_and_a_leading_type_are_cut() {
        for (full, short) in [
            ("main", "main"),
            ("grab(unsigned long)<0000000000002970>", "grab"),
            ("A::go(int (*)(void)) const", "A::go"),
            ("std::vector<int, std::allocator<int> >::push_back(int const&)", "std::vector::push_back"),
            ("void* newImpl<false>(unsigned long)", "void* newImpl"),
            ("void run<int>::go(int)", "run::go"),
            ("<alloc::vec::Vec<T,A> as core::iter::Extend<T>>::extend", "::extend"),
            ("operator new(unsigned long)", "operator new"),
            ("f(x)constant", "fant"),
            ("a b::c d::e", "d::e"),
            ("<", "<"),
            ("operator->(A)", "operator->"),
            ("é x::y", "x::y"),
            ("", ""),
        ] {
            assert_eq!(short_name(full), short, "{full}");
        }
    }
}
