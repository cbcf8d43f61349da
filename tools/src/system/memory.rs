//! Memory, with the part that the kernel gives back when asked kept apart from the part that is taken.

use schemars::JsonSchema;
use serde::Serialize;

use super::quantity::percent;

/// Memory of this machine, in bytes.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub(super) struct Memory {
    /// All of it.
    pub(super) total: u64,
    /// In use and not reclaimable.
    pub(super) used: u64,
    /// Reclaimable cache.
    pub(super) cache: u64,
    /// What programs can still get.
    pub(super) available: u64,
    /// Used share of the total, 0 to 100.
    pub(super) percent: f64,
}

/// Swap of this machine, in bytes.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub(super) struct Swap {
    /// All of it; 0 where there is none.
    pub(super) total: u64,
    /// In use.
    pub(super) used: u64,
}

impl Memory {
    /// As last refreshed. `used + cache + free = total`: the kernel's estimate of what can be had decides what counts
    /// as cache, because shared memory and dirty pages cannot be given back.
    pub(super) fn of(machine: &sysinfo::System) -> Self {
        Self::new(machine.total_memory(), machine.available_memory(), machine.free_memory())
    }

    fn new(total: u64, available: u64, free: u64) -> Self {
        let available = available.min(total);
        let used = total - available;
        Self { total, used, cache: available.saturating_sub(free), available, percent: percent(used, total) }
    }
}

impl Swap {
    pub(super) fn of(machine: &sysinfo::System) -> Self {
        Self { total: machine.total_swap(), used: machine.used_swap() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_is_not_counted_as_used() {
        let memory = Memory::new(1000, 700, 100);
        assert_eq!((memory.used, memory.cache), (300, 600));
        assert!((memory.percent - 30.0).abs() < f64::EPSILON);
    }

    #[test]
    fn numbers_that_contradict_each_other_do_not_wrap() {
        let memory = Memory::new(1000, 2000, 3000);
        assert_eq!((memory.used, memory.cache, memory.available), (0, 0, 1000));
    }
}
