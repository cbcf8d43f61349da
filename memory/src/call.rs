//! Calls above green: intent before the effect, outcome after it.

use async_trait::async_trait;
use jarvis_safety::bar::Bar;
use jarvis_safety::call::{CallRecord, CallState};
use jarvis_safety::event::Draft;
use jarvis_safety::kernel::KillSwitch;
use jarvis_safety::outcome::Outcome;
use jarvis_safety::port::{Intended, Pace, Stored};
use jarvis_safety::secret::Redactor;
use jarvis_safety::tool::Undo;
use jarvis_safety::{ActorId, CallId, Digest, Target};
use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{AnyPool, AssertSqlSafe, Row as _};

use crate::approval;
use crate::change::{Change, Context, Statement, Tx};
use crate::dialect::{Connection, Lookup};
use crate::grant;
use crate::row::Row;
use crate::setting::KILL_SWITCH;
use crate::stored::{Halt, clean, conflict, from_json, from_word, not_found, to_json, unavailable};

const COLUMNS: &str = "json, state, outcome, undo, undone_by";

fn record(row: &AnyRow) -> Result<CallRecord, Halt> {
    let mut record: CallRecord = from_json("call", row.try_get(0)?)?;
    let what = record.id.to_string();
    let (outcome, undo): (Option<&str>, Option<&str>) = (row.try_get(2)?, row.try_get(3)?);
    let undone_by: Option<&str> = row.try_get(4)?;
    record.state = from_word(&what, row.try_get(1)?)?;
    record.outcome = outcome.map(|json| from_json(&what, json)).transpose()?;
    record.undo = undo.map(|json| from_json(&what, json)).transpose()?;
    record.undone_by = undone_by.map(|id| from_word(&what, id)).transpose()?;
    Ok(record)
}

async fn by_id(connection: &mut Connection, id: &str) -> Result<Option<CallRecord>, Halt> {
    let sql = format!("select {COLUMNS} from call where id = $1");
    let found = sqlx::query(AssertSqlSafe(sql)).bind(id).fetch_optional(connection).await?;
    found.as_ref().map(record).transpose()
}

async fn by_key(connection: &mut Connection, actor: &str, key: &str) -> Result<Option<CallRecord>, Halt> {
    let sql = format!("select {COLUMNS} from call where actor = $1 and idempotency = $2");
    let found = sqlx::query(AssertSqlSafe(sql)).bind(actor).bind(key).fetch_optional(connection).await?;
    found.as_ref().map(record).transpose()
}

/// One call.
pub(crate) async fn find(lookup: &Lookup, id: &CallId) -> Stored<Option<CallRecord>> {
    find_by_word(lookup, id.as_str()).await
}

/// One call, by its id as it is kept.
pub(crate) async fn find_by_word(lookup: &Lookup, id: &str) -> Stored<Option<CallRecord>> {
    let mut connection = lookup.connection().await.map_err(|error| unavailable(&error))?;
    Ok(by_id(&mut connection, id).await?)
}

/// The call that an actor made with a key.
pub(crate) async fn keyed(lookup: &Lookup, actor: &ActorId, key: &str) -> Stored<Option<CallRecord>> {
    let mut connection = lookup.connection().await.map_err(|error| unavailable(&error))?;
    Ok(by_key(&mut connection, &clean(actor.as_str()), &clean(key)).await?)
}

/// Calls whose outcome is not recorded, oldest first.
pub(crate) async fn unsettled(readers: &AnyPool) -> Stored<Vec<CallRecord>> {
    let sql = format!("select {COLUMNS} from call where state = 'running' order by id");
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(readers).await.map_err(|error| unavailable(&error))?;
    rows.iter().map(|row| record(row).map_err(Into::into)).collect()
}

