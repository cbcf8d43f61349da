//! Every query that is asked again and again goes along an index and sorts nothing, however many jobs there are. Asked of
//! SQLite's planner, which knows nothing of how many rows there are and so always answers the same.

use jarvis_safety::job::{Claim, JobFilter, JobState};
use jarvis_safety::{ActorId, JobId, ScheduleId};
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Row as _};

use super::{claim, end, hold, list, record};
use crate::dialect::Dialect;

async fn database() -> AnyConnection {
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect("sqlite::memory:").await.unwrap();
    let schema = include_str!("../../../migrations/0003_job.sql");
    sqlx::raw_sql(AssertSqlSafe(Dialect::Sqlite.schema(schema))).execute(&mut connection).await.unwrap();
    connection
}

async fn plan(connection: &mut AnyConnection, sql: &str) -> Vec<String> {
    let sql = format!("explain query plan {sql}");
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(connection).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(3)).collect()
}

/// Asserts that a query uses one of these indexes for `job` and nothing is read whole or sorted.
async fn along(connection: &mut AnyConnection, sql: &str, indexes: &[&str]) {
    let plan = plan(connection, sql).await;
    let bad = |step: &String| {
        step.contains("TEMP B-TREE")
            || step.contains("AUTOMATIC")
            || step.starts_with("SCAN job") && !step.contains("INDEX")
    };
    assert!(!plan.iter().any(bad), "{sql}\n{plan:#?}");
    let used = |step: &String| indexes.iter().any(|index| step.contains(&format!("INDEX {index}")));
    assert!(plan.iter().any(used), "{sql}\n{plan:#?}");
}

const KEY: &str = "sqlite_autoindex_job_1";

#[tokio::test]
async fn what_a_worker_asks_for_is_found_among_what_is_open() {
    let mut connection = database().await;
    let kinds = vec![("a".to_owned(), 1), ("b".to_owned(), 2)];
    let claim = Claim { queue: "q".to_owned(), kinds, most: 8, worker: "w".to_owned(), at: 1 };
    along(&mut connection, claim::Claiming::new(&claim).sql(), &["job_ready"]).await;
    along(&mut connection, &claim::ripening(), &["job_later"]).await;
    along(&mut connection, list::DUE, &["job_later"]).await;
    along(&mut connection, list::DUE, &["job_held"]).await;
    along(&mut connection, list::DUE, &["schedule_due"]).await;
    let held = format!("select id from job where {} order by lease_until limit 9", record::HELD);
    along(&mut connection, &held, &["job_held"]).await;
    along(&mut connection, &hold::beating(), &[KEY]).await;
    let end = plan(&mut connection, &end::statement(Dialect::Sqlite, 4)).await;
    assert!(end.iter().any(|step| step.starts_with("SEARCH job") && step.contains("(id=?)")), "{end:#?}");
}

#[tokio::test]
async fn every_list_ends_after_its_page() {
    let mut connection = database().await;
    let (actor, before) = (ActorId::new("operator"), JobId::new(9));
    for state in JobState::ALL.into_iter().map(Some).chain([None]) {
        for actor in [None, Some(actor.clone())] {
            for kind in [None, Some("tool_call".to_owned()), Some("other".to_owned())] {
                let filter = JobFilter { actor: actor.clone(), kind, ..JobFilter::default() };
                for before in [None, Some(&before)] {
                    let (sql, _) = list::query(&filter, state, before, 50);
                    if state == Some(JobState::Running) {
                        // There are few of them, so they may be sorted.
                        let plan = plan(&mut connection, &sql).await;
                        assert!(plan.iter().any(|step| step.contains("INDEX job_held")), "{sql}\n{plan:#?}");
                        continue;
                    }
                    along(&mut connection, &sql, &["job_actor", "job_kind", "job_state", KEY]).await;
                }
            }
        }
    }
    let filter = JobFilter { schedule: Some(ScheduleId::new(1)), ..JobFilter::default() };
    along(&mut connection, &list::query(&filter, None, None, 50).0, &["job_schedule"]).await;
    along(&mut connection, &list::counting(JobState::Unknown), &["job_state"]).await;
}
