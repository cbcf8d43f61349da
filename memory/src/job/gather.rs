//! Gathering: submissions and ends that come while the last ones are committed go to the writer together.
//!
//! Two bundles are under way at most: while one is committed, those who were answered hand in the next.

use std::sync::Arc;

use async_trait::async_trait;
use jarvis_safety::job::Submitted;
use jarvis_safety::port::{StoreError, Stored};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::end::{self, Ending};
use super::submit::{self, Submitting};
use crate::change::{Change, Tx};
use crate::stored::Halt;
use crate::writer::Handle;

/// Most of them in one bundle: bounds how long the writer is busy with it.
const BUNDLE: usize = 256;

/// Those that may wait; beyond it callers wait to hand theirs in.
const QUEUE: usize = 4096;

/// Bundles under way.
const UNDER_WAY: usize = 2;

type Answer<T> = oneshot::Receiver<Stored<T>>;

/// What is gathered, with whoever waits for it.
pub(super) enum Op {
    Submit(Box<Submitting>, oneshot::Sender<Stored<Submitted>>),
    End(Box<Ending>, oneshot::Sender<Stored<bool>>),
}

/// Starts the task that gathers; it ends with the last sender.
pub(super) fn start(writer: Handle) -> mpsc::Sender<Op> {
    let (sender, queue) = mpsc::channel(QUEUE);
    tokio::spawn(run(writer, queue));
    sender
}

pub(super) async fn hand_in(gather: &mpsc::Sender<Op>, job: Submitting) -> Stored<Answer<Submitted>> {
    let (reply, answer) = oneshot::channel();
    gather.send(Op::Submit(Box::new(job), reply)).await.map_err(|_| closed())?;
    Ok(answer)
}

pub(super) async fn answer<T>(answer: Answer<T>) -> Stored<T> {
    answer.await.map_err(|_| StoreError::Unknown("the store was stopped meanwhile".to_owned()))?
}

pub(super) async fn submit(gather: &mpsc::Sender<Op>, job: Submitting) -> Stored<Submitted> {
    answer(hand_in(gather, job).await?).await
}

pub(super) async fn settle(gather: &mpsc::Sender<Op>, ending: Ending) -> Stored<bool> {
    let (reply, waiting) = oneshot::channel();
    gather.send(Op::End(Box::new(ending), reply)).await.map_err(|_| closed())?;
    answer(waiting).await
}

fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".to_owned())
}

async fn run(writer: Handle, mut queue: mpsc::Receiver<Op>) {
    let places = Arc::new(Semaphore::new(UNDER_WAY));
    loop {
        // The place first: whatever comes while none is free is gathered.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let mut ops = Vec::with_capacity(BUNDLE);
        if queue.recv_many(&mut ops, BUNDLE).await == 0 {
            return;
        }
        let writer = writer.clone();
        tokio::spawn(async move {
            carry_out(&writer, ops).await;
            drop(place);
        });
    }
}

async fn carry_out(writer: &Handle, ops: Vec<Op>) {
    let alone = ops.len() == 1;
    let (bundle, repliers) = Bundle::new(ops);
    let bundle = Arc::new(bundle);
    match writer.submit(Carried(Arc::clone(&bundle), None)).await {
        Ok(answers) => repliers.answer(answers),
        // One of them is at fault; the others shall not suffer for it.
        Err(StoreError::Unavailable(_)) if !alone => one_by_one(writer, &bundle, repliers).await,
        Err(error) => repliers.fail(&error),
    }
}

async fn one_by_one(writer: &Handle, bundle: &Arc<Bundle>, repliers: Repliers) {
    for (index, reply) in repliers.submits.into_iter().enumerate() {
        let one = Carried(Arc::clone(bundle), Some(Which::Submit(index)));
        let answer = writer.submit(one).await.map(|mut answers| answers.submits.pop());
        let _ = reply.send(answer.and_then(|answer| answer.ok_or_else(closed)));
    }
    for (index, reply) in repliers.ends.into_iter().enumerate() {
        let one = Carried(Arc::clone(bundle), Some(Which::End(index)));
        let answer = writer.submit(one).await.map(|mut answers| answers.ends.pop());
        let _ = reply.send(answer.and_then(|answer| answer.ok_or_else(closed)));
    }
}

#[derive(Default)]
struct Bundle {
    submits: Vec<Submitting>,
    ends: Vec<Ending>,
}

#[derive(Default)]
struct Repliers {
    submits: Vec<oneshot::Sender<Stored<Submitted>>>,
    ends: Vec<oneshot::Sender<Stored<bool>>>,
}

impl Bundle {
    fn new(ops: Vec<Op>) -> (Self, Repliers) {
        let (mut bundle, mut repliers) = (Self::default(), Repliers::default());
        for op in ops {
            match op {
                Op::Submit(job, reply) => {
                    bundle.submits.push(*job);
                    repliers.submits.push(reply);
                }
                Op::End(ending, reply) => {
                    bundle.ends.push(*ending);
                    repliers.ends.push(reply);
                }
            }
        }
        (bundle, repliers)
    }
}

impl Repliers {
    // Whoever asked may have gone.
    fn answer(self, answers: Answers) {
        for (reply, answer) in self.submits.into_iter().zip(answers.submits) {
            let _ = reply.send(Ok(answer));
        }
        for (reply, answer) in self.ends.into_iter().zip(answers.ends) {
            let _ = reply.send(Ok(answer));
        }
    }

    fn fail(self, error: &StoreError) {
        for reply in self.submits {
            let _ = reply.send(Err(error.clone()));
        }
        for reply in self.ends {
            let _ = reply.send(Err(error.clone()));
        }
    }
}

struct Answers {
    submits: Vec<Submitted>,
    ends: Vec<bool>,
}

#[derive(Clone, Copy)]
enum Which {
    Submit(usize),
    End(usize),
}

/// A bundle, or one of it, as a change.
struct Carried(Arc<Bundle>, Option<Which>);

#[async_trait]
impl Change for Carried {
    type Answer = Answers;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Answers, Halt> {
        let submits: Vec<&Submitting> = match self.1 {
            None => self.0.submits.iter().collect(),
            Some(Which::Submit(index)) => self.0.submits.get(index).into_iter().collect(),
            Some(Which::End(_)) => Vec::new(),
        };
        let ends: Vec<&Ending> = match self.1 {
            None => self.0.ends.iter().collect(),
            Some(Which::End(index)) => self.0.ends.get(index).into_iter().collect(),
            Some(Which::Submit(_)) => Vec::new(),
        };
        let ends = end::end(tx, &ends).await?;
        let submits = submit::submit(tx, &submits).await?;
        Ok(Answers { submits, ends })
    }
}