/// Calls of which nobody can tell what came of them and that nobody has acknowledged, newest first.
pub(crate) async fn doubts(readers: &AnyPool, actor: Option<&ActorId>, limit: u32) -> Stored<Vec<CallRecord>> {
    let sql = format!(
        "select {COLUMNS} from call where state = 'unknown' and acknowledged_at is null and ($1 is null or actor = $1) order by created_at desc limit {limit}"
    );
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(actor.map(ActorId::as_str))
        .fetch_all(readers)
        .await
        .map_err(|error| unavailable(&error))?;
    rows.iter().map(|row| record(row).map_err(Into::into)).collect()
}

/// How often an actor has called a tool on a target since a time.
pub(crate) async fn repeats(
    lookup: &Lookup,
    actor: &ActorId,
    tool: &str,
    args: &Value,
    target: &Target,
    since: i64,
) -> Stored<u64> {
    let mut connection = lookup.connection().await.map_err(|error| unavailable(&error))?;
    let count: i64 = sqlx::query(
        "select count(*) from call where actor = $1 and tool = $2 and target_name = $3 and created_at >= $4 \
         and target_kind = $5 and asked = $6",
    )
    .bind(clean(actor.as_str()).as_ref())
    .bind(clean(tool).as_ref())
    .bind(clean(&target.name).as_ref())
    .bind(since)
    .bind(clean(&target.kind).as_ref())
    .bind(asked(args, target).as_str())
    .fetch_one(&mut connection)
    .await
    .and_then(|row| row.try_get(0))
    .map_err(|error| unavailable(&error))?;
    Ok(count.cast_unsigned())
}

/// Makes an intent durable, and spends the approval's step with it.
pub(crate) struct Intend {
    id: CallId,
    actor: String,
    key: Option<String>,
    tool: String,
    target: Target,
    conversation: Option<String>,
    approval: Option<(String, i64)>,
    grant: Option<String>,
    undoes: Option<String>,
    created_at: i64,
    json: String,
    asked: Digest,
    pace: Option<Pace>,
    row: Row,
}

/// Digest of canonical arguments, by which identical calls are counted. What names the target is left out, because the
/// target itself is compared: by name, by id and by every beginning of its id it is the same thing. A job has only its
/// id: many bear the same title.
fn asked(args: &Value, target: &Target) -> Digest {
    let mut args = args.clone();
    if target.kind != "job"
        && let Some(fields) = args.as_object_mut()
    {
        fields.remove(if target.kind == "file" { "path" } else { &target.kind });
    }
    Digest::of(args.to_string().as_bytes())
}

impl Intend {
    pub(crate) fn new(redactor: &Redactor, record: &CallRecord, pace: Option<Pace>, draft: Draft) -> Stored<Self> {
        let bare = CallRecord { outcome: None, undo: None, undone_by: None, ..record.clone() };
        Ok(Self {
            id: record.id.clone(),
            actor: clean(record.actor.as_str()).into_owned(),
            key: record.key.as_deref().map(|key| clean(key).into_owned()),
            tool: clean(&record.tool).into_owned(),
            target: Target::new(&clean(&record.target.kind), clean(&record.target.id), clean(&record.target.name)),
            conversation: record.origin.conversation.as_ref().map(ToString::to_string),
            approval: record.approval.as_ref().map(|(id, step)| (id.to_string(), i64::from(*step))),
            grant: record.grant.as_ref().map(ToString::to_string),
            undoes: record.origin.undoes.as_ref().map(ToString::to_string),
            created_at: record.created_at,
            json: to_json("call", &bare)?,
            asked: asked(&record.args, &record.target),
            pace,
            row: Row::new(redactor, draft)?,
        })
    }

