//! What the seeds are compiled from.
#![no_std]

pub mod shapes {
    pub trait Area {
        fn area(&self) -> u64;
    }
    pub struct Square(pub u64);
    impl Area for Square {
        fn area(&self) -> u64 {
            self.0.wrapping_mul(self.0)
        }
    }
}

fn folded<T: shapes::Area>(all: &[T]) -> u64 {
    all.iter().map(|shape| shape.area()).fold(0, |sum, area| sum ^ area)
}

#[inline(never)]
pub fn areas(all: &[shapes::Square]) -> u64 {
    folded(all)
}

#[unsafe(no_mangle)]
pub extern "C" fn rust_entry(side: u64) -> u64 {
    areas(&[shapes::Square(side), shapes::Square(side ^ 1)])
}
