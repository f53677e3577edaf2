//! Fields that one holder of a lock (or one thread) writes and anybody may read: relaxed atomics, which compile to
//! plain loads and stores. A reader without the lock sees some recent value; a holder sees the truth.

mod pool;

use core::sync::atomic::*;

pub use pool::Pool;

/// Relaxed load, store and unshared update.
pub trait Relaxed {
    /// The plain type.
    type Value: Copy;
    /// Loads.
    fn get(&self) -> Self::Value;
    /// Stores.
    fn set(&self, value: Self::Value);
    /// Load, change, store: for the one writer only, not atomic as a whole.
    #[inline(always)]
    fn change(&self, to: impl FnOnce(Self::Value) -> Self::Value) {
        self.set(to(self.get()));
    }
}

macro_rules! relaxed {
    ($($atomic:ty => $value:ty),*) => {$(
        impl Relaxed for $atomic {
            type Value = $value;
            #[inline(always)]
            fn get(&self) -> $value {
                self.load(Ordering::Relaxed)
            }
            #[inline(always)]
            fn set(&self, value: $value) {
                self.store(value, Ordering::Relaxed)
            }
        }
    )*};
}

relaxed!(AtomicU8 => u8, AtomicU16 => u16, AtomicU32 => u32, AtomicI32 => i32, AtomicU64 => u64, AtomicI64 => i64,
    AtomicUsize => usize, AtomicIsize => isize, AtomicBool => bool);

impl<T> Relaxed for AtomicPtr<T> {
    type Value = *mut T;
    #[inline(always)]
    fn get(&self) -> *mut T {
        self.load(Ordering::Relaxed)
    }
    #[inline(always)]
    fn set(&self, value: *mut T) {
        self.store(value, Ordering::Relaxed)
    }
}

/// A link to a structure in base memory, which lives for ever. All-zero is the empty link.
pub struct Link<T: 'static>(AtomicPtr<T>);

impl<T> Link<T> {
    /// The empty link.
    pub const fn new() -> Link<T> {
        Link(AtomicPtr::new(core::ptr::null_mut()))
    }

    /// The structure linked to.
    #[inline(always)]
    pub fn get(&self) -> Option<&'static T> {
        // SAFETY: `set` stores only references that live for ever, or null.
        unsafe { self.0.load(Ordering::Relaxed).as_ref() }
    }

    /// [`Link::get`] for a structure that another thread published with [`Link::publish`].
    #[inline(always)]
    pub fn acquire(&self) -> Option<&'static T> {
        // Acquire pairs with the Release in `publish`.
        // SAFETY: as in `get`.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }

    /// [`Link::set`] for all threads: whoever finds the structure by [`Link::acquire`] finds it as it is now.
    pub fn publish(&self, target: &'static T) {
        self.0.store(core::ptr::from_ref(target).cast_mut(), Ordering::Release);
    }

    /// Links to `target`, or to nothing.
    #[inline(always)]
    pub fn set(&self, target: Option<&'static T>) {
        self.0.store(
            target.map_or(core::ptr::null_mut(), |t| core::ptr::from_ref(t).cast_mut()),
            Ordering::Relaxed,
        );
    }
}

impl<T> Default for Link<T> {
    fn default() -> Self {
        Link::new()
    }
}

/// Doubly linked list membership: a structure has one [`Node`] per list that it can be on.
#[derive(Default)]
pub struct Node<T: 'static> {
    next: Link<T>,
    prev: Link<T>,
}

impl<T> Node<T> {
    /// The one in front, when this is on a list.
    pub fn before(&self) -> Option<&'static T> {
        self.prev.get()
    }
}

/// How to find the [`Node`] of a structure for a list; a zero-sized key tells two lists of one type apart.
pub trait Listed<Key>: Sized + 'static {
    /// The node.
    fn node(&self) -> &Node<Self>;
}

/// A stack of structures in base memory that anybody pushes to without a lock, and that is only ever taken as a whole: so what is on top
/// is never taken and pushed again behind the back of who pushes (no ABA). A structure that is on it is on no [`List`] of the same key.
///
/// **Ordering**: who takes what was pushed sees all that was written before.
pub struct Stack<T: Listed<K>, K> {
    top: AtomicPtr<T>,
    key: core::marker::PhantomData<fn() -> K>,
}