    /// What the store knows against it.
    async fn barred(&self, connection: &mut Connection) -> Result<Option<Bar>, Halt> {
        // The id of a token's actor is `token:` and the id of the token.
        let found = sqlx::query(
            "select (select json from setting where name = $1), \
             (select count(*) from token where (revoked_at is not null or expires_at <= $5) and id in (substr($2, 7), \
             (select substr(decided_by, 7) from approval where id = $3))), \
             (select undone_by from call where id = $4)",
        )
        .bind(KILL_SWITCH)
        .bind(self.actor.as_str())
        .bind(self.approval.as_ref().map(|(id, _)| id.as_str()))
        .bind(self.undoes.as_deref())
        .bind(self.created_at)
        .fetch_one(connection)
        .await?;
        let kill: Option<&str> = found.try_get(0)?;
        let kill: KillSwitch = kill.map(|json| from_json(KILL_SWITCH, json)).transpose()?.unwrap_or_default();
        if kill != KillSwitch::Off {
            return Ok(Some(Bar::Stopped));
        }
        if found.try_get::<i64, _>(1)? > 0 {
            return Ok(Some(Bar::Revoked));
        }
        let undone_by: Option<&str> = found.try_get(2)?;
        Ok(undone_by.map(|id| from_word("call", id)).transpose()?.map(Bar::TakenBack))
    }

    /// Inserts it, if it is told to look, only where nothing stands against it; answers a row if it was inserted.
    fn insert(&self, context: Context<'_>, looks: bool) -> Result<Statement, sqlx::Error> {
        let mut statement = Statement::new(
            context.dialect,
            "insert into call (id, actor, idempotency, tool, target_kind, target_name, conversation, approval, step, \
             created_at, json, asked, replica, state) select ",
        );
        statement.value(self.id.as_str())?.text(", ").value(self.actor.as_str())?.text(", ");
        statement.value(self.key.as_deref())?.text(", ").value(self.tool.as_str())?.text(", ");
        statement.value(self.target.kind.as_str())?.text(", ").value(self.target.name.as_str())?.text(", ");
        statement.value(self.conversation.as_deref())?.text(", ");
        statement.value(self.approval.as_ref().map(|(id, _)| id.as_str()))?.text(", ");
        statement.value(self.approval.as_ref().map(|(_, step)| *step))?.text(", ");
        statement.value(self.created_at)?.text(", ").value(self.json.as_str())?.text(", ");
        statement.value(self.asked.as_str())?.text(", ").value(context.replica)?.text(", 'running' where true");
        if looks {
            // Whatever else the kill switch may say bars it.
            statement.text(" and coalesce((select json from setting where name = ").value(KILL_SWITCH)?;
            statement.text("), '\"off\"') = '\"off\"'");
            // The id of a token's actor is `token:` and the id of the token.
            statement.text(" and not exists (select 1 from token where (revoked_at is not null or expires_at <= ");
            statement.value(self.created_at)?.text(") and id = ");
            statement.value(self.actor.strip_prefix("token:").unwrap_or_default())?.text(")");
            if let Some(pace) = self.pace {
                statement.text(" and (");
                self.count(pace, &mut statement)?;
                statement.text(") < ").value(pace.most.cast_signed())?;
            }
        }
        statement.text(" on conflict do nothing returning id");
        Ok(statement)
    }

    /// The same calls of late.
    fn count(&self, pace: Pace, statement: &mut Statement) -> Result<(), sqlx::Error> {
        statement.text("select count(*) from call where actor = ").value(self.actor.as_str())?;
        statement.text(" and tool = ").value(self.tool.as_str())?;
        statement.text(" and target_name = ").value(self.target.name.as_str())?;
        statement.text(" and created_at >= ").value(pace.since)?;
        statement.text(" and target_kind = ").value(self.target.kind.as_str())?;
        statement.text(" and asked = ").value(self.asked.as_str())?;
        Ok(())
    }

    /// Whether this very intent was kept before: its commit was in doubt, and it is handed in again.
    async fn is_kept(&self, tx: &mut Tx<'_>) -> Result<bool, Halt> {
        let found = sqlx::query(
            "select count(*) from call where id = $1 and state = 'running' and json = $2 \
             and coalesce(replica, '') = $3",
        )
        .bind(self.id.as_str())
        .bind(self.json.as_str())
        .bind(tx.context.replica.unwrap_or_default())
        .fetch_one(&mut *tx.connection)
        .await?;
        Ok(found.try_get::<i64, _>(0)? == 1)
    }

