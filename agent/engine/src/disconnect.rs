//! Letting go of a connection: one that never answered is removed; any other is paused, what the agent registered at the vendor is removed there, and its secrets
//! on request. Owns the order of these steps and what is said of them; `ensure.rs` knows how a webhook is removed.

use crate::ensure;
use crate::event::Event;
use crate::handle::{CommandError, Handle};
use crate::view::DisconnectedView;
use waybill_model::contract::Problem;
use waybill_model::ids::ConnectionId;
use waybill_model::settings::HOOKS_URL;
use waybill_store::{HooksRow, Read, Scope, StoreError};

impl Handle {
    /// Pauses a connection and removes what stands at its vendor; with `secrets` it forgets those too, unless something
    /// still stands there that they are needed for. Orders, settings and matches stay. May be repeated.
    pub async fn disconnect(
        &self,
        connection: &str,
        secrets: bool,
        who: &str,
    ) -> Result<DisconnectedView, CommandError> {
        let row = self.connection(connection).await?;
        let id = row.id;
        let before = self.hooks_of(id).await?;
        let (by, now) = (who.to_owned(), self.now());
        // First of all: from here on nothing calls the vendor, and nothing registers again what is being removed.
        self.core
            .store
            .write(move |tx| {
                let mut row = tx.connection(id)?.unwrap_or_else(|| row.clone());
                row.paused = true;
                tx.put_connection(&row)?;
                let scope = Scope {
                    connection: Some(id),
                    retailer: None,
                };
                tx.set_setting(&scope, HOOKS_URL, None, &by, now)?;
                tx.audit(&by, "Disconnected", &row.name, now)
            })
            .await?;
        self.core.reload().map_err(CommandError::Store)?;
        ensure::remove_now(&self.core, id).await?;
        let after = self.hooks_of(id).await?;
        let left =
            match after.public_url {
                Some(_) => Some(after.problem.unwrap_or_else(|| {
                    "its connector is not there, or its secret is lost".to_owned()
                })),
                None => None,
            };
        let forgotten = if secrets && left.is_none() {
            self.forget_secrets(id, who).await?
        } else {
            0
        };
        self.core.wake(Event::Reload);
        Ok(DisconnectedView {
            connection: connection.to_owned(),
            removed: if left.is_none() {
                before.standing.clone()
            } else {
                Vec::new()
            },
            left_behind: if left.is_some() {
                before.standing
            } else {
                Vec::new()
            },
            why: left,
            secrets_forgotten: forgotten,
        })
    }

    /// Removes a connection that nothing came of, with its settings and secrets.
    ///
    /// # Errors
    /// When it was ever reached, or a flow goes over it: orders and matches may name it, so it is disconnected instead.
    pub async fn remove_connection(&self, connection: &str, who: &str) -> Result<(), CommandError> {
        let id = self.connection(connection).await?.id;
        let (by, now) = (who.to_owned(), self.now());
        let removed = self.core.store.write(move |tx| {
            let Some(row) = tx.connection(id)? else {
                return Ok(true);
            };
            let mut routes = tx.routes()?.into_iter();
            let flows = routes.any(|route| route.from == id || route.to == id);
            if row.last_ok.is_some() || flows {
                return Ok(false);
            }
            tx.remove_connection(id)?;
            tx.audit(&by, "Removed a connection", &row.name, now)?;
            Ok::<_, StoreError>(true)
        });
        if !removed.await? {
            return Err(CommandError::Refused(Problem::new(
                "in-use",
                format!("{connection} was in use: it has answered, or a flow goes over it."),
                "Pause it on the page Connections. To take down what it registered at the other side, disconnect it from the command line.",
            )));
        }
        self.core.reload().map_err(CommandError::Store)?;
        self.core.wake(Event::Reload);
        Ok(())
    }

    async fn hooks_of(&self, id: ConnectionId) -> Result<HooksRow, CommandError> {
        self.read(move |_, rx| Ok(rx.hooks(id)?.unwrap_or_else(|| HooksRow::new(id))))
            .await
    }

    async fn forget_secrets(&self, id: ConnectionId, who: &str) -> Result<u64, CommandError> {
        let (by, now) = (who.to_owned(), self.now());
        let forgotten = self.core.store.write(move |tx| {
            let names = tx.secret_names(id)?;
            for (slot, name, _) in &names {
                tx.remove_secret(id, slot, name)?;
            }
            let detail = format!("{} of connection {id}", names.len());
            tx.audit(&by, "Forgot secrets", &detail, now)?;
            Ok::<_, StoreError>(names.len() as u64)
        });
        Ok(forgotten.await?)
    }
}
