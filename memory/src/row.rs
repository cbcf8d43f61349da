//! Rows of the audit on their way into the database, and events on their way out.

use std::sync::{Arc, OnceLock};

use jarvis_safety::digest::hex;
use jarvis_safety::event::{Draft, Event, EventKind};
use jarvis_safety::plain::shorten;
use jarvis_safety::port::StoreError;
use jarvis_safety::secret::Redactor;
use jarvis_safety::{ActorId, Tier};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{ToSql, params_from_iter};
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::{Arguments as _, AssertSqlSafe, Row as _};

use crate::chain::{self, Chain, Fields, Head};
use crate::dialect::{Connection, Dialect};
use crate::stored::{clean, from_word, to_json, unreadable};

/// Longest subject and longest summary, in characters.
const TEXT: usize = 300;

/// Longest name of a tool that is not known, in characters: those that are have up to 64.
const TOOL: usize = 64;

/// Most rows in one statement: beyond it nothing is won.
const CHUNK: usize = 64;

/// Moves the stored head.
const MOVE_HEAD: &str = "update head set seq = $1, at = $2, hash = $3 where id = 1";

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
            scrub(tool);
            redactor.strike(tool);
            cut(tool, TOOL);
        }
        if let Some(body) = &mut draft.body {
            redactor.value(body);
        }
        for id in [&mut draft.actor, &mut draft.owner] {
            if id.as_str().contains('\0') {
                *id = ActorId::new(clean(id.as_str()));
            }
        }
        // Only now: of half a secret nobody would know that it is one.
        for text in [&mut draft.subject, &mut draft.summary] {
            cut(text, TEXT);
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

fn cut(text: &mut String, most: usize) {
    // Counting characters is only needed where there are more bytes than characters allowed.
    if text.len() > most && text.chars().count() > most {
        *text = shorten(text, most - 1);
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

    fn event_columns(&self) -> [Column<'_>; EVENT.columns] {
        let draft = &self.row.draft;
        [
            Column::number(self.seq),
            Column::Number(self.at),
            Column::text(draft.kind.as_str()),
            Column::text(draft.actor.as_str()),
            Column::text(draft.owner.as_str()),
            Column::text(&draft.subject),
            Column::text(&draft.correlation),
            Column::Text(draft.tool.as_deref()),
            Column::Text(draft.tier.map(Tier::as_str)),
            Column::text(&draft.summary),
            Column::Text(self.row.body.as_ref().map(|body| body.digest.as_str())),
            Column::text(&self.hash),
        ]
    }

    fn body_columns<'r>(&self, body: &'r Body) -> [Column<'r>; BODY.columns] {
        [Column::number(self.seq), Column::text(&body.salt), Column::text(&body.json)]
    }
}

fn head_columns(head: &Head) -> [Column<'_>; 3] {
    [Column::number(head.seq), Column::Number(head.at), Column::text(&head.hash)]
}

/// A value on its way into the database, over either driver.
#[derive(Clone, Copy)]
enum Column<'r> {
    Number(i64),
    Text(Option<&'r str>),
}

impl<'r> Column<'r> {
    const fn number(number: u64) -> Self {
        Self::Number(number.cast_signed())
    }

    const fn text(text: &'r str) -> Self {
        Self::Text(Some(text))
    }
}

impl ToSql for Column<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Number(number) => ValueRef::Integer(*number),
            Self::Text(text) => text.map_or(ValueRef::Null, |text| ValueRef::Text(text.as_bytes())),
        }))
    }
}

fn bind<'r>(columns: impl IntoIterator<Item = Column<'r>>, arguments: &mut AnyArguments) -> Result<(), sqlx::Error> {
    let mut columns = columns.into_iter();
    let bound = columns.try_for_each(|column| match column {
        Column::Number(number) => arguments.add(number),
        Column::Text(text) => arguments.add(text),
    });
    bound.map_err(sqlx::Error::Encode)
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
pub(crate) async fn insert(connection: &mut Connection, dialect: Dialect, rows: &[Linked]) -> Result<(), sqlx::Error> {
    if let Some(local) = connection.local() {
        return local.insert(rows);
    }
    let mut rest = rows;
    while !rest.is_empty() {
        let (size, sql) = EVENTS.largest(dialect, rest.len());
        let (chunk, after) = rest.split_at(size);
        let mut arguments = AnyArguments::default();
        arguments.reserve(size * EVENT.columns, 0);
        for row in chunk {
            bind(row.event_columns(), &mut arguments)?;
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
            bind(row.body_columns(body), &mut arguments)?;
        }
        sqlx::query_with(AssertSqlSafe(sql), arguments).execute(&mut *connection).await?;
        rest = after;
    }
    Ok(())
}

/// Moves the stored head.
pub(crate) async fn move_head(connection: &mut Connection, head: &Head) -> Result<(), sqlx::Error> {
    sqlx::query(MOVE_HEAD)
        .bind(head.seq.cast_signed())
        .bind(head.at)
        .bind(head.hash.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

/// Inserts rows and their bodies into SQLite.
pub(crate) fn insert_here(connection: &rusqlite::Connection, rows: &[Linked]) -> rusqlite::Result<()> {
    let one = |statements: &Statements| statements.largest(Dialect::Sqlite, 1).1;
    let mut events = connection.prepare_cached(&one(&EVENTS))?;
    let mut bodies = connection.prepare_cached(&one(&BODIES))?;
    for row in rows {
        events.execute(params_from_iter(row.event_columns()))?;
        if let Some(body) = &row.row.body {
            bodies.execute(params_from_iter(row.body_columns(body)))?;
        }
    }
    Ok(())
}

/// Moves the stored head of SQLite.
pub(crate) fn move_head_here(connection: &rusqlite::Connection, head: &Head) -> rusqlite::Result<()> {
    connection.prepare_cached(MOVE_HEAD)?.execute(params_from_iter(head_columns(head))).map(|_| ())
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
