//! The connection to systemd: made when first needed, and again after it was lost.

use std::sync::Arc;
use std::time::Duration;

use jarvis_safety::plain::{shorten, visible};
use jarvis_safety::tool::{ToolError, ToolErrorKind};
use tokio::sync::Mutex;
use zbus::connection::Builder;
use zbus::{Connection, DBusError as _, DynamicType, Message};

use super::guard::Guard;
use super::right;
use crate::system::user;

/// Where the system bus listens when nothing else was configured.
const SYSTEM_BUS: &str = "unix:path=/run/dbus/system_bus_socket";
const CONNECT: Duration = Duration::from_secs(3);
const ANSWER: Duration = Duration::from_secs(10);

pub(super) const SYSTEMD: &str = "org.freedesktop.systemd1";
pub(super) const ROOT: &str = "/org/freedesktop/systemd1";
pub(super) const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// The way to systemd. Cheap to clone; connects when first asked.
#[derive(Clone)]
pub struct Bus(Arc<Inner>);

struct Inner {
    address: String,
    connection: Mutex<Option<Connection>>,
    guard: Guard,
    user: String,
}

/// What was found at the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Systemd {
    /// Version of systemd.
    pub version: String,
    /// `running`, `degraded`, `starting` …
    pub state: String,
}

impl Bus {
    /// The bus at this D-Bus address; `None` is the system bus of this machine. Nothing is opened yet.
    #[must_use]
    pub fn new(address: Option<String>) -> Self {
        Self(Arc::new(Inner {
            address: address.unwrap_or_else(|| SYSTEM_BUS.to_owned()),
            connection: Mutex::new(None),
            guard: Guard::read(),
            user: user::own(),
        }))
    }

    /// Looks whether systemd answers, for `jarvis doctor`.
    ///
    /// # Errors
    /// Says what is missing and how to provide it.
    pub async fn found(&self) -> Result<Systemd, ToolError> {
        let version = self.manager_property("Version").await?;
        let state = self.manager_property("SystemState").await?;
        Ok(Systemd { version, state })
    }

    async fn manager_property(&self, name: &str) -> Result<String, ToolError> {
        let reply = self.call(ROOT, PROPERTIES, "Get", &(MANAGER, name)).await?;
        let value: zbus::OwnedVariant = body(&reply)?;
        let text = String::try_from(value).map_err(|error| self.explained(&error))?;
        Ok(shorten(&visible(&text), 80))
    }

    /// What is too important to be stopped like any other.
    pub(super) fn guard(&self) -> &Guard {
        &self.0.guard
    }

    /// Calls a method of systemd.
    pub(super) async fn call<B>(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        arguments: &B,
    ) -> Result<Message, ToolError>
    where
        B: serde::Serialize + DynamicType,
    {
        let connection = self.connection().await?;
        let called = self.call_on(&connection, path, interface, method, arguments).await;
        // Whoever writes may find out sooner than whoever reads.
        if let Err(zbus::Error::InputOutput(_)) = &called {
            let mut held = self.0.connection.lock().await;
            if held.as_ref().is_some_and(|held| held.unique_name() == connection.unique_name()) {
                *held = None;
            }
        }
        called.map_err(|error| self.explained(&error))
    }

    /// Calls a method on a connection that the caller also listens to; the error is still systemd's own.
    pub(super) async fn call_on<B>(
        &self,
        connection: &Connection,
        path: &str,
        interface: &str,
        method: &str,
        arguments: &B,
    ) -> zbus::Result<Message>
    where
        B: serde::Serialize + DynamicType,
    {
        connection.call_method(Some(SYSTEMD), path, Some(interface), method, arguments).await
    }

    /// All properties of an object under one of its interfaces.
    pub(super) async fn properties(&self, path: &str, interface: &str) -> Result<Properties, ToolError> {
        let reply = self.call(path, PROPERTIES, "GetAll", &(interface,)).await?;
        Ok(Properties(body(&reply)?))
    }

    /// The living connection, or a new one.
    pub(super) async fn connection(&self) -> Result<Connection, ToolError> {
        let mut held = self.0.connection.lock().await;
        if let Some(connection) = held.as_ref().filter(|connection| !connection.is_closed()) {
            return Ok(connection.clone());
        }
        *held = None;
        let connecting = Builder::address(self.0.address.as_str()).method_timeout(ANSWER).build();
        let connection = tokio::time::timeout(CONNECT, connecting)
            .await
            .map_err(|_| self.missing("it does not answer"))?
            .map_err(|error| self.missing(error))?;
        // Without it systemd keeps the end of jobs to itself.
        self.call_on(&connection, ROOT, MANAGER, "Subscribe", &()).await.map_err(|error| self.explained(&error))?;
        Ok(held.insert(connection).clone())
    }