    async fn too_often(&self, tx: &mut Tx<'_>) -> Result<Option<u64>, Halt> {
        let Some(pace) = self.pace else { return Ok(None) };
        let mut statement = Statement::new(tx.context.dialect, "");
        self.count(pace, &mut statement)?;
        let Statement { sql, arguments, .. } = statement;
        let counted = sqlx::query_with(AssertSqlSafe(sql), arguments).fetch_one(&mut *tx.connection).await?;
        let calls = counted.try_get::<i64, _>(0)?.cast_unsigned();
        Ok((calls >= pace.most).then_some(calls))
    }
}

#[async_trait]
impl Change for Intend {
    type Answer = Intended;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Intended, Halt> {
        // As it usually is: without a card or a grant, and nothing stands against it. If so, one statement does it; else
        // what follows finds out why.
        let plain = self.approval.is_none() && self.grant.is_none() && self.undoes.is_none();
        if plain && tx.write(self.insert(tx.context, true)?, &self.row).await? {
            return Ok(Intended::Recorded);
        }
        if let Some(key) = &self.key
            && let Some(known) = by_key(tx.connection, &self.actor, key).await?
        {
            return Ok(Intended::Known(Box::new(known)));
        }
        if let Some((card, step)) = &self.approval
            && !approval::can_spend(tx.connection, card, *step).await?
        {
            if !self.is_kept(tx).await? {
                return Ok(Intended::AlreadySpent);
            }
            // What was thrown or revoked since bars it all the same. That the other call is taken back is its own mark.
            let bar = self.barred(tx.connection).await?.filter(|bar| !matches!(bar, Bar::TakenBack(_)));
            return Ok(bar.map_or(Intended::Recorded, Intended::Barred));
        }
        if let Some(bar) = self.barred(tx.connection).await? {
            return Ok(Intended::Barred(bar));
        }
        if let Some(calls) = self.too_often(tx).await? {
            return Ok(Intended::TooOften(calls));
        }
        if let Some(id) = &self.grant
            && !grant::is_live(tx.connection, id, self.created_at).await?
        {
            return Ok(Intended::Ungranted(from_word("call", id)?));
        }
        let Statement { sql, arguments, .. } = self.insert(tx.context, false)?;
        let inserted = sqlx::query_with(AssertSqlSafe(sql), arguments).fetch_optional(&mut *tx.connection).await?;
        if inserted.is_none() {
            let known = by_id(tx.connection, self.id.as_str()).await?;
            return known
                .map(|known| Intended::Known(Box::new(known)))
                .ok_or_else(|| conflict(format!("{} cannot be recorded", self.id)));
        }
        if let Some((card, step)) = &self.approval {
            approval::spend(tx.connection, card, *step).await?;
        }
        if let Some(id) = &self.grant {
            grant::count(tx.connection, id).await?;
        }
        if let Some(undoes) = &self.undoes {
            sqlx::query("update call set undone_by = $2 where id = $1 and undone_by is null")
                .bind(undoes.as_str())
                .bind(self.id.as_str())
                .execute(&mut *tx.connection)
                .await?;
        }
        tx.tell(self.row.clone());
        Ok(Intended::Recorded)
    }
}

/// Records what came of a call.
pub(crate) struct Settle {
    id: CallId,
    state: CallState,
    outcome: String,
    undo: Option<String>,
    undoes: Option<String>,
    at: i64,
    row: Row,
    bare: String,
}

impl Settle {
    pub(crate) fn new(
        redactor: &Redactor,
        outcome: &Outcome,
        undo: Option<&Undo>,
        undoes: Option<&CallId>,
        at: i64,
        draft: Draft,
    ) -> Stored<Self> {
        Ok(Self {
            id: outcome.call.clone(),
            state: outcome.state,
            outcome: to_json("outcome", outcome)?,
            undo: undo.map(|undo| to_json("undo", undo)).transpose()?,
            undoes: undoes.map(ToString::to_string),
            at,
            row: Row::new(redactor, draft)?,
            bare: to_json("outcome", &without_texts(outcome.clone()))?,
        })
    }

