//! Who may have a connection: so many at a time, and strangers make room for newcomers.
//!
//! A connection is a stranger's until a request with credentials came over it. Whoever opens connections
//! and says nothing, or says it slowly, so takes them from himself and never from people who are let in.
//! Knows nothing of HTTP.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;

/// Held by whatever keeps a connection open; the WebSocket's task takes a clone along.
#[derive(Clone)]
pub struct Seat(Arc<Place>);

struct Place {
    _permit: OwnedSemaphorePermit,
    known: AtomicBool,
}

impl Seat {
    /// From now on this connection is not a stranger's.
    pub(super) fn keep(&self) {
        self.0.known.store(true, Ordering::Relaxed);
    }
}

struct Stranger {
    place: Weak<Place>,
    connection: AbortHandle,
}

impl Stranger {
    fn is_here(&self) -> bool {
        self.place.upgrade().is_some_and(|place| !place.known.load(Ordering::Relaxed))
    }
}

/// All seats of one server.
pub(super) struct Seats {
    free: Arc<Semaphore>,
    /// The oldest first; some of them are gone or known by now.
    strangers: Vec<Stranger>,
}

impl Seats {
    pub(super) fn new(n: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(n)), strangers: Vec::new() }
    }

    /// A seat, once there is one. If none is free, the oldest stranger's connection is cut.
    pub(super) async fn take(&mut self) -> Seat {
        if self.free.available_permits() == 0 {
            self.strangers.retain(Stranger::is_here);
            if !self.strangers.is_empty() {
                self.strangers.remove(0).connection.abort();
            }
        }
        let permit = self.free.clone().acquire_owned().await;
        let _permit = permit.expect("the semaphore is never closed");
        Seat(Arc::new(Place { _permit, known: AtomicBool::new(false) }))
    }

    /// Whose connection it is that has this seat: to be told before another one is taken.
    pub(super) fn seated(&mut self, seat: &Seat, connection: AbortHandle) {
        self.strangers.retain(Stranger::is_here);
        self.strangers.push(Stranger { place: Arc::downgrade(&seat.0), connection });
    }
}
