//! Random symbolized files.

use std::fmt::Write;

use prof_format::testing::Random;

/// In which form the profile of a symbolized file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// jemalloc's, sampled at this mean distance, with threads.
    HeapV2(u64),
    /// gperftools', with this word behind the `@`.
    Text(&'static str),
}

/// Names that put the rules for names to the test: brackets of all kinds, blanks, allocation functions, start
/// addresses, separators of other formats, nothing that is left.
const ODD_NAMES: &[&str] = &[
    "main",
    "grab(unsigned long)<0000000000002970>",
    "grab(int)<0000000000002a10>",
    "grab(int)<0000000000002b10>",
    "A::go(int (*)(void)) const",
    "std::vector<int, std::allocator<int> >::push_back(int const&)",
    "std::_Function_handler<void (), main::{lambda()#1}>::_M_invoke(std::_Any_data const&)",
    "void run<int>::go(int)",
    "void* newImpl<false>(unsigned long)",
    "operator new(unsigned long)",
    "operator new[](unsigned long)",
    "malloc",
    "_calloc",
    "tcmalloc::Sampler::Record",
    "my::TCMallocGuard::go",
    "_rjem_je_prof_backtrace",
    "__rust_alloc",
    "<alloc::vec::Vec<T,A> as core::iter::Extend<T>>::extend",
    "<alloc::string::String as core::fmt::Write>::write_str",
    "alloc::raw_vec::RawVec<T,A>::grow_one",
    "core::ops::function::FnOnce::call_once{{vtable.shim}}",
    "svc::cache::Cache<K,V>::insert::{{closure}}",
    "base::Callback<void (int)>::Runner",
    "recurse",
    "work;with;semicolons",
    "two words",
    "??",
    "f",
    "operator<(A, B)",
    "operator->",
    "a::b::c (.cold)",
    "na\u{ef}ve::\u{fc}ber",
    "x@@GLIBC_2.2.5",
    "\"quoted\"",
    "sum+difference*product^2|either",
];

/// Names that need no rule, so that nothing is to be expected of a listed difference.
const PLAIN_NAMES: &[&str] = &[
    "main",
    "serve",
    "parse_request",
    "svc::cache::insert",
    "svc::cache::grow",
    "a::b::c",
    "handle",
    "load_index",
    "f",
    "g",
    "Widget::draw",
    "recurse",
    "worker_loop",
    "std::string::append",
];

/// Which names a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// Of every kind, and inlined functions.
    Odd,
    /// Of the plainest kind, nothing inlined.
    Plain,
}

/// One random symbolized file: recursion, inlined functions, addresses without a name, stacks that only differ in
/// addresses, stacks that occur twice, figures of zero. Files of equal `seed` agree in code and stacks, whatever
/// `figures` is, so that one can be the base of another.
pub fn symbolized(seed: u64, figures: u64, form: Form, names: Names) -> String {
    let mut random = Random::new(seed);
    let mut out = String::from("--- symbol\nbinary=/opt/demo/app\n");
    // A return address is looked up one byte before it, a leaf as it is, so both are given names.
    let addresses: Vec<u64> =
        (0..70).map(|index| 0x5500_0000_1000 + 0x10 * index + random.below(8)).collect();
    let mut pick = |names: &'static [&str]| names[random.below(names.len() as u64) as usize];
    for (index, address) in addresses.iter().enumerate() {
        if index % 11 == 10 {
            continue;
        }
        let names: Vec<&str> = match names {
            Names::Odd => (0..1 + [0, 0, 1, 0, 2][index % 5]).map(|_| pick(ODD_NAMES)).collect(),
            Names::Plain => vec![pick(PLAIN_NAMES)],
        };
        for known in [address - 1, *address] {
            let _ = writeln!(out, "0x{known:016x} {}", names.join("--"));
        }
    }
    out.push_str("---\n--- heap\n");
    let stacks: Vec<Vec<u64>> = (0..60)
        .map(|_| {
            let depth = 1 + random.below(9);
            let mut stack: Vec<u64> =
                (0..depth).map(|_| addresses[random.below(addresses.len() as u64) as usize]).collect();
            if random.below(4) == 0 {
                // Recursion.
                stack.push(stack[0]);
                stack.push(stack[0]);
            }
            stack
        })
        .collect();
    let mut random = Random::new(figures);
    // jeprof divides by zero where gperftools' first form has no objects.
    let has_zeros = matches!(form, Form::HeapV2(_));
    let mut pair = || match random.below(6) {
        0 if has_zeros => (0, 0),
        _ => {
            let objects = 1 + random.below(900);
            (objects, objects * (8 + random.below(9000)) + random.below(objects))
        }
    };
    let mut pairs = || {
        let ((n, s), (more, bytes)) = (pair(), pair());
        (n, s, n + more, s + bytes)
    };
    let text = |stack: &[u64]| stack.iter().map(|address| format!(" {address:#x}")).collect::<String>();
    match form {
        Form::HeapV2(period) => {
            let _ = write!(
                out,
                "heap_v2/{period}\n  t*: 1: 2 [3: 4]\n  t0: 1: 2 [3: 4]\n  t12: 1: 2 [3: 4] worker\n"
            );
            for (index, stack) in stacks.iter().enumerate() {
                let (a, b) = (pairs(), pairs());
                let _ = writeln!(out, "@{}", text(stack));
                let _ = writeln!(out, "  t*: {}: {} [{}: {}]", a.0 + b.0, a.1 + b.1, a.2 + b.2, a.3 + b.3);
                for (thread, (n, s, objects, bytes)) in [(0, a), (12, b)] {
                    if index % 3 != thread as usize {
                        let _ = writeln!(out, "  t{thread}: {n}: {s} [{objects}: {bytes}]");
                    }
                }
            }
        }
        Form::Text(kind) => {
            let _ = writeln!(out, "heap profile: 1: 2 [3: 4] @ {kind}");
            for stack in &stacks {
                let (n, s, objects, bytes) = pairs();
                let _ = writeln!(out, "{n}: {s} [{objects}: {bytes}] @{}", text(stack));
            }
        }
    }
    out.push_str("\nMAPPED_LIBRARIES:\n");
    out
}