    fn missing(&self, why: impl std::fmt::Display) -> ToolError {
        ToolError::new(
            ToolErrorKind::Unavailable,
            format!(
                "the D-Bus of systemd at {} cannot be reached ({}); services need a machine that runs systemd. In a \
                 container, mount the machine's /run/dbus/system_bus_socket to the same place, or configure its address",
                visible(&self.0.address),
                shorten(&visible(&why.to_string()), 200)
            ),
        )
    }

    /// An error of the bus in words.
    pub(super) fn explained(&self, error: &zbus::Error) -> ToolError {
        let (name, text) = named(error);
        let text = shorten(&visible(&text), 300);
        let gone = ["ServiceUnknown", "NameHasNoOwner", "Spawn.", "Disconnected"];
        match name.strip_prefix("org.freedesktop.DBus.Error.") {
            Some(kind) if gone.iter().any(|gone| kind.starts_with(gone)) => {
                self.missing(format!("the bus is there, but systemd is not on it: {text}"))
            }
            _ if name.is_empty() => self.missing(text),
            _ => ToolError::new(ToolErrorKind::Failed, format!("systemd answers: {text} ({})", visible(&name))),
        }
    }

    /// An error of a request to change a service: `Interrupted` if systemd may have got it all the same.
    pub(super) fn refused(&self, error: &zbus::Error, verb: &str, unit: &str) -> ToolError {
        let (name, text) = named(error);
        let text = shorten(&visible(&text), 200);
        match change_error(&name, verb, unit, &self.0.user) {
            Some((kind, message)) => ToolError::new(kind, format!("{message} (systemd: {text})")),
            None if is_silence(&name) => broke_off(verb, unit, &text),
            None => self.explained(error),
        }
    }
}

/// The line broke between the request and its end.
pub(super) fn broke_off(verb: &str, unit: &str, why: &str) -> ToolError {
    let unit = visible(unit);
    ToolError::new(
        ToolErrorKind::Interrupted,
        format!("the line to systemd broke off before it told what became of the {verb} of {unit} ({why})"),
    )
}

/// Whether an error is no answer of systemd's but the want of one. An error without a name is the line itself; the
/// others are what a bus says in the place of somebody who has gone.
fn is_silence(name: &str) -> bool {
    const BUS: [&str; 4] = ["NoReply", "Timeout", "TimedOut", "Disconnected"];
    let of_bus = name.strip_prefix("org.freedesktop.DBus.Error.").is_some_and(|kind| BUS.contains(&kind));
    name.is_empty() || of_bus || name.starts_with("org.freedesktop.zbus.")
}

/// What systemd's refusals mean and what to do about them.
fn change_error(name: &str, verb: &str, unit: &str, user: &str) -> Option<(ToolErrorKind, String)> {
    if right::is_missing(name) {
        return Some((ToolErrorKind::NotPermitted, right::advice(verb, unit, user)));
    }
    let message = match name.strip_prefix("org.freedesktop.systemd1.")? {
        "NoSuchUnit" | "LoadFailed" => {
            return Some((
                ToolErrorKind::NotFound,
                format!("there is no service {unit} any more; `service_list` shows what there is"),
            ));
        }
        "UnitMasked" => format!("{unit} is masked: `systemctl unmask {unit}` on the machine allows it again"),
        "OnlyByDependency" => {
            format!("{unit} may only be moved by the services that need it; {verb} one of those")
        }
        "TransactionIsDestructive" | "TransactionJobsConflicting" => {
            format!("systemd is busy with something that contradicts it; try to {verb} {unit} again in a minute")
        }
        "ShuttingDown" => "the machine is shutting down".to_owned(),
        _ => return None,
    };
    Some((ToolErrorKind::Failed, message))
}

/// Name and text of an error reply; the name is empty where the bus itself failed.
fn named(error: &zbus::Error) -> (String, String) {
    match error {
        zbus::Error::MethodError(name, text, _) => (name.to_string(), text.clone().unwrap_or_default()),
        zbus::Error::FDO(error) => (error.name().to_string(), error.description().unwrap_or_default().to_owned()),
        other => (String::new(), other.to_string()),
    }
}

