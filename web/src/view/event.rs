//! Rows of the audit, live frames, and what a verification found.

use jarvis_client::wire::{AuditReport, EventInfo, FrameInfo};
use jarvis_safety::event::Event;
use jarvis_safety::frame::Frame;
use jarvis_safety::port::Verification;

/// A row without its body.
#[must_use]
pub fn event(event: &Event) -> EventInfo {
    EventInfo {
        seq: event.seq,
        at: event.at,
        kind: event.kind.as_str().to_owned(),
        actor: event.actor.to_string(),
        subject: event.subject.clone(),
        correlation: event.correlation.clone(),
        summary: event.summary.clone(),
        tool: event.tool.clone(),
        tier: event.tier.map(|tier| tier.as_str().to_owned()),
        hash: event.hash.clone(),
        body: None,
    }
}

/// A live frame.
#[must_use]
pub fn frame(frame: &Frame) -> FrameInfo {
    FrameInfo {
        subject: frame.subject.clone(),
        kind: frame.kind.clone(),
        offset: frame.offset,
        data: frame.data.clone(),
    }
}

/// A verification.
#[must_use]
pub fn report(found: Verification) -> AuditReport {
    AuditReport {
        ok: found.faults.is_empty(),
        rows: found.rows,
        bodies: found.bodies,
        erased: found.erased,
        head: found.head,
        hash: found.hash,
        sealed: found.sealed,
        faults: found.faults,
        at: found.at,
    }
}
