//! What the profiler keeps its tables in, and the few raw loads that an unwinder needs.
//!
//! The profiler runs inside `malloc`, so everything it keeps lies in anonymous mappings of its own, which are noted as its own:
//! [`Map`] is one mapping, [`Rows`] a vector of fixed room, [`Array`] an append-only array that grows by doubling chunks
//! without moving anything. Nothing here knows what is stored.

use core::{
    ptr::{self, NonNull},
    sync::atomic::{AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering},
};

use crate::{mapping, own_pages};

/// Types for which zeroed memory is a value, and which are shared between threads.
///
/// # Safety
/// All-zero bytes are a valid value of the type.
pub unsafe trait Zeroed: Sync + Sized + 'static {}

// SAFETY: an atomic integer has the layout of its integer, for which zero is a value.
unsafe impl Zeroed for AtomicU8 {}
// SAFETY: as above.
unsafe impl Zeroed for AtomicU32 {}
// SAFETY: as above.
unsafe impl Zeroed for AtomicU64 {}
// SAFETY: as above.
unsafe impl Zeroed for AtomicUsize {}

/// One private anonymous mapping, zeroed, touched lazily; unmapped on drop.
pub struct Map {
    base: NonNull<u8>,
    bytes: usize,
}

impl Map {
    /// At least `bytes` bytes (one page if 0); `None` when the kernel gives none. One or two system calls.
    pub fn new(bytes: usize) -> Option<Map> {
        let mapping = mapping::map(bytes)?;
        let map = Map { base: mapping.cast(), bytes: mapping.len() };
        own_pages::add(map.base.as_ptr().addr(), map.bytes);
        Some(map)
    }

    /// The whole mapping as shared values.
    pub fn as_slice<T: Zeroed>(&self) -> &[T] {
        const { assert!(align_of::<T>() <= 4096) };
        // SAFETY: the mapping is readable and writable, page aligned, at least this long and lives as long as
        // `self`; `T: Zeroed` makes its zeroed bytes values, and only shared references to it are ever given out.
        unsafe { core::slice::from_raw_parts(self.base.as_ptr().cast::<T>(), self.bytes / size_of::<T>()) }
    }

    /// Gives up ownership until [`Map::adopt`].
    pub fn part(self) -> *mut u8 {
        let base = self.base.as_ptr();
        core::mem::forget(self);
        base
    }

    /// Owns again what [`Map::part`] let go.
    ///
    /// # Safety
    /// 1. `base` is from [`Map::part`] of a map that was asked for with the same `bytes`, above 0, and nobody else owns it.
    pub unsafe fn adopt(base: NonNull<u8>, bytes: usize) -> Map {
        Map { base, bytes: bytes.next_multiple_of(4096) }
    }

    /// Gives up ownership: the mapping stays for the rest of the process. The address of its first byte.
    pub fn leak<T: Zeroed>(self) -> *mut T {
        const { assert!(align_of::<T>() <= 4096) };
        let base = self.base.as_ptr().cast::<T>();
        core::mem::forget(self);
        base
    }
}

// SAFETY: it owns its mapping, which belongs to no thread.
unsafe impl Send for Map {}

/// Types for which zeroed memory is a value, for one user at a time.
///
/// # Safety
/// All-zero bytes are a valid value of the type, and it needs no drop.
pub unsafe trait Plain: Sized + 'static {}

// SAFETY: integers.
unsafe impl Plain for u8 {}
// SAFETY: integers.
unsafe impl Plain for u32 {}
// SAFETY: integers.
unsafe impl Plain for u64 {}
// SAFETY: buffers and counters of plain integers, as its documentation says.
unsafe impl Plain for prof_format::gzip::GzipState {}

/// A zeroed mapping with room for a fixed number of values: a vector that can not grow. Unmapped on drop.
pub struct Rows<T: Plain> {
    map: Map,
    used: usize,
    limit: usize,
    values: core::marker::PhantomData<T>,
}

impl<T: Plain> Rows<T> {
    /// Room for `limit` values; memory is touched only as they are pushed.
    pub fn new(limit: usize) -> Option<Rows<T>> {
        const { assert!(align_of::<T>() <= 4096) };
        let map = Map::new(limit.checked_mul(size_of::<T>())?)?;
        Some(Rows { map, used: 0, limit, values: core::marker::PhantomData })
    }

    /// All of its room, in use from the start: zeroed values.
    pub fn zeroed(limit: usize) -> Option<Rows<T>> {
        let mut rows = Rows::new(limit)?;
        rows.used = limit;
        Some(rows)
    }

