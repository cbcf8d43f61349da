//! Time and ids of this machine, as the server takes them.

use std::time::SystemTime;

use jarvis_safety::port::{Clock, Ids};

pub(crate) struct Machine;

impl Clock for Machine {
    fn now(&self) -> i64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        i64::try_from(since.as_millis()).unwrap()
    }
}

impl Ids for Machine {
    fn next(&self) -> u128 {
        uuid::Uuid::now_v7().as_u128()
    }
}
