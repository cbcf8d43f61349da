//! Rows of the audit on their way into the database, and events on their way out.

use std::sync::{Arc, OnceLock};

use jarvis_safety::digest::hex;
use jarvis_safety::event::{Draft, Event, EventKind};
use jarvis_safety::plain::shorten;
use jarvis_safety::port::StoreError;
use jarvis_safety::secret::Redactor;
use jarvis_safety::{ActorId, Tier};
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::{AnyConnection, Arguments as _, AssertSqlSafe, Row as _};

use crate::chain::{self, Chain, Fields, Head};
use crate::change::Statement;
use crate::dialect::{self, Dialect};
use crate::stored::{clean, from_word, to_json, unreadable};

/// Longest summary, in characters.
const SUMMARY: usize = 300;

/// Most rows in one statement: beyond it nothing is won.
const CHUNK: usize = 64;

/// Most rows that are inserted together in one message.
pub(crate) const TOGETHER: usize = 128;

/// A body with the salt and the digest that stand for it in the chain.
#[derive(Clone)]
struct Body {
    salt: String,
    json: String,
    digest: String,
}

/// A row that has no place in the chain yet. Whatever can be computed before that is computed by whoever makes it, so
/// that the writer has little left to do.
#[derive(Clone)]
pub(crate) struct Row {
    draft: Draft,
    body: Option<Body>,
}

impl Row {
    /// A row as it is kept: without secrets, whoever wrote it.
    pub(crate) fn new(redactor: &Redactor, mut draft: Draft) -> Result<Self, StoreError> {
        for text in [&mut draft.subject, &mut draft.correlation, &mut draft.summary] {
            scrub(text);
            redactor.strike(text);
        }
        if let Some(tool) = &mut draft.tool {
            redactor.strike(tool);
        }
        if let Some(body) = &mut draft.body {
            redactor.value(body);
        }
        draft.tool.as_mut().map(scrub);
        for id in [&mut draft.actor, &mut draft.owner] {
            if id.as_str().contains('\0') {
                *id = ActorId::new(clean(id.as_str()));
            }
        }
        // Counting characters is only needed where there are more bytes than characters allowed.
        if draft.summary.len() > SUMMARY && draft.summary.chars().count() > SUMMARY {
            draft.summary = shorten(&draft.summary, SUMMARY - 1);
        }
        let body = match draft.body.take() {
            Some(value) => {
                let salt = hex(&rand::random::<[u8; 16]>());
                let json = to_json("a body", &value)?;
                let digest = chain::body_digest(&salt, &json);
                Some(Body { salt, json, digest })
            }
            None => None,
        };
        Ok(Self { draft, body })
    }

    /// A row of Jarvis's own words.
    pub(crate) fn own(draft: Draft) -> Result<Self, StoreError> {
        Self::new(&Redactor::default(), draft)
    }

    /// Leaves the body out: what it told of has been erased meanwhile.
    pub(crate) fn without_body(mut self) -> Self {
        self.body = None;
        self
    }

    pub(crate) fn subject(&self) -> &str {
        &self.draft.subject
    }

    pub(crate) fn about(mut self, subject: &str) -> Self {
        subject.clone_into(&mut self.draft.subject);
        self
    }
}

fn scrub(text: &mut String) {
    if text.contains('\0') {
        *text = text.replace('\0', "\u{fffd}");
    }
}

/// A row with its place in the chain.
pub(crate) struct Linked {
    row: Row,
    seq: u64,
    at: i64,
    hash: String,
}

impl Linked {
    /// Gives a row the next place and moves the head there.
    pub(crate) fn next(row: Row, head: &mut Head, now: i64, chain: &Chain, buffer: &mut Vec<u8>) -> Self {
        let (seq, at) = (head.seq + 1, now.max(head.at));
        let draft = &row.draft;
        let fields = Fields {
            seq,
            at,
            kind: draft.kind.as_str(),
            actor: draft.actor.as_str(),
            owner: draft.owner.as_str(),
            subject: &draft.subject,
            correlation: &draft.correlation,
            tool: draft.tool.as_deref(),
            tier: draft.tier.map(Tier::as_str),
            summary: &draft.summary,
            body: row.body.as_ref().map(|body| body.digest.as_str()),
        };
        let hash = chain.hash(&head.hash, &fields, buffer);
        head.seq = seq;
        head.at = at;
        head.hash.clone_from(&hash);
        Self { row, seq, at, hash }
    }

