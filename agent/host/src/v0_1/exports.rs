//! What the agent may call in a guest of contract 0.1: one typed function per export, in model types. It sets no limits;
//! `visit.rs` runs these under them.

use super::bindings::exports::waybill::connector::{
    base, levels, listing, sink, source, tickets, webhook,
};
use super::convert::{self, Canonical, Misfit};
use crate::state::CallState;
use std::collections::BTreeSet;
use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre};
use waybill_model::contract::{
    ChoicePage, Context, Delivered, Delivery, Descriptor, Failure, Hint, Level, Moment, Page,
    Pairs, Problem, Role, Scope, Settled, Verdict,
};
use waybill_model::document::{Document, Entity};

/// Why a call into a guest gave no value.
pub(crate) enum Stop {
    /// It trapped, or the host ended it.
    Trap(wasmtime::Error),
    /// It said so.
    Failure(Failure),
    /// Its answer has the wrong shape.
    Contract(String),
}

impl From<wasmtime::Error> for Stop {
    fn from(error: wasmtime::Error) -> Self {
        Self::Trap(error)
    }
}

impl From<Misfit> for Stop {
    fn from(misfit: Misfit) -> Self {
        Self::Contract(misfit.to_string())
    }
}

/// Where the functions of each exported role are.
pub(crate) struct Exports {
    base: base::GuestIndices,
    source: Option<source::GuestIndices>,
    listing: Option<listing::GuestIndices>,
    sink: Option<sink::GuestIndices>,
    levels: Option<levels::GuestIndices>,
    tickets: Option<tickets::GuestIndices>,
    webhook: Option<webhook::GuestIndices>,
}

/// A store with its instance.
pub(crate) struct Live {
    pub(crate) store: Store<CallState>,
    pub(crate) instance: Instance,
}

fn not_exported(role: Role) -> Stop {
    Stop::Contract(format!("the connector does not export `{role}`"))
}

/// The guest's own result, with its failure told apart from traps.
fn answer<T: Canonical>(
    result: wasmtime::Result<Result<T::Wit, super::bindings::waybill::connector::types::Failure>>,
) -> Result<T, Stop> {
    match result? {
        Ok(value) => Ok(T::lift(value)?),
        Err(failure) => Err(Stop::Failure(Failure::lift(failure)?)),
    }
}

macro_rules! role {
    ($self:ident, $live:ident, $field:ident, $role:ident) => {
        $self
            .$field
            .as_ref()
            .ok_or_else(|| not_exported(Role::$role))?
            .load(&mut $live.store, &$live.instance)?
    };
}

impl Exports {
    /// Finds the functions by name; types are checked by [`Self::prove`].
    pub(crate) fn find(
        pre: &InstancePre<CallState>,
        roles: &BTreeSet<Role>,
    ) -> wasmtime::Result<Self> {
        macro_rules! find {
            ($module:ident, $role:ident) => {
                roles
                    .contains(&Role::$role)
                    .then(|| $module::GuestIndices::new(pre))
                    .transpose()?
            };
        }
        Ok(Self {
            base: base::GuestIndices::new(pre)?,
            source: find!(source, Source),
            listing: find!(listing, Listing),
            sink: find!(sink, Sink),
            levels: find!(levels, Levels),
            tickets: find!(tickets, Tickets),
            webhook: find!(webhook, Webhook),
        })
    }

    /// Checks the types of every exported function; the error names the role.
    pub(crate) fn prove(&self, live: &mut Live) -> wasmtime::Result<()> {
        macro_rules! prove {
            ($field:ident) => {
                if let Some(indices) = &self.$field {
                    indices
                        .load(&mut live.store, &live.instance)
                        .map_err(|e| e.context(concat!("role `", stringify!($field), "`")))?;
                }
            };
        }
        self.base
            .load(&mut live.store, &live.instance)
            .map_err(|e| e.context("role `base`"))?;
        prove!(source);
        prove!(listing);
        prove!(sink);
        prove!(levels);
        prove!(tickets);
        prove!(webhook);
        Ok(())
    }

    pub(crate) async fn describe(&self, live: &mut Live) -> Result<Descriptor, Stop> {
        let guest = self.base.load(&mut live.store, &live.instance)?;
        let descriptor = guest.call_describe(&mut live.store).await?;
        Ok(Descriptor::lift(descriptor)?)
    }

    pub(crate) async fn validate(
        &self,
        live: &mut Live,
        context: Context,
    ) -> Result<Vec<Problem>, Stop> {
        let guest = self.base.load(&mut live.store, &live.instance)?;
        let problems = guest
            .call_validate(&mut live.store, &context.lower())
            .await?;
        Ok(Canonical::lift(problems)?)
    }

    pub(crate) async fn probe(&self, live: &mut Live, context: Context) -> Result<Pairs, Stop> {
        let guest = self.base.load(&mut live.store, &live.instance)?;
        answer(guest.call_probe(&mut live.store, &context.lower()).await)
    }