    /// Appends a value; `None` when it is full.
    pub fn push(&mut self, value: T) -> Option<()> {
        if self.used >= self.limit {
            return None;
        }
        self.used += 1;
        *self.last_mut()? = value;
        Some(())
    }

    /// Keeps the first `count` values, if there are as many.
    pub fn truncate(&mut self, count: usize) {
        self.used = self.used.min(count);
    }
}

impl<T: Plain> core::ops::Deref for Rows<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the mapping holds `limit >= used` values, zeroed (a value, by `T: Plain`) or written, and lives as
        // long as `self`; writing needs `&mut self`.
        unsafe { core::slice::from_raw_parts(self.map.base.as_ptr().cast::<T>(), self.used) }
    }
}

impl<T: Plain> core::ops::DerefMut for Rows<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as for `deref`, and `&mut self` makes this the only reference.
        unsafe { core::slice::from_raw_parts_mut(self.map.base.as_ptr().cast::<T>(), self.used) }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        own_pages::remove(self.base.as_ptr().addr(), self.bytes);
        // SAFETY: `self` owns the mapping, all of it, and every reference into it borrowed from `self`.
        unsafe { mapping::unmap(NonNull::slice_from_raw_parts(self.base, self.bytes)) };
    }
}

/// Publishes a lazily made chunk: returns what `slot` holds, mapping `bytes` bytes when it is empty.
///
/// **Synchronization:** whoever loses the race to publish unmaps its own attempt. The release of the winner pairs
/// with the acquire of every reader of `slot`.
pub fn chunk<T: Zeroed>(slot: &AtomicPtr<T>, bytes: usize) -> Option<*mut T> {
    let held = slot.load(Ordering::Acquire);
    if held.is_null() { new_chunk(slot, bytes) } else { Some(held) }
}

#[cold]
#[inline(never)]
fn new_chunk<T: Zeroed>(slot: &AtomicPtr<T>, bytes: usize) -> Option<*mut T> {
    let map = Map::new(bytes)?;
    let mine = map.base.as_ptr().cast::<T>();
    match slot.compare_exchange(ptr::null_mut(), mine, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => Some(map.leak()),
        Err(theirs) => Some(theirs),
    }
}

/// Append-only array of shared values that never move. Chunk `k` holds `FIRST << k` elements.
pub struct Array<T, const FIRST: u32> {
    chunks: [AtomicPtr<T>; CHUNKS],
    next: AtomicU32,
}

const CHUNKS: usize = 20;

impl<T: Zeroed, const FIRST: u32> Array<T, FIRST> {
    /// One past the largest index.
    const LIMIT: u32 = {
        assert!(FIRST.is_power_of_two() && (FIRST as u64) << CHUNKS <= u32::MAX as u64);
        (FIRST << CHUNKS) - FIRST
    };

    /// Empty; maps nothing.
    pub const fn new() -> Self {
        Array { chunks: [const { AtomicPtr::new(ptr::null_mut()) }; CHUNKS], next: AtomicU32::new(0) }
    }

    /// Chunk of an index below `LIMIT`, and the place in it.
    fn locate(index: u32) -> (usize, u32) {
        let chunk = (index / FIRST + 1).ilog2();
        (chunk as usize, index - ((FIRST << chunk) - FIRST))
    }

    /// Elements handed out so far, including those skipped at the end of a chunk.
    pub fn len(&self) -> u32 {
        self.next.load(Ordering::Acquire)
    }

    /// `count` zeroed neighbours and the index of the first; `None` when the kernel gives no memory, or `count` is
    /// larger than the first chunk, or the array is full.
    pub fn alloc(&self, count: u32) -> Option<(u32, &[T])> {
        let mut next = self.next.load(Ordering::Relaxed);
        loop {
            if count > FIRST || next >= Self::LIMIT {
                return None;
            }
            let (mut at, offset) = Self::locate(next);
            let mut start = next;
            // Neighbours lie in one chunk: what is left of this one is skipped when it is too little.
            if offset + count > FIRST << at {
                at += 1;
                start = (FIRST << at) - FIRST;
            }
            let end = start.checked_add(count).filter(|end| *end <= Self::LIMIT)?;
            chunk(self.chunks.get(at)?, size_of::<T>() << (FIRST.trailing_zeros() as usize + at))?;
            match self.next.compare_exchange_weak(next, end, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Some((start, self.slice(start, count)?)),
                Err(current) => next = current,
            }
        }
    }