    pub(crate) const fn seq(&self) -> u64 {
        self.seq
    }

    /// Takes the place back: its transaction did not come about.
    pub(crate) fn unlink(self) -> Row {
        self.row
    }

    /// What everyone sees of it.
    pub(crate) fn event(self) -> Event {
        let draft = self.row.draft;
        Event {
            seq: self.seq,
            at: self.at,
            kind: draft.kind,
            actor: draft.actor,
            owner: draft.owner,
            subject: draft.subject,
            correlation: draft.correlation,
            tool: draft.tool,
            tier: draft.tier,
            summary: draft.summary,
            hash: self.hash,
        }
    }

    fn bind_event(&self, arguments: &mut AnyArguments) -> Result<(), sqlx::Error> {
        let draft = &self.row.draft;
        let put = |arguments: &mut AnyArguments| {
            arguments.add(self.seq.cast_signed())?;
            arguments.add(self.at)?;
            arguments.add(draft.kind.as_str())?;
            arguments.add(draft.actor.as_str())?;
            arguments.add(draft.owner.as_str())?;
            arguments.add(draft.subject.as_str())?;
            arguments.add(draft.correlation.as_str())?;
            arguments.add(draft.tool.as_deref())?;
            arguments.add(draft.tier.map(Tier::as_str))?;
            arguments.add(draft.summary.as_str())?;
            arguments.add(self.row.body.as_ref().map(|body| body.digest.as_str()))?;
            arguments.add(self.hash.as_str())
        };
        put(arguments).map_err(sqlx::Error::Encode)
    }

    fn bind_body(&self, body: &Body, arguments: &mut AnyArguments) -> Result<(), sqlx::Error> {
        let put = |arguments: &mut AnyArguments| {
            arguments.add(self.seq.cast_signed())?;
            arguments.add(body.salt.as_str())?;
            arguments.add(body.json.as_str())
        };
        put(arguments).map_err(sqlx::Error::Encode)
    }
}

/// Where the values of a statement go.
#[derive(Clone, Copy)]
struct Shape {
    into: &'static str,
    columns: usize,
}

const EVENT: Shape = Shape {
    into: "insert into event (seq, at, kind, actor, owner, subject, correlation, tool, tier, summary, body, hash)",
    columns: 12,
};
const BODY: Shape = Shape { into: "insert into body (seq, salt, json)", columns: 3 };

impl Shape {
    /// The statement for so many rows.
    fn sql(self, dialect: Dialect, rows: usize) -> String {
        let mut sql = String::with_capacity(self.into.len() + rows * self.columns * 6);
        sql.push_str(self.into);
        sql.push_str(" values ");
        for row in 0..rows {
            sql.push_str(if row == 0 { "(" } else { ", (" });
            for column in 0..self.columns {
                sql.push_str(if column == 0 { "" } else { ", " });
                dialect.place(&mut sql, row * self.columns + column + 1);
            }
            sql.push(')');
        }
        sql
    }

    /// The statement for up to so many rows; a place whose first column is null stands for none.
    fn up_to(self, places: usize) -> String {
        let rows = vec![format!("({})", vec!["?"; self.columns].join(", ")); places].join(", ");
        format!("{} select * from (values {rows}) where column1 is not null", self.into)
    }

    /// The statement for one row that is inserted if the statement before it has written something.
    fn if_written(self) -> String {
        let places = vec!["?"; self.columns].join(", ");
        format!("{} select {places} where {}", self.into, dialect::WRITTEN)
    }
}

/// Statements for 1, 2, 4 … 64 rows: few enough that the connection keeps all of them prepared.
struct Statements {
    shape: Shape,
    by_power: [[OnceLock<Arc<str>>; 7]; Dialect::COUNT],
}

impl Statements {
    const fn new(shape: Shape) -> Self {
        Self { shape, by_power: [const { [const { OnceLock::new() }; 7] }; Dialect::COUNT] }
    }

    /// The largest one that takes no more than so many rows, and how many it takes.
    fn largest(&self, dialect: Dialect, rows: usize) -> (usize, Arc<str>) {
        let power = rows.min(CHUNK).ilog2() as usize;
        let size = 1 << power;
        let sql = self.by_power[dialect as usize][power].get_or_init(|| self.shape.sql(dialect, size).into());
        (size, Arc::clone(sql))
    }
}

