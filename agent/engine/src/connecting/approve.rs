//! An approval at the vendor: where the merchant goes, and what is done with the code that comes back. Who may bring a code,
//! and whether it answers a question of ours, is the page's business.

use super::form::in_use;
use crate::core::Slot;
use crate::event::Event;
use crate::handle::{CommandError, Handle};
use secrecy::SecretString;
use std::sync::Arc;
use waybill_host::connector::Connector;
use waybill_model::contract::{Problem, Scheme};
use waybill_store::{ConnectionRow, FeedRow, Read};

fn refused(problem: Problem) -> CommandError {
    CommandError::Refused(problem)
}

/// The connector, and the slot in use, where it is one that is approved.
fn approvable(slot: &Slot) -> Result<(&Arc<dyn Connector>, String), Problem> {
    let connector = slot
        .connector
        .as_ref()
        .map_err(|why| Problem::new("no-connector", why.clone(), "Install the connector."))?;
    let used = in_use(connector.descriptor(), &slot.settings);
    match used {
        Some(credential) if matches!(credential.scheme, Scheme::OAuth2Code(_)) => {
            Ok((connector, credential.slot.clone()))
        }
        _ => Err(Problem::new(
            "no-consent",
            format!(
                "{} is not set to be approved in the browser.",
                slot.row.title
            ),
            "Choose that way to sign in on the page of the connection, save, and connect again.",
        )),
    }
}

impl Handle {
    async fn bound(&self, connection: &str) -> Result<Slot, CommandError> {
        let row = self.connection(connection).await?;
        let slot = self.core.slot(row.id);
        slot.ok_or_else(|| CommandError::NotFound(format!("connection `{connection}`")))
    }

    /// The address where the merchant approves. The vendor sends the browser back to `redirect`, with `state`.
    ///
    /// # Errors
    /// When the connection is not set to be approved, or its settings make no address.
    pub async fn consent(
        &self,
        connection: &str,
        redirect: &str,
        state: &str,
    ) -> Result<String, CommandError> {
        let slot = self.bound(connection).await?;
        let (connector, of) = approvable(&slot).map_err(refused)?;
        connector.consent(&of, redirect, state).map_err(refused)
    }

    /// Takes the code of an approval: tokens are sealed, a refused sign-in is forgotten, and reading goes on.
    ///
    /// # Errors
    /// When the vendor refuses the code, or the tokens cannot be sealed: nothing was changed.
    pub async fn approved(
        &self,
        connection: &str,
        code: SecretString,
        redirect: &str,
        who: &str,
    ) -> Result<(), CommandError> {
        let slot = self.bound(connection).await?;
        let (connector, of) = approvable(&slot).map_err(refused)?;
        connector
            .approved(&of, code, redirect)
            .await
            .map_err(refused)?;
        let (id, who, now) = (slot.row.id, who.to_owned(), self.now());
        self.core
            .store
            .write(move |tx| {
                let Some(row) = tx.connection(id)? else {
                    return Ok(());
                };
                tx.audit(&who, "Approved", &row.name, now)?;
                // What failed for want of an approval is asked again at once.
                for feed in tx.feeds()?.into_iter().filter(|feed| feed.connection == id) {
                    tx.put_feed(&FeedRow {
                        failures: 0,
                        next_due: now,
                        ..feed
                    })?;
                }
                tx.put_connection(&ConnectionRow {
                    unauthorized: None,
                    last_error: None,
                    hold_until: None,
                    ..row
                })
                .map(drop)
            })
            .await?;
        self.core.wake(Event::Poll(id, None));
        Ok(())
    }
}
