//! The profiler's tables as a dump looks at them, while threads go on writing to them.

use crate::{
    context::Contexts,
    labels::Labels,
    live::Live,
    reach::Marks,
    settings::Ask,
    stack_table::{StackId, StackTable},
    threads::Threads,
    unwind::cache::RuleCache,
};

/// See the module's head.
pub struct Tables<'a> {
    /// Address ids.
    pub addresses: &'a RuleCache,
    /// Stacks.
    pub stacks: &'a StackTable,
    /// Counts.
    pub contexts: &'a Contexts,
    /// Names.
    pub threads: &'a Threads,
    /// Labels of threads.
    pub labels: &'a Labels,
    /// The living.
    pub live: &'a Live,
    /// Id of the address that stands for what is missing of a cut stack; 0 for none.
    pub truncated: u32,
    /// Now, on the clock of their births.
    pub now_nanos: u64,
    /// Which counts hold.
    pub generation: u32,
    /// Whether accumulated counts are asked for.
    pub accum: bool,
    /// How full the slabs of objects are, if that is asked for.
    pub fullness: Option<Ask>,
    /// Which of the living are reached, if that was found out.
    pub marks: Option<&'a Marks>,
}

impl Tables<'_> {
    /// Return addresses of a stack, leaf first; how many there are.
    pub fn trace(&self, stack: StackId, trace: &mut [u64]) -> usize {
        let address = |id| self.addresses.site(id).map_or(0, |site| site.as_return_address());
        trace.iter_mut().zip(self.stacks.frames(stack)).map(|(slot, id)| *slot = address(id)).count()
    }
}
