//! Waiting for locks that are held while extent hooks run.

use crate::os::aside::Aside;
use crate::sync::{Guard, Mutex};

/// A lock that is held while pages are given back, waited for; but `None` for an extent hook while somebody has it: that may
/// be the call that has called the hook, or one that waits for it.
pub fn turn<T>(lock: &Mutex<T>) -> Option<Guard<'_, T>> {
    if Aside::is_stepped() { lock.try_lock() } else { Some(lock.lock()) }
}