impl<T: Listed<K>, K> Default for Stack<T, K> {
    fn default() -> Self {
        Stack::new()
    }
}

impl<T: Listed<K>, K> Stack<T, K> {
    /// What is on top of a stack that takes nothing: no structure is at address 1.
    const CLOSED: *mut T = core::ptr::without_provenance_mut(1);

    /// The empty stack.
    pub const fn new() -> Stack<T, K> {
        Stack { top: AtomicPtr::new(core::ptr::null_mut()), key: core::marker::PhantomData }
    }

    /// What is on a stack from which nothing is ever taken, the last one first.
    pub fn iter(&self) -> impl Iterator<Item = &'static T> + use<T, K> {
        Self::from(self.top.load(Ordering::Acquire))
    }

    /// Puts `item` on top; `false` when the stack is closed.
    pub fn push(&self, item: &'static T) -> bool {
        let mut top = self.top.get();
        loop {
            if top == Self::CLOSED {
                return false;
            }
            // SAFETY: null, or from a reference that lives for ever.
            item.node().next.set(unsafe { top.as_ref() });
            let new = core::ptr::from_ref(item).cast_mut();
            match self.top.compare_exchange_weak(top, new, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => top = now,
            }
        }
    }

    /// Whether there is something on it.
    #[inline]
    pub fn is_some(&self) -> bool {
        self.top.get().addr() > Self::CLOSED.addr()
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.top.get() == Self::CLOSED
    }

    /// Takes all, the last one first; each may be pushed again as soon as it was answered. Only one thread at a time may take, close or open.
    pub fn take_all(&self) -> impl Iterator<Item = &'static T> + use<T, K> {
        let top = if self.is_some() {
            self.top.swap(core::ptr::null_mut(), Ordering::Acquire)
        } else {
            core::ptr::null_mut()
        };
        Self::from(top)
    }

    /// Takes the last one that came, of a stack that is never closed. Any number of threads may, beside one that takes all: each has all
    /// for a moment, in which
    /// others find it empty.
    pub fn pop(&self) -> Option<&'static T> {
        let first = self.take_all().next()?;
        if let Some(rest) = first.node().next.get() {
            let rest_ptr = core::ptr::from_ref(rest).cast_mut();
            let none = core::ptr::null_mut();
            if self.top.compare_exchange(none, rest_ptr, Ordering::Release, Ordering::Relaxed).is_err() {
                Self::from(rest_ptr).for_each(|item| _ = self.push(item));
            }
        }
        Some(first)
    }

    /// Takes all, and takes nothing more until [`Stack::open`].
    pub fn close(&self) -> impl Iterator<Item = &'static T> + use<T, K> {
        let top = self.top.swap(Self::CLOSED, Ordering::Acquire);
        Self::from(if top == Self::CLOSED { core::ptr::null_mut() } else { top })
    }

    /// Ends [`Stack::close`].
    pub fn open(&self) {
        // Fails when it is open.
        let _ = self.top.compare_exchange(
            Self::CLOSED,
            core::ptr::null_mut(),
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
    }

    /// A structure and all below it.
    fn from(top: *mut T) -> impl Iterator<Item = &'static T> + use<T, K> {
        // SAFETY: null, or from a reference that lives for ever.
        let mut at: Option<&'static T> = unsafe { top.as_ref() };
        core::iter::from_fn(move || {
            let item = at?;
            at = item.node().next.get();
            Some(item)
        })
    }
}

/// A doubly linked list of structures in base memory, guarded by the lock of whoever owns it.
pub struct List<T: Listed<K>, K> {
    head: Link<T>,
    key: core::marker::PhantomData<fn() -> K>,
}

impl<T: Listed<K>, K> Default for List<T, K> {
    fn default() -> Self {
        List::new()
    }
}

impl<T: Listed<K>, K> List<T, K> {
    /// The empty list.
    pub const fn new() -> List<T, K> {
        List { head: Link::new(), key: core::marker::PhantomData }
    }

