//! A test program that has not made jealloc its allocator.

use std::panic::catch_unwind;

use jealloc_test::{assert_allocs, assert_no_growth};

#[test]
fn both_assertions_say_what_is_missing_instead_of_passing() {
    for failing in [
        || assert_no_growth!(iterations = 10, warmup = 0, || std::mem::forget(Box::new(1))),
        || assert_allocs!(blocks <= 1, || drop(Box::new(1))),
    ] {
        let payload = catch_unwind(failing).expect_err("it fails");
        let message = payload.downcast_ref::<&str>().expect("a text");
        assert!(message.starts_with("jealloc is not the global allocator of this program"), "{message}");
        assert!(
            message.contains("static ALLOC: jealloc_test::Jealloc = jealloc_test::Jealloc;"),
            "{message}"
        );
    }
}
