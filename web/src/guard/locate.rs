//! Ids in paths and values in queries, with a problem instead of a plain text when they cannot be read.

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Path, Query};
use http::request::Parts;
use jarvis_safety::plain::{shorten, visible};
use serde::de::DeserializeOwned;

use crate::problem::Fault;

/// The one id in the path. What is no id cannot be there, so it is not found.
#[derive(Debug)]
pub struct At<T>(pub T);

impl<S: Send + Sync, T: FromStr<Err: Display>> FromRequestParts<S> for At<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| Fault::not_found("the path cannot be read"))?;
        text.parse().map(Self).map_err(|error: T::Err| Fault::not_found(shorten(&visible(&error.to_string()), 300)))
    }
}

/// The query.
#[derive(Debug)]
pub struct Asked<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        Query::try_from_uri(&parts.uri).map(|Query(values)| Self(values)).map_err(|error| {
            Fault::invalid(format!("the query does not fit: {}", shorten(&visible(&error.to_string()), 300)))
        })
    }
}
