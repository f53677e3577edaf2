//! Descriptors of extents.

use core::sync::atomic::*;

use crate::base::Zeroable;
use crate::page::state::Free;
use crate::page::tree::{Ordered, TreeNode};
use crate::relaxed::{Listed, Node, Relaxed};
use crate::units::PAGE;

/// An extent: pages side by side that came from the hooks in one piece, or were cut from such.
///
/// **Synchronization**: guarded by the lock of the [`Pac`](super::Pac) it belongs to; while it is on no list of it and in no
/// pool, by whoever took it out.
#[derive(Default)]
pub struct Span {
    base: AtomicPtr<u8>,
    /// Length.
    pub npages: AtomicUsize,
    /// Age: lower is older. Parts inherit it.
    pub serial: AtomicUsize,
    /// One more than the [`Free`] state of the pool that it is in; 0 for none: in use, or out to be purged.
    state: AtomicU8,
    /// Whether the pages may be used without asking the hooks.
    pub committed: AtomicBool,
    /// Whether all pages read as zero.
    pub zeroed: AtomicBool,
    /// Whether the hooks gave it as it begins: it is never joined to what lies below.
    pub head: AtomicBool,
    /// Whether it stands for objects that were there before the arena's supply became one of extents, of which it is not known where each
    /// begins.
    pub blurred: AtomicBool,
    by_address: TreeNode<Span>,
    by_age: TreeNode<Span>,
    queue: Node<Span>,
}

// SAFETY: numbers, null pointers and empty links are all zero.
unsafe impl Zeroable for Span {}

/// Key of the tree of all extents of an arena.
pub struct ByAddress;
/// Key of the tree of the free extents of a state and class: the oldest, of those the lowest, first.
pub struct ByAge;
/// Key of the list that a span is on: its pool's, of those taken out to be purged, or of unused descriptors.
pub struct Queued;

impl Ordered<ByAddress> for Span {
    type Key = usize;
    fn key(&self) -> usize {
        self.base().addr()
    }
    fn tree_node(&self) -> &TreeNode<Span> {
        &self.by_address
    }
}

impl Ordered<ByAge> for Span {
    type Key = (usize, usize);
    fn key(&self) -> (usize, usize) {
        (self.serial.get(), self.base().addr())
    }
    fn tree_node(&self) -> &TreeNode<Span> {
        &self.by_age
    }
}

impl Listed<Queued> for Span {
    fn node(&self) -> &Node<Span> {
        &self.queue
    }
}

/// What a fresh span describes.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// First byte.
    pub base: *mut u8,
    /// Length.
    pub npages: usize,
    /// See [`Span::serial`].
    pub serial: usize,
    /// See [`Span::zeroed`].
    pub zeroed: bool,
    /// See [`Span::committed`].
    pub committed: bool,
    /// See [`Span::head`].
    pub head: bool,
}

impl Span {
    /// Describes pages that no other span of the arena describes.
    pub fn describe(&self, origin: Origin) {
        self.base.set(origin.base);
        self.npages.set(origin.npages);
        self.serial.set(origin.serial);
        self.zeroed.set(origin.zeroed);
        self.committed.set(origin.committed);
        self.head.set(origin.head);
        self.blurred.set(false);
        self.state.set(0);
    }

    /// First byte.
    pub fn base(&self) -> *mut u8 {
        self.base.get()
    }

    /// First byte behind it.
    pub fn end(&self) -> *mut u8 {
        self.base().wrapping_add(self.bytes())
    }

    /// Length in bytes.
    pub fn bytes(&self) -> usize {
        self.npages.get() * PAGE
    }

    /// State of the pool that it is in.
    pub fn state(&self) -> Option<Free> {
        match self.state.get() {
            0 => None,
            n => Free::ALL.get(n as usize - 1).copied(),
        }
    }

    /// Notes the pool that it goes to, or that it leaves one.
    pub fn set_state(&self, state: Option<Free>) {
        self.state.set(state.map_or(0, |state| state as u8 + 1));
    }

    /// Pages between the start and the first one whose address is a multiple of `align` pages.
    pub fn lead(&self, align: usize) -> usize {
        let base = self.base().addr();
        base.checked_next_multiple_of(align * PAGE).map_or(usize::MAX / PAGE, |at| (at - base) / PAGE)
    }

    /// Whether `npages` fit into it at a multiple of `align` pages.
    pub fn fits(&self, npages: usize, align: usize) -> bool {
        self.lead(align).checked_add(npages).is_some_and(|end| end <= self.npages.get())
    }
}