    /// Settles a call without a card that runs; answers a row if it did.
    fn update(&self, context: Context<'_>) -> Result<Statement, sqlx::Error> {
        let mut statement = Statement::new(context.dialect, "update call set state = ");
        statement.value(self.state.as_str())?.text(", outcome = ").value(self.outcome.as_str())?;
        statement.text(", undo = ").value(self.undo.as_deref())?.text(", settled_at = ").value(self.at)?;
        statement.text(" where id = ").value(self.id.as_str())?;
        statement.text(" and state = 'running' and approval is null and erased_at is null returning id");
        Ok(statement)
    }
}

/// An outcome of which only the fact is left: its conversation was erased.
pub(crate) fn without_texts(mut outcome: Outcome) -> Outcome {
    outcome.output = Value::Null;
    "erased with its conversation".clone_into(&mut outcome.words);
    if let Some(error) = &mut outcome.error {
        error.message.clone_from(&outcome.words);
    }
    outcome
}

#[async_trait]
impl Change for Settle {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        let plain = self.undoes.is_none() && self.state != CallState::Running;
        if plain && tx.write(self.update(tx.context)?, &self.row).await? {
            return Ok(());
        }
        if self.state == CallState::Running {
            return Err(conflict(format!("the outcome of {} says that it is still running", self.id)));
        }
        let found = sqlx::query("select state, approval, step, erased_at from call where id = $1")
            .bind(self.id.as_str())
            .fetch_optional(&mut *tx.connection)
            .await?
            .ok_or_else(|| not_found("call", self.id.as_str()))?;
        let state: &str = found.try_get(0)?;
        if state != CallState::Running.as_str() {
            return Err(conflict(format!("{} has ended before, as {state}", self.id)));
        }
        let card: Option<(&str, i64)> = found.try_get::<Option<&str>, _>(1)?.zip(found.try_get::<Option<i64>, _>(2)?);
        let erased = found.try_get::<Option<i64>, _>(3)?.is_some();
        let outcome = if erased { &self.bare } else { &self.outcome };
        sqlx::query(
            "update call set state = $2, outcome = $3, undo = $4, settled_at = $5 where id = $1 and state = 'running'",
        )
        .bind(self.id.as_str())
        .bind(self.state.as_str())
        .bind(outcome.as_str())
        .bind(self.undo.as_deref())
        .bind(self.at)
        .execute(&mut *tx.connection)
        .await?;
        // What is in doubt stays marked: it is looked at, and not taken back a second time.
        if let Some(undoes) = &self.undoes
            && matches!(self.state, CallState::Failed | CallState::Cancelled)
        {
            sqlx::query("update call set undone_by = null where id = $1 and undone_by = $2")
                .bind(undoes.as_str())
                .bind(self.id.as_str())
                .execute(&mut *tx.connection)
                .await?;
        }
        if let Some((card, step)) = card {
            approval::settle_step(tx.connection, card, step, self.state, outcome, self.at).await?;
        }
        tx.tell(if erased { self.row.clone().without_body() } else { self.row.clone() });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn however_its_target_is_named_a_call_is_the_same() {
        let web = Target::new("container", "0123456789abcdef", "web");
        let same =
            ["web", "/web", "01234567", "0123456789abcdef"].map(|name| asked(&json!({ "container": name }), &web));
        assert!(same.iter().all(|digest| *digest == same[0]));
        let note = Target::new("file", "/srv/note.txt", "note.txt");
        let write = |path: &str, text: &str| asked(&json!({ "path": path, "content": text }), &note);
        assert_eq!(write("note.txt", "a"), write("./note.txt", "a"));
        assert_ne!(write("note.txt", "a"), write("note.txt", "b"));
        let job = |id: &str| asked(&json!({ "job": id }), &Target::new("job", id, "docker_stop"));
        assert_ne!(job("job_1"), job("job_2"), "they bear the same title");
    }
}
