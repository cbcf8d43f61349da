//! What a running call asks the client that holds its task.
//!
//! Only fixtures ask: a real tool is told all it needs when it is called, and what a person must decide is a card. So
//! nothing of this outlives the call, let alone the process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::model::InputResponses;
use serde_json::{Map, Value};
use tokio::sync::oneshot;

/// Where calls ask and clients answer. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Inquiries(Arc<Mutex<HashMap<String, Inquiry>>>);

struct Inquiry {
    open: Map<String, Value>,
    answers: Map<String, Value>,
    whole: Option<oneshot::Sender<Map<String, Value>>>,
}

/// Takes the questions back when the call ends, however it ends.
struct Asked<'a> {
    inquiries: &'a Inquiries,
    handle: &'a str,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.inquiries.lock().remove(self.handle);
    }
}

impl Inquiries {
    /// Puts requests of MCP, by key, and waits until all are answered.
    pub(crate) async fn ask(&self, handle: &str, requests: Map<String, Value>) -> Map<String, Value> {
        let (whole, answered) = oneshot::channel();
        let inquiry = Inquiry { open: requests, answers: Map::new(), whole: Some(whole) };
        let asked = Asked { inquiries: self, handle };
        self.lock().insert(handle.to_owned(), inquiry);
        let answers = answered.await.unwrap_or_default();
        drop(asked);
        answers
    }

    /// What is not answered yet.
    pub(super) fn open(&self, handle: &str) -> Map<String, Value> {
        self.lock().get(handle).map(|inquiry| inquiry.open.clone()).unwrap_or_default()
    }

    /// Takes answers. Those that nobody asked for are left alone.
    pub(super) fn answer(&self, handle: &str, answers: &InputResponses) {
        let mut inquiries = self.lock();
        let Some(inquiry) = inquiries.get_mut(handle) else { return };
        for (key, answer) in answers {
            if inquiry.open.remove(key).is_some() {
                inquiry.answers.insert(key.clone(), answer.clone());
            }
        }
        if let Some(whole) = inquiry.whole.take_if(|_| inquiry.open.is_empty()) {
            // Whoever asked may just have been called off.
            let _ = whole.send(inquiry.answers.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Inquiry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