/// The body of a reply in its type.
pub(super) fn body<T>(reply: &Message) -> Result<T, ToolError>
where
    T: for<'a> zbus::wire::DynamicDeserialize<'a>,
{
    reply.body().deserialize().map_err(|error| {
        ToolError::new(ToolErrorKind::Failed, format!("systemd answered in a form that is not known: {error}"))
    })
}

/// Properties of an object, by name.
pub(super) struct Properties(std::collections::HashMap<String, zbus::OwnedVariant>);

impl Properties {
    /// Takes one out; `None` where it is absent or of another type.
    pub(super) fn take<T: TryFrom<zbus::OwnedVariant>>(&mut self, name: &str) -> Option<T> {
        T::try_from(self.0.remove(name)?).ok()
    }

    /// Puts a text back.
    pub(super) fn put(&mut self, name: &str, text: String) {
        self.0.insert(name.to_owned(), zbus::OwnedVariant::from(zbus::Str::from(text)));
    }

    /// Takes a text out; empty where it is absent.
    pub(super) fn text(&mut self, name: &str) -> String {
        self.take(name).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_missing_a_right_names_the_rule_to_add() {
        let refusals = [
            zbus::fdo::Error::AccessDenied("Permission denied".to_owned()),
            zbus::fdo::Error::InteractiveAuthorizationRequired("Interactive authentication required.".to_owned()),
        ];
        let bus = Bus::new(Some("unix:path=/nowhere".to_owned()));
        for refusal in refusals {
            let told = bus.refused(&zbus::Error::FDO(Box::new(refusal)), "restart", "nginx.service");
            assert_eq!(told.kind, ToolErrorKind::NotPermitted);
            assert!(told.message.contains("/etc/polkit-1/rules.d/50-jarvis.rules"), "{}", told.message);
            assert!(told.message.contains("\"nginx.service\""), "{}", told.message);
        }
        let (kind, _) =
            change_error("org.freedesktop.PolicyKit1.Error.NotAuthorized", "stop", "x.service", "jarvis").unwrap();
        assert_eq!(kind, ToolErrorKind::NotPermitted);
    }

    #[test]
    fn a_masked_or_vanished_service_is_told_apart_from_a_missing_right() {
        let of = |name| change_error(name, "start", "x.service", "jarvis").map(|(kind, _)| kind);
        assert_eq!(of("org.freedesktop.systemd1.UnitMasked"), Some(ToolErrorKind::Failed));
        assert_eq!(of("org.freedesktop.systemd1.NoSuchUnit"), Some(ToolErrorKind::NotFound));
        assert_eq!(of("org.freedesktop.DBus.Error.Timeout"), None);
    }

    #[test]
    fn a_change_without_an_answer_is_in_doubt_and_a_refused_one_is_not() {
        let bus = Bus::new(Some("unix:path=/nowhere".to_owned()));
        let kind = |error: zbus::Error| bus.refused(&error, "stop", "x.service").kind;
        let fdo = |error: zbus::fdo::Error| zbus::Error::FDO(Box::new(error));
        let timed_out = std::io::Error::from(std::io::ErrorKind::TimedOut);
        assert_eq!(kind(zbus::Error::InputOutput(Arc::new(timed_out))), ToolErrorKind::Interrupted);
        assert_eq!(kind(fdo(zbus::fdo::Error::NoReply("gone".to_owned()))), ToolErrorKind::Interrupted);
        assert_eq!(kind(fdo(zbus::fdo::Error::ZBus(zbus::Error::InvalidReply))), ToolErrorKind::Interrupted);
        assert_eq!(kind(fdo(zbus::fdo::Error::ServiceUnknown("no".to_owned()))), ToolErrorKind::Unavailable);
        assert_eq!(kind(fdo(zbus::fdo::Error::InvalidArgs("no".to_owned()))), ToolErrorKind::Failed);
    }

    #[tokio::test]
    async fn a_machine_without_systemd_is_a_state_that_says_what_to_do() {
        let error = Bus::new(Some("unix:path=/nowhere/bus".to_owned())).found().await.unwrap_err();
        assert_eq!(error.kind, ToolErrorKind::Unavailable);
        assert!(error.message.contains("/run/dbus/system_bus_socket"), "{}", error.message);
    }
}
