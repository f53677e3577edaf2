//! Functions that nobody calls: their names stand in stacks for what is not there, in every viewer.

use core::{ffi::c_int, hint::black_box};

/// Stands for all stacks that were met when there were as many as `prof_max_stacks` allows, or no memory for more.
#[inline(never)]
extern "C" fn prof_dropped_stacks() -> c_int {
    // Different code for each, so that the linker does not fold them.
    black_box(1)
}

/// Stands for the callers of a stack that was cut at `prof_bt_max`.
#[inline(never)]
extern "C" fn prof_truncated_stack() -> c_int {
    black_box(2)
}

/// Return addresses inside of them: of the dropped stacks, of what is missing of a cut one.
pub fn addresses() -> [usize; 2] {
    [prof_dropped_stacks as extern "C" fn() -> c_int, prof_truncated_stack]
        .map(|function| function as usize + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_functions_are_two() {
        let [dropped, truncated] = addresses();
        assert!(dropped.abs_diff(truncated) > 1);
        assert_eq!((prof_dropped_stacks(), prof_truncated_stack()), (1, 2));
    }
}
