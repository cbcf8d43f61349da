//! Live frames: what is happening now, thinned out for slow eyes.
//!
//! A model writes a hundred tokens a second and a pull reports its progress a thousand times; nobody can see that, and
//! each frame costs every client a message. The first frame of a subject and kind goes out at once, those that follow
//! within [`PAUSE`] go out together: texts that continue each other as one text, of everything else the latest.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use jarvis_safety::frame::Frame;
use jarvis_safety::port::Live;
use serde_json::{Value, json};
use tokio::sync::{Notify, broadcast};

/// Longest time that a frame is held back.
const PAUSE: Duration = Duration::from_millis(40);

/// Frames that a slow client may lag behind.
const LAG: usize = 1024;

/// Subjects and kinds that are remembered; beyond it the one that was longest quiet is forgotten.
const REMEMBERED: usize = 2048;

/// Longest text of one subject that a new client is shown, in bytes; of a longer one it sees the end.
const SHOWN: usize = 256 * 1024;

/// The hub. Clones share it.
#[derive(Clone)]
pub struct LiveHub(Arc<Hub>);

struct Hub {
    frames: broadcast::Sender<Arc<Frame>>,
    state: Mutex<State>,
    held: Arc<Notify>,
}

impl Drop for Hub {
    fn drop(&mut self) {
        // The task that waits for it sees then that the hub is gone.
        self.held.notify_one();
    }
}

#[derive(Default)]
struct State {
    slots: HashMap<(String, String), Slot>,
    /// Keys of the frames that are held back, in the order in which they came.
    order: Vec<(String, String)>,
}

struct Slot {
    /// The whole of it, for those who come later.
    shown: Frame,
    held: Option<Frame>,
    sent: Instant,
}

impl LiveHub {
    /// A hub, and the task that lets go of frames that were held back.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn new() -> Self {
        let (frames, _) = broadcast::channel(LAG);
        let hub = Arc::new(Hub { frames, state: Mutex::default(), held: Arc::default() });
        tokio::spawn(release(Arc::downgrade(&hub), Arc::clone(&hub.held)));
        Self(hub)
    }
}

impl Default for LiveHub {
    fn default() -> Self {
        Self::new()
    }
}

impl Hub {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, frame: Frame) {
        // Nobody may be looking.
        let _ = self.frames.send(Arc::new(frame));
    }

    fn flush(&self) {
        let mut state = self.state();
        for key in std::mem::take(&mut state.order) {
            if let Some(slot) = state.slots.get_mut(&key)
                && let Some(frame) = slot.held.take()
            {
                slot.sent = Instant::now();
                self.send(frame);
            }
        }
    }
}

/// Lets go of what was held back, until the hub is gone.
async fn release(hub: Weak<Hub>, held: Arc<Notify>) {
    loop {
        held.notified().await;
        tokio::time::sleep(PAUSE).await;
        let Some(hub) = hub.upgrade() else { return };
        hub.flush();
    }
}

impl State {
    fn forget_quietest(&mut self) {
        if self.slots.len() < REMEMBERED {
            return;
        }
        let quietest = self.slots.iter().filter(|(_, slot)| slot.held.is_none()).min_by_key(|(_, slot)| slot.sent);
        if let Some(key) = quietest.map(|(key, _)| key.clone()) {
            self.slots.remove(&key);
        }
    }
}

impl Live for LiveHub {
    fn publish(&self, frame: Frame) {
        let mut state = self.0.state();
        let key = (frame.subject.clone(), frame.kind.clone());
        let Some(slot) = state.slots.get_mut(&key) else {
            state.forget_quietest();
            let slot = Slot { shown: frame.clone(), held: None, sent: Instant::now() };
            state.slots.insert(key, slot);
            self.0.send(frame);
            return;
        };
        slot.shown = continued(&slot.shown, &frame, SHOWN);
        if slot.held.is_none() && slot.sent.elapsed() >= PAUSE {
            slot.sent = Instant::now();
            self.0.send(frame);
            return;
        }
        match slot.held.take() {
            Some(before) if follows(&before, &frame) => {
                slot.held = Some(continued(&before, &frame, usize::MAX));
            }
            // A text that does not continue the one held back would leave a hole: that one goes first.
            Some(before) if frame.kind == TEXT && frame.offset > before.offset => {
                self.0.send(before);
                slot.held = Some(frame);
            }
            Some(_) => slot.held = Some(frame),
            None => {
                slot.held = Some(frame);
                state.order.push(key);
                drop(state);
                self.0.held.notify_one();
            }
        }
    }

    fn subscribe(&self) -> broadcast::Receiver<Arc<Frame>> {
        self.0.frames.subscribe()
    }

    fn snapshot(&self) -> Vec<Arc<Frame>> {
        let state = self.0.state();
        let mut shown: Vec<_> = state.slots.values().map(|slot| Arc::new(slot.shown.clone())).collect();
        shown.sort_by(|a, b| (&a.subject, &a.kind).cmp(&(&b.subject, &b.kind)));
        shown
    }

    fn end(&self, subject: &str) {
        let mut state = self.0.state();
        let ended: Vec<_> = state.slots.extract_if(|(about, _), _| about == subject).collect();
        state.order.retain(|(about, _)| about != subject);
        for (_, slot) in ended {
            if let Some(frame) = slot.held {
                self.0.send(frame);
            }
        }
    }

    fn watched(&self) -> bool {
        self.0.frames.receiver_count() > 0
    }
}

const TEXT: &str = "text";

/// The text of a frame that carries one.
fn text_of(frame: &Frame) -> Option<&str> {
    (frame.kind == TEXT).then(|| frame.data.get(TEXT).and_then(Value::as_str)).flatten()
}

fn length(text: &str) -> u64 {
    text.chars().count() as u64
}

/// Whether a frame goes on exactly where the one before ends.
fn follows(before: &Frame, frame: &Frame) -> bool {
    match (text_of(before), text_of(frame)) {
        (Some(text), Some(_)) => frame.offset == before.offset + length(text),
        _ => false,
    }
}

/// What stands there once a frame has arrived: texts are continued, or rewritten from its offset on, and everything
/// else is replaced. A text longer than the bound loses its beginning.
fn continued(before: &Frame, frame: &Frame, bound: usize) -> Frame {
    let (Some(old), Some(new)) = (text_of(before), text_of(frame)) else { return frame.clone() };
    let keep = frame.offset.checked_sub(before.offset).filter(|keep| *keep <= length(old));
    let Some(keep) = keep else { return frame.clone() };
    let mut text: String = old.chars().take(usize::try_from(keep).unwrap_or(usize::MAX)).collect();
    text.push_str(new);
    let mut offset = before.offset;
    if text.len() > bound {
        let mut cut = text.len() - bound / 2;
        while !text.is_char_boundary(cut) {
            cut += 1;
        }
        offset += length(&text[..cut]);
        text.drain(..cut);
    }
    Frame { offset, data: json!({ TEXT: text }), ..frame.clone() }
}
