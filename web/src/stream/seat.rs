//! How many event streams may be open at once: by one caller, and in all.
//!
//! A stream stays open for hours, so whoever could open any number would take them from everybody else. The operator's
//! share stands apart from everyone's: however many tokens there are and whatever they do, the operator gets in.
//!
//! One open stream costs about 32 KiB (mostly its connection), and some 200 KiB when its client has much to catch up with
//! and does not read: a page of rows that is being replayed, and the messages that wait for room. So memory would bear
//! thousands; what bounds them is that each holds one of the listener's 2,048 connections (fewer where the system lets a
//! process open fewer than 4,096 files), and requests need the rest. Whoever raises these numbers raises that one first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jarvis_safety::{Actor, ActorId, ActorKind};

/// Streams of one caller.
const PER_ACTOR: usize = 16;
/// Streams of the operator, all sessions together.
const OPERATOR: usize = 64;
/// Streams of everybody else together.
const OTHERS: usize = 1_024;

/// Counts open streams.
#[derive(Debug, Default)]
pub struct Seats(Mutex<HashMap<ActorId, usize>>);

/// One open stream. Dropping it makes room for another.
#[derive(Debug)]
pub struct Seat {
    seats: Arc<Seats>,
    actor: ActorId,
}

/// Why there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The caller holds as many as one may.
    Own(usize),
    /// All callers but the operator together hold as many as they may.
    All(usize),
}

impl Seats {
    /// Takes a seat for a caller.
    ///
    /// # Errors
    /// If the caller, or all together, hold as many as they may.
    pub fn take(self: &Arc<Self>, actor: &Actor) -> Result<Seat, Full> {
        let operator = Actor::operator().id;
        let most = if actor.kind == ActorKind::Operator { OPERATOR } else { PER_ACTOR };
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.get(&actor.id).is_some_and(|own| *own >= most) {
            return Err(Full::Own(most));
        }
        let others: usize = open.iter().filter(|(id, _)| **id != operator).map(|(_, count)| count).sum();
        if actor.kind != ActorKind::Operator && others >= OTHERS {
            return Err(Full::All(OTHERS));
        }
        *open.entry(actor.id.clone()).or_default() += 1;
        Ok(Seat { seats: Arc::clone(self), actor: actor.id.clone() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.seats.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.actor) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.actor);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(number: usize) -> Actor {
        Actor { id: ActorId::new(format!("token:{number}")), kind: ActorKind::Token, ..Actor::local() }
    }

    #[test]
    fn one_caller_holds_sixteen_streams_and_gets_another_when_one_ends() {
        let seats = Arc::new(Seats::default());
        let mut held: Vec<_> = (0..16).map(|_| seats.take(&token(1)).unwrap()).collect();
        assert_eq!(seats.take(&token(1)).unwrap_err(), Full::Own(16));
        assert!(seats.take(&token(2)).is_ok());
        held.pop();
        assert!(seats.take(&token(1)).is_ok());
        drop(held);
        assert!(seats.0.lock().unwrap().is_empty(), "who holds none is not remembered");
    }

    #[test]
    fn however_many_streams_all_others_hold_the_operator_gets_in() {
        let seats = Arc::new(Seats::default());
        let held: Vec<_> = (0..OTHERS).map(|at| seats.take(&token(at / PER_ACTOR)).unwrap()).collect();
        assert_eq!(seats.take(&token(9_999)).unwrap_err(), Full::All(OTHERS));
        let own: Vec<_> = (0..OPERATOR).map(|_| seats.take(&Actor::operator()).unwrap()).collect();
        assert_eq!(seats.take(&Actor::operator()).unwrap_err(), Full::Own(OPERATOR));
        assert_eq!((held.len(), own.len()), (1_024, 64));
    }
}
