//! Which functions are a standard library's: Rust's and C++'s containers, strings and smart pointers.

use regex::Regex;

use crate::symbolize::symbols::Symbols;

/// Names that say so. Rust: a path, or the type of an implementation, that begins with a library crate (hashbrown is
/// inside `HashMap`). C++: the namespaces of both usual libraries.
const FUNCTIONS: &str = r"^(?:<+(?:&(?:mut )?|\*(?:const|mut) |dyn |\[)*)?(?:alloc|core|std|hashbrown)::|^(?:std|__gnu_cxx|__cxxabiv1)::";

/// Parts of paths of source files that say so where the name does not: with line tables alone, inlined functions are
/// named without their path.
const FILES: [&str; 5] =
    ["/library/alloc/src/", "/library/core/src/", "/library/std/src/", "/hashbrown-", "/include/c++/"];

/// For each line, whether its function is a standard library's.
pub fn lines(symbols: &Symbols) -> Vec<bool> {
    let functions = Regex::new(FUNCTIONS).expect("the expression is tested");
    let by_function: Vec<bool> = symbols.names.texts().map(|name| functions.is_match(name)).collect();
    let by_file: Vec<bool> =
        symbols.names.texts().map(|name| FILES.iter().any(|part| name.contains(part))).collect();
    symbols
        .lines
        .iter()
        .map(|line| by_function[symbols.function(line).name.index()] || by_file[line.file.index()])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symbolize::symbols::{Function, Line};

    fn is_standard(function: &str, file: &str) -> bool {
        let mut symbols = Symbols::default();
        let name = symbols.names.id(function);
        let function = symbols.function_id(Function { name, ..Function::default() });
        let line = Line { function, file: symbols.names.id(file), line: 1, column: 0 };
        symbols.push([line]);
        lines(&symbols)[0]
    }

    #[test]
    fn containers_are_known_by_name_or_by_file_and_programs_are_not() {
        for (function, file) in [
            ("alloc::vec::Vec<T,A>::push", ""),
            ("<alloc::vec::Vec<T> as core::iter::traits::collect::FromIterator<T>>::from_iter", ""),
            ("<&dyn core::ops::function::Fn<(), Output = i32>>::call_once", ""),
            ("std::vector<int, std::allocator<int> >::push_back", ""),
            ("__gnu_cxx::new_allocator<int>::allocate", ""),
            ("with_capacity_in<u8>", "/rustc/59807616/library/alloc/src/vec/mod.rs"),
            ("reserve_rehash", "/rust/deps/hashbrown-0.16.1/src/raw/mod.rs"),
            ("construct", "/usr/include/c++/12/bits/stl_construct.h"),
        ] {
            assert!(is_standard(function, file), "{function} {file}");
        }
        for (function, file) in [
            ("svc::cache::cache_value", "/srv/src/cache.rs"),
            ("<svc::cache::Key as core::clone::Clone>::clone", "/srv/src/cache.rs"),
            ("stdlib_helper", "/srv/stdlib.c"),
            ("my::std::thing", ""),
        ] {
            assert!(!is_standard(function, file), "{function} {file}");
        }
    }
}