    pub(crate) async fn choices(
        &self,
        live: &mut Live,
        context: Context,
        key: String,
        cursor: Option<String>,
    ) -> Result<ChoicePage, Stop> {
        let guest = self.base.load(&mut live.store, &live.instance)?;
        let context = context.lower();
        answer(
            guest
                .call_choices(&mut live.store, &context, &key, cursor.as_deref())
                .await,
        )
    }

    pub(crate) async fn pull(
        &self,
        live: &mut Live,
        context: Context,
        entity: Entity,
        cursor: Option<Vec<u8>>,
    ) -> Result<Page, Stop> {
        let guest = role!(self, live, source, Source);
        let context = context.lower();
        match guest
            .call_pull(&mut live.store, &context, entity.lower(), cursor.as_deref())
            .await?
        {
            Ok(page) => Ok(convert::page(page)?),
            Err(failure) => Err(Stop::Failure(Failure::lift(failure)?)),
        }
    }

    pub(crate) async fn fetch(
        &self,
        live: &mut Live,
        context: Context,
        entity: Entity,
        keys: Vec<String>,
    ) -> Result<Vec<Document>, Stop> {
        let guest = role!(self, live, source, Source);
        let context = context.lower();
        answer(
            guest
                .call_fetch(&mut live.store, &context, entity.lower(), &keys)
                .await,
        )
    }

    pub(crate) async fn settle(
        &self,
        live: &mut Live,
        context: Context,
        moment: Moment,
        batch: Vec<Settled>,
    ) -> Result<Vec<Verdict>, Stop> {
        let guest = role!(self, live, source, Source);
        let context = context.lower();
        answer(
            guest
                .call_settle(&mut live.store, &context, moment.lower(), &batch.lower())
                .await,
        )
    }

    pub(crate) async fn read(
        &self,
        live: &mut Live,
        context: Context,
        entity: Entity,
        scope: Scope,
        cursor: Option<Vec<u8>>,
    ) -> Result<Page, Stop> {
        let guest = role!(self, live, listing, Listing);
        let (context, scope) = (context.lower(), convert::scope(scope));
        match guest
            .call_read(
                &mut live.store,
                &context,
                entity.lower(),
                &scope,
                cursor.as_deref(),
            )
            .await?
        {
            Ok(page) => Ok(convert::page(page)?),
            Err(failure) => Err(Stop::Failure(Failure::lift(failure)?)),
        }
    }

    pub(crate) async fn push(
        &self,
        live: &mut Live,
        context: Context,
        batch: Vec<Delivery>,
    ) -> Result<Vec<Verdict>, Stop> {
        let guest = role!(self, live, sink, Sink);
        let context = context.lower();
        answer(
            guest
                .call_push(&mut live.store, &context, &batch.lower())
                .await,
        )
    }

    pub(crate) async fn push_levels(
        &self,
        live: &mut Live,
        context: Context,
        batch: Vec<Level>,
    ) -> Result<Vec<Verdict>, Stop> {
        let guest = role!(self, live, levels, Levels);
        let context = context.lower();
        answer(
            guest
                .call_push(&mut live.store, &context, &batch.lower())
                .await,
        )
    }

    pub(crate) async fn confirm(
        &self,
        live: &mut Live,
        context: Context,
        handles: Vec<String>,
    ) -> Result<Vec<Verdict>, Stop> {
        let guest = role!(self, live, tickets, Tickets);
        let context = context.lower();
        answer(
            guest
                .call_confirm(&mut live.store, &context, &handles)
                .await,
        )
    }

    pub(crate) async fn receive(
        &self,
        live: &mut Live,
        context: Context,
        batch: Vec<Delivered>,
    ) -> Result<Vec<Result<Vec<Hint>, Problem>>, Stop> {
        let guest = role!(self, live, webhook, Webhook);
        let (context, batch) = (context.lower(), batch.lower());
        match guest
            .call_receive(&mut live.store, &context, &batch)
            .await?
        {
            Ok(results) => Ok(results
                .into_iter()
                .map(|result| match result {
                    Ok(hints) => Canonical::lift(hints).map(Ok),
                    Err(problem) => Canonical::lift(problem).map(Err),
                })
                .collect::<Result<_, Misfit>>()?),
            Err(failure) => Err(Stop::Failure(Failure::lift(failure)?)),
        }
    }

    pub(crate) async fn ensure(
        &self,
        live: &mut Live,
        context: Context,
        callback: String,
    ) -> Result<Vec<String>, Stop> {
        let guest = role!(self, live, webhook, Webhook);
        let context = context.lower();
        answer(
            guest
                .call_ensure(&mut live.store, &context, &callback)
                .await,
        )
    }

    pub(crate) async fn remove(
        &self,
        live: &mut Live,
        context: Context,
        callback: String,
    ) -> Result<(), Stop> {
        let guest = role!(self, live, webhook, Webhook);
        let context = context.lower();
        match guest
            .call_remove(&mut live.store, &context, &callback)
            .await?
        {
            Ok(()) => Ok(()),
            Err(failure) => Err(Stop::Failure(Failure::lift(failure)?)),
        }
    }
}