    /// The first one.
    pub fn first(&self) -> Option<&'static T> {
        self.head.get()
    }

    /// Puts `item`, which is on no list of this key, in front.
    pub fn push(&self, item: &'static T) {
        let old = self.head.get();
        item.node().prev.set(None);
        item.node().next.set(old);
        if let Some(old) = old {
            old.node().prev.set(Some(item));
        }
        self.head.set(Some(item));
    }

    /// Puts `item`, which is on no list of this key, behind `last`, the last one of this list.
    pub fn push_after(&self, last: &'static T, item: &'static T) {
        item.node().prev.set(Some(last));
        item.node().next.set(None);
        last.node().next.set(Some(item));
    }

    /// Takes `item`, which is on this list, off it.
    pub fn remove(&self, item: &'static T) {
        let (next, prev) = (item.node().next.get(), item.node().prev.get());
        match prev {
            Some(prev) => prev.node().next.set(next),
            None => self.head.set(next),
        }
        if let Some(next) = next {
            next.node().prev.set(prev);
        }
    }

    /// Takes the first one off.
    pub fn pop(&self) -> Option<&'static T> {
        let first = self.head.get()?;
        self.remove(first);
        Some(first)
    }

    /// From the front. The current item may be removed while iterating.
    pub fn iter(&self) -> impl Iterator<Item = &'static T> + use<T, K> {
        let mut at = self.head.get();
        core::iter::from_fn(move || {
            let item = at?;
            at = item.node().next.get();
            Some(item)
        })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::boxed::Box;

    #[derive(Default)]
    struct Item {
        node: Node<Item>,
        times: AtomicUsize,
    }
    impl Listed<()> for Item {
        fn node(&self) -> &Node<Item> {
            &self.node
        }
    }

    #[test]
    fn a_closed_stack_takes_nothing_until_it_is_opened() {
        let stack = Stack::<Item, ()>::default();
        let items: [&'static Item; 3] = core::array::from_fn(|_| &*Box::leak(Box::<Item>::default()));
        assert!(!stack.is_some() && items.iter().all(|item| stack.push(item)) && stack.is_some());
        assert!(stack.take_all().zip(items.iter().rev()).all(|(found, item)| core::ptr::eq(found, *item)));
        assert!(stack.push(items[0]));
        assert_eq!((stack.close().count(), stack.close().count(), stack.take_all().count()), (1, 0, 0));
        assert!(stack.is_closed() && !stack.is_some() && !stack.push(items[1]));
        stack.open();
        assert!(!stack.is_closed() && stack.push(items[1]) && stack.take_all().count() == 1);
    }

    #[test]
    fn what_many_push_is_popped_once_each_time() {
        const ROUNDS: usize = 20_000;
        let stack = &Stack::<Item, ()>::default();
        let items: [&'static Item; 12] = core::array::from_fn(|_| &*Box::leak(Box::<Item>::default()));
        items.iter().for_each(|item| assert!(stack.push(item)));
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(move || {
                    for round in 0..ROUNDS {
                        let Some(item) = stack.pop() else { continue };
                        assert_eq!(
                            item.times.swap(1, Ordering::Relaxed),
                            0,
                            "round {round}: another thread has it"
                        );
                        item.times.set(0);
                        assert!(stack.push(item));
                    }
                });
            }
            // As the holder of a lock does.
            for _ in 0..ROUNDS / 4 {
                stack.take_all().for_each(|item| {
                    assert_eq!(item.times.swap(1, Ordering::Relaxed), 0, "another thread has it");
                    item.times.set(0);
                    assert!(stack.push(item));
                });
            }
        });
        assert_eq!(core::iter::from_fn(|| stack.pop()).count(), items.len(), "none is lost");
    }

    #[test]
    fn what_many_push_is_taken_once_each_time() {
        const ROUNDS: usize = 5_000;
        let stack = &Stack::<Item, ()>::default();
        let taker = &std::sync::Mutex::new(());
        let items: [&'static Item; 4] = core::array::from_fn(|_| &*Box::leak(Box::<Item>::default()));
        std::thread::scope(|s| {
            for item in items {
                s.spawn(move || {
                    for round in 0..ROUNDS {
                        assert!(stack.push(item));
                        let _lock = taker.lock().unwrap();
                        stack.take_all().for_each(|item| item.times.change(|n| n + 1));
                        assert_eq!(item.times.get(), round + 1);
                    }
                });
            }
        });
        assert!(items.iter().all(|item| item.times.get() == ROUNDS));
    }
}
