//! The four statistics that articles print, read as they read them with `tikv-jemalloc-ctl`.

use jealloc::ctl::{epoch, stats};

#[global_allocator]
static ALLOC: jealloc::Jealloc = jealloc::Jealloc;

fn main() -> jealloc::ctl::Result<()> {
    let block = vec![1u8; 10 << 20];

    // Names are translated once; reading by number costs less.
    let now = epoch::mib()?;
    let (allocated, active) = (stats::allocated::mib()?, stats::active::mib()?);
    let (resident, mapped) = (stats::resident::mib()?, stats::mapped::mib()?);

    // Statistics stand still between two epochs.
    now.advance()?;
    println!("stats.allocated: {}", allocated.read()?);
    println!("stats.active: {}", active.read()?);
    println!("stats.resident: {}", resident.read()?);
    println!("stats.mapped: {}", mapped.read()?);

    drop(std::hint::black_box(block));
    Ok(())
}
