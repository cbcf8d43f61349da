//! The only way from a name to an address: looked up once, filtered by the guard, and exactly that is connected to.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::is_public;

/// Addresses of one name that are tried.
const TRIED: usize = 8;

/// Says which addresses may be reached.
pub trait Guard: Send + Sync {
    /// Whether a connection to this address may be made.
    fn admits(&self, address: IpAddr) -> bool;
}

/// The guard of the product.
#[derive(Debug, Clone, Copy)]
pub struct PublicOnly;

impl Guard for PublicOnly {
    fn admits(&self, address: IpAddr) -> bool {
        is_public(address)
    }
}

/// Looks names up.
#[async_trait]
pub trait Names: Send + Sync {
    /// All addresses of a host.
    ///
    /// # Errors
    /// If there are none, or nobody could be asked.
    async fn look_up(&self, host: &str) -> std::io::Result<Vec<IpAddr>>;
}

/// The names that this machine knows.
#[derive(Debug, Clone, Copy)]
pub struct SystemNames;

#[async_trait]
impl Names for SystemNames {
    async fn look_up(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// No address of a host may be reached.
#[derive(Debug, thiserror::Error)]
#[error("`{host}` is not on the public internet, and Jarvis fetches nothing else")]
pub(super) struct NotPublic {
    pub(super) host: String,
}

/// The resolver that the client really uses.
#[derive(Clone)]
pub(super) struct Reach {
    pub(super) guard: Arc<dyn Guard>,
    pub(super) names: Arc<dyn Names>,
}

impl Resolve for Reach {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.clone();
        let host = name.as_str().to_owned();
        Box::pin(async move {
            let found = reach.names.look_up(&host).await?;
            let admitted: Vec<_> = found.into_iter().filter(|address| reach.guard.admits(*address)).collect();
            if admitted.is_empty() {
                return Err(Box::new(NotPublic { host }) as Box<dyn Error + Send + Sync>);
            }
            // The port of the address is filled in by the client from the link.
            let addresses = admitted.into_iter().take(TRIED).map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}