    /// `count` neighbours from `start`; `None` when they are not within one mapped chunk.
    pub fn slice(&self, start: u32, count: u32) -> Option<&[T]> {
        if start >= Self::LIMIT {
            return None;
        }
        let (at, offset) = Self::locate(start);
        let base = self.chunks.get(at)?.load(Ordering::Acquire);
        if base.is_null() || offset.checked_add(count)? > FIRST << at {
            return None;
        }
        // SAFETY: chunk `at` holds `FIRST << at` elements and `offset` is below that (`locate`).
        let first = unsafe { base.add(offset as usize) };
        // SAFETY: `first` and the `count - 1` after it lie in the chunk (checked above), which is zeroed or written
        // through shared references only, and stays mapped for the rest of the process.
        Some(unsafe { core::slice::from_raw_parts(first, count as usize) })
    }

    /// One element.
    #[inline]
    pub fn get(&self, index: u32) -> Option<&T> {
        if index >= Self::LIMIT {
            return None;
        }
        // As `locate`, of which nothing is left here but that.
        let numbered = index + FIRST;
        let lg = numbered.ilog2();
        let base = self.chunks.get((lg - FIRST.ilog2()) as usize)?.load(Ordering::Acquire);
        if base.is_null() {
            return None;
        }
        // SAFETY: chunk `at` holds `FIRST << at`, which is `1 << lg`, elements, and the offset is below that; it is zeroed or
        // written through shared references only, and stays mapped for the rest of the process.
        Some(unsafe { &*base.add((numbered ^ 1 << lg) as usize) })
    }
}

/// Reads the machine word at `address`.
///
/// # Safety
/// 1. `address` is a multiple of 8.
/// 2. The 8 bytes there are mapped and readable.
#[inline(always)]
pub unsafe fn load_word(address: usize) -> usize {
    // SAFETY: the caller's two promises. Volatile: the compiler knows nothing of frames below ours.
    unsafe { ptr::with_exposed_provenance::<usize>(address).read_volatile() }
}

/// The bytes of a mapped read-only range.
///
/// # Safety
/// 1. The range is mapped, readable, and stays so for as long as the slice is used.
/// 2. Nobody writes to it meanwhile.
/// 3. It is not longer than `isize::MAX`.
pub unsafe fn foreign_bytes<'a>(range: core::ops::Range<usize>) -> &'a [u8] {
    let first = ptr::with_exposed_provenance::<u8>(range.start);
    // SAFETY: the caller's promises; bytes need no alignment and any value is one.
    unsafe { core::slice::from_raw_parts(first, range.end.saturating_sub(range.start)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_lie_in_one_chunk_and_keep_their_values_while_the_array_grows() {
        let array: Array<AtomicU32, 64> = Array::new();
        let mut rows = std::vec::Vec::new();
        for n in 0..500 {
            let count = n % 60 + 1;
            let (start, row) = array.alloc(count).unwrap();
            row.iter().for_each(|cell| assert_eq!(cell.swap(n, Ordering::Relaxed), 0));
            rows.push((start, count));
        }
        for (n, (start, count)) in rows.iter().enumerate() {
            let row = array.slice(*start, *count).unwrap();
            assert!(row.iter().all(|cell| cell.load(Ordering::Relaxed) == n as u32));
        }
    }

    #[test]
    fn more_than_the_first_chunk_at_once_is_refused_and_nothing_is_lost() {
        let array: Array<AtomicU64, 64> = Array::new();
        assert!(array.alloc(65).is_none());
        assert_eq!(array.alloc(64).unwrap().0, 0);
        assert!(array.get(64).is_none());
        assert!(array.get(u32::MAX).is_none());
    }

    #[test]
    fn rows_take_as_many_values_as_they_have_room_for() {
        let mut rows = Rows::<u64>::new(3).unwrap();
        assert!((0..3).all(|n| rows.push(n * 5).is_some()));
        assert!(rows.push(9).is_none());
        assert_eq!(*rows, [0, 5, 10]);
        assert_eq!(*Rows::<u32>::zeroed(2).unwrap(), [0, 0]);
        assert!(Rows::<u64>::new(usize::MAX).is_none());
    }

    #[test]
    fn a_mapping_is_zeroed_and_whole() {
        let map = Map::new(10_000).unwrap();
        let words = map.as_slice::<AtomicU64>();
        assert_eq!(words.len(), 12_288 / 8);
        assert!(words.iter().all(|word| word.load(Ordering::Relaxed) == 0));
        assert!(Map::new(usize::MAX - 4096).is_none());
    }
}
