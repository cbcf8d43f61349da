//! Live frames, without coalescing.

use std::sync::{Arc, Mutex};

use jarvis_safety::frame::Frame;
use jarvis_safety::port::Live;
use tokio::sync::broadcast;

pub struct Frames {
    sender: broadcast::Sender<Arc<Frame>>,
    latest: Mutex<Vec<Arc<Frame>>>,
}

impl Frames {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { sender: broadcast::channel(64).0, latest: Mutex::default() })
    }
}

impl Live for Frames {
    fn publish(&self, frame: Frame) {
        let frame = Arc::new(frame);
        let mut latest = self.latest.lock().unwrap();
        latest.retain(|known| (&known.subject, &known.kind) != (&frame.subject, &frame.kind));
        latest.push(frame.clone());
        let _ = self.sender.send(frame);
    }

    fn subscribe(&self) -> broadcast::Receiver<Arc<Frame>> {
        self.sender.subscribe()
    }

    fn snapshot(&self) -> Vec<Arc<Frame>> {
        self.latest.lock().unwrap().clone()
    }

    fn end(&self, subject: &str) {
        self.latest.lock().unwrap().retain(|known| known.subject != subject);
    }

    fn watched(&self) -> bool {
        self.sender.receiver_count() > 0
    }
}