static EVENTS: Statements = Statements::new(EVENT);
static BODIES: Statements = Statements::new(BODY);

/// Inserts rows and their bodies.
pub(crate) async fn insert(
    connection: &mut AnyConnection,
    dialect: Dialect,
    rows: &[Linked],
) -> Result<(), sqlx::Error> {
    let mut rest = rows;
    while !rest.is_empty() {
        let (size, sql) = EVENTS.largest(dialect, rest.len());
        let (chunk, after) = rest.split_at(size);
        let mut arguments = AnyArguments::default();
        arguments.reserve(size * EVENT.columns, 0);
        for row in chunk {
            row.bind_event(&mut arguments)?;
        }
        sqlx::query_with(AssertSqlSafe(sql), arguments).execute(&mut *connection).await?;
        rest = after;
    }
    let bodies: Vec<_> = rows.iter().filter_map(|row| row.row.body.as_ref().map(|body| (row, body))).collect();
    let mut rest = bodies.as_slice();
    while !rest.is_empty() {
        let (size, sql) = BODIES.largest(dialect, rest.len());
        let (chunk, after) = rest.split_at(size);
        let mut arguments = AnyArguments::default();
        arguments.reserve(size * BODY.columns, 0);
        for (row, body) in chunk {
            row.bind_body(body, &mut arguments)?;
        }
        sqlx::query_with(AssertSqlSafe(sql), arguments).execute(&mut *connection).await?;
        rest = after;
    }
    Ok(())
}

