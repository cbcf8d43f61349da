//! Effects and jobs, with and without a question, one after the other.

use tokio::time::sleep;

use super::{PAUSE, decide};
use crate::life::Life;
use crate::life::job::{Work, is_end};
use crate::life::load::{Client, Cut};
use crate::wire::Wire;

/// How often a job is looked at until it is where it should be.
const LOOKS: u32 = 400;

/// All of it.
pub(super) async fn script(life: &Life, client: &mut Client, wire: &mut Wire) -> Result<(), Cut> {
    client.green(wire).await?;
    let path = life.ledger.state().make(0, false, true);
    client.effect(wire, &path).await?;
    let path = life.ledger.state().make(0, true, true);
    client.effect(wire, &path).await?;
    decide(life, client, wire).await?;
    for work in [Work::Echo, Work::Write, Work::Ask] {
        let name = life.ledger.state().make_job(0, work, true);
        client.submit(wire, &name).await?;
        follow(life, client, wire, &name).await?;
        client.submit(wire, &name).await?;
    }
    Ok(())
}

/// Looks at a job until it has ended, and decides what it waits for.
async fn follow(life: &Life, client: &mut Client, wire: &mut Wire, name: &str) -> Result<(), Cut> {
    for _ in 0..LOOKS {
        let job = life.ledger.state().jobs.get(name).cloned().ok_or(Cut)?;
        if job.end.as_deref().is_some_and(is_end) {
            return Ok(());
        }
        client.look(wire, &job).await?;
        decide(life, client, wire).await?;
        sleep(PAUSE).await;
    }
    let what = format!("{name} has not ended in {} s", (PAUSE * LOOKS).as_secs());
    life.ledger.state().complain(what);
    Ok(())
}
