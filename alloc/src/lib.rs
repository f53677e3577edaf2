#![no_std]
pub mod base; pub mod extent; pub mod os; pub mod page; pub mod relaxed; pub mod size_class; pub mod sync; pub mod units;