/// Moves the stored head.
pub(crate) async fn move_head(connection: &mut AnyConnection, head: &Head) -> Result<(), sqlx::Error> {
    sqlx::query("update head set seq = $1, at = $2, hash = $3 where id = 1")
        .bind(head.seq.cast_signed())
        .bind(head.at)
        .bind(head.hash.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

/// Inserts one row and moves the head, as a transaction of its own, in one message to a database that takes scripts. A
/// statement `before` it decides whether anything is written; answers whether it was.
pub(crate) async fn insert_alone(
    connection: &mut AnyConnection,
    dialect: Dialect,
    before: Option<Statement>,
    row: &Linked,
    head: &Head,
) -> Result<bool, sqlx::Error> {
    static SQL: [OnceLock<Arc<str>>; 2] = [const { OnceLock::new() }; 2];
    let body = row.row.body.as_ref();
    let decides = before.is_some();
    let (sql, mut arguments) = match before {
        Some(Statement { sql, arguments, .. }) => (alone_sql(dialect, Some(&sql), body.is_some()).into(), arguments),
        None => {
            let sql = &SQL[usize::from(body.is_some())];
            let sql = sql.get_or_init(|| alone_sql(dialect, None, body.is_some()).into());
            (Arc::clone(sql), AnyArguments::default())
        }
    };
    arguments.reserve(EVENT.columns + BODY.columns + 3, 0);
    row.bind_event(&mut arguments)?;
    if let Some(body) = body {
        row.bind_body(body, &mut arguments)?;
    }
    bind_head(&mut arguments, head)?;
    let query = sqlx::query_with(AssertSqlSafe(sql), arguments);
    if decides {
        // All of them: what is not fetched is not carried out.
        return Ok(!query.fetch_all(connection).await?.is_empty());
    }
    query.execute(connection).await?;
    Ok(true)
}

/// Inserts rows and moves the head, as a transaction of its own, in one message to a database that takes scripts: what a
/// message costs is more than what a row does.
pub(crate) async fn insert_together(
    connection: &mut AnyConnection,
    dialect: Dialect,
    rows: &[Linked],
    head: &Head,
) -> Result<(), sqlx::Error> {
    static SQL: [OnceLock<Arc<str>>; TOGETHER.ilog2() as usize + 1] =
        [const { OnceLock::new() }; TOGETHER.ilog2() as usize + 1];
    // Few enough scripts that the connection keeps all of them prepared.
    let places = rows.len().next_power_of_two();
    let sql = SQL[places.ilog2() as usize].get_or_init(|| {
        let head = "update head set seq = ?, at = ?, hash = ? where id = 1".to_owned();
        dialect.at_once(&[EVENT.up_to(places), BODY.up_to(places), head]).into()
    });
    let mut arguments = AnyArguments::default();
    arguments.reserve(places * (EVENT.columns + BODY.columns) + 3, 0);
    for row in rows {
        row.bind_event(&mut arguments)?;
    }
    bind_nothing(&mut arguments, (places - rows.len()) * EVENT.columns)?;
    let mut bodies = 0;
    for row in rows {
        if let Some(body) = &row.row.body {
            row.bind_body(body, &mut arguments)?;
            bodies += 1;
        }
    }
    bind_nothing(&mut arguments, (places - bodies) * BODY.columns)?;
    bind_head(&mut arguments, head)?;
    sqlx::query_with(AssertSqlSafe(Arc::clone(sql)), arguments).execute(connection).await?;
    Ok(())
}

fn bind_nothing(arguments: &mut AnyArguments, columns: usize) -> Result<(), sqlx::Error> {
    (0..columns).try_for_each(|_| arguments.add(None::<i64>)).map_err(sqlx::Error::Encode)
}

fn bind_head(arguments: &mut AnyArguments, head: &Head) -> Result<(), sqlx::Error> {
    let put = |arguments: &mut AnyArguments| {
        arguments.add(head.seq.cast_signed())?;
        arguments.add(head.at)?;
        arguments.add(head.hash.as_str())
    };
    put(arguments).map_err(sqlx::Error::Encode)
}

/// Each statement writes only if the one before it did, from the one that decides on.
fn alone_sql(dialect: Dialect, before: Option<&str>, body: bool) -> String {
    let row = |shape: Shape| match before {
        Some(_) => shape.if_written(),
        None => shape.sql(dialect, 1),
    };
    let mut statements: Vec<String> = before.map(str::to_owned).into_iter().collect();
    statements.push(row(EVENT));
    if body {
        statements.push(row(BODY));
    }
    let and = before.map_or_else(String::new, |_| format!(" and {}", dialect::WRITTEN));
    statements.push(format!("update head set seq = ?, at = ?, hash = ? where id = 1{and}"));
    dialect.at_once(&statements)
}

/// The columns of an event in the order that [`event`] and [`fields`] read them; the digest of its body comes next.
pub(crate) const COLUMNS: &str =
    "e.seq, e.at, e.kind, e.actor, e.owner, e.subject, e.correlation, e.tool, e.tier, e.summary, e.hash";

/// An event out of the database.
pub(crate) fn event(row: &AnyRow) -> Result<Event, StoreError> {
    let seq: i64 = row.try_get(0).map_err(|error| unreadable("event", &error.to_string()))?;
    let what = || format!("event {seq}");
    let wrong = |error: sqlx::Error| unreadable(&what(), &error.to_string());
    let kind: &str = row.try_get(2).map_err(wrong)?;
    let tier: Option<&str> = row.try_get(8).map_err(wrong)?;
    Ok(Event {
        seq: seq.cast_unsigned(),
        at: row.try_get(1).map_err(wrong)?,
        kind: EventKind::from_word(kind).ok_or_else(|| unreadable(&what(), "its kind is unknown"))?,
        actor: ActorId::new(row.try_get::<String, _>(3).map_err(wrong)?),
        owner: ActorId::new(row.try_get::<String, _>(4).map_err(wrong)?),
        subject: row.try_get(5).map_err(wrong)?,
        correlation: row.try_get(6).map_err(wrong)?,
        tool: row.try_get(7).map_err(wrong)?,
        tier: tier.map(|word| from_word(&what(), word)).transpose()?,
        summary: row.try_get(9).map_err(wrong)?,
        hash: row.try_get(10).map_err(wrong)?,
    })
}

/// The hashed fields of a row, and its hash.
pub(crate) fn fields(row: &AnyRow) -> Result<(Fields<'_>, &str), sqlx::Error> {
    let seq: i64 = row.try_get(0)?;
    let fields = Fields {
        seq: seq.cast_unsigned(),
        at: row.try_get(1)?,
        kind: row.try_get(2)?,
        actor: row.try_get(3)?,
        owner: row.try_get(4)?,
        subject: row.try_get(5)?,
        correlation: row.try_get(6)?,
        tool: row.try_get(7)?,
        tier: row.try_get(8)?,
        summary: row.try_get(9)?,
        body: row.try_get(11)?,
    };
    Ok((fields, row.try_get(10)?))
}
