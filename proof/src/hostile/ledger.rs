//! What is there at the end, and who had asked for it: looked up in the files and in the database, past the program.
//!
//! Everything that a request would make bears its mark. So nothing may bear the mark of a request that nobody allowed,
//! nor of one that was answered with a refusal; and no row of the audit that belongs to such a request tells of anything
//! but that it was refused.

use std::collections::HashSet;
use std::path::Path;

use anyhow::Context as _;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use crate::book::Book;
use crate::chain::{Key, Walk};
use crate::report::{Kind, Violation};

/// Where something that was made leaves its mark: table, and its text.
const TABLES: [(&str, &str); 13] = [
    ("call", "asked || json"),
    ("approval", "json"),
    ("approval_step", "json"),
    ("conversation", "title"),
    ("turn", "asked"),
    ("turn_entry", "json"),
    ("token", "name"),
    ("setting", "json"),
    ("granted", "terms"),
    ("secret", "lower(name) || note || uses"),
    ("job", "json"),
    ("job_output", "text"),
    ("schedule", "json"),
];
/// Rows that may belong to a request that was refused.
const REFUSALS: [&str; 3] = ["session.refused", "call.refused", "approval.refused"];
/// Rows of the audit that are read at once.
const PAGE: i64 = 4_000;

/// What requests were answered.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Correlations of requests that nobody allowed.
    pub(super) forbidden: HashSet<u128>,
    /// Numbers of requests that were allowed and refused.
    pub(super) refused: HashSet<u64>,
}

/// What must be as it was before.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fixed(Vec<(&'static str, String)>);

/// What nothing of all this may change, or take away.
const FIXED: [(&str, &str); 7] = [
    ("the settings and the kill switch", "select name || json from setting order by name"),
    ("the operator", "select password || set_at from operator"),
    (
        "what is allowed to tokens",
        "select id || name || ceiling || confirm || role || targets || coalesce(expires_at, 0) || coalesce(per_minute, 0) || coalesce(revoked_at, 0) from token where name in ('green', 'yellow', 'approver', 'revoked', 'bystander') order by id",
    ),
    (
        "the secrets",
        "select name || version || note || uses || coalesce(retired_at, 0) from secret order by name, version",
    ),
    ("the props' grant", "select id || terms || coalesce(revoked_at, 0) from granted order by created_at, id limit 1"),
    ("the props' schedule", "select id || json from schedule order by created_at, id limit 1"),
    ("the open question", "select id || state || json from approval order by created_at, id limit 1"),
];

impl Fixed {
    pub(super) async fn read(book: &Book) -> anyhow::Result<Self> {
        let mut reading = book.open().await?;
        let mut all = Vec::new();
        for (what, sql) in FIXED {
            for row in sqlx::query(sql).fetch_all(&mut reading).await.context(what)? {
                all.push((what, row.try_get::<String, _>(0)?));
            }
        }
        reading.close().await?;
        Ok(Self(all))
    }

    pub(super) fn compare(&self, now: &Self) -> Vec<Violation> {
        let gone = self.0.iter().filter(|one| !now.0.contains(one)).map(|one| ("changed or gone", one));
        let new = now.0.iter().filter(|one| !self.0.contains(one)).map(|one| ("new", one));
        let told = |(how, (what, text)): (&str, &(&str, String))| {
            Violation::new(Kind::StrayEffect, format!("{what}: {how}: {}", text.escape_debug()))
        };
        gone.chain(new).map(told).collect()
    }
}

impl Ledger {
    /// Everything that is there and that nobody may have asked for.
    pub(super) async fn compare(&self, book: &Book, data: &Path) -> anyhow::Result<Vec<Violation>> {
        let mut found = Vec::new();
        let mut reading = book.open().await?;
        for (table, text) in TABLES {
            let sql = format!("select {text} from \"{table}\" where {text} like '%zz%'");
            for row in sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut reading).await.context(table)? {
                let text: String = row.try_get(0)?;
                found.extend(self.stray(&text).map(|what| stray(&what, &format!("the table `{table}`"))));
            }
        }
        reading.close().await?;
        let around = data.parent().unwrap_or(data);
        self.walk(around, &mut found)?;
        for place in [Path::new("/tmp"), Path::new("/")] {
            for entry in std::fs::read_dir(place)?.flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                found.extend(self.stray(&name).map(|what| stray(&what, &place.display().to_string())));
            }
        }
        Ok(found)
    }

    /// Names of all files below, and the contents of those that tools write.
    fn walk(&self, folder: &Path, found: &mut Vec<Violation>) -> anyhow::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            found.extend(self.stray(&name).map(|what| stray(&what, &path.display().to_string())));
            if entry.file_type()?.is_dir() {
                self.walk(&path, found)?;
            } else if path.components().any(|part| part.as_os_str() == "files") {
                let text = String::from_utf8_lossy(&std::fs::read(&path)?).into_owned();
                found.extend(self.stray(&text).map(|what| stray(&what, &path.display().to_string())));
            }
        }
        Ok(())
    }

    /// The first mark in a text that may not be there, and why.
    fn stray(&self, text: &str) -> Option<String> {
        text.match_indices("zz").find_map(|(at, _)| {
            let (word, rest) = text.get(at + 2..)?.split_at_checked(2)?;
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            let number = digits.parse().ok().filter(|_| rest[digits.len()..].starts_with(['x', 'X']))?;
            match word.to_ascii_lowercase().as_str() {
                "no" => Some(format!("request {number}, which nobody allowed")),
                "ok" if self.refused.contains(&number) => Some(format!("request {number}, which was refused")),
                _ => None,
            }
        })
    }

    /// Follows the chain by an implementation of our own, and looks whose rows it holds.
    pub(super) async fn follow(&self, book: &Book, key: &Key) -> anyhow::Result<(i64, Vec<Violation>)> {
        let (mut walk, mut found) = (Walk::new(), Vec::new());
        loop {
            let rows = book.rows(walk.seq, PAGE).await?;
            for row in &rows {
                walk.step(key, row, &mut found);
                let theirs = u128::from_str_radix(&row.correlation, 16).is_ok_and(|it| self.forbidden.contains(&it));
                if theirs && !REFUSALS.contains(&row.kind.as_str()) {
                    let what = format!(
                        "a request that nobody allowed has the row {} ({}): {}",
                        row.seq, row.kind, row.summary
                    );
                    found.push(Violation::new(Kind::StrayEffect, what));
                }
            }
            if rows.is_empty() {
                return Ok((walk.seq, found));
            }
        }
    }
}

fn stray(what: &str, place: &str) -> Violation {
    Violation::new(Kind::StrayEffect, format!("{place} holds something of {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_whole_and_judged_by_who_was_refused() {
        let ledger = Ledger { refused: [12].into(), ..Ledger::default() };
        assert!(ledger.stray("a zzok12x").is_some() && ledger.stray("ZZOK12X").is_none());
        assert!(ledger.stray("zzok123x zzok1x zzok12").is_none());
        assert!(ledger.stray(".zzno7x.txt").is_some());
    }
}
