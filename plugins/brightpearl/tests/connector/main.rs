//! The connector against a scripted Brightpearl: what is sent, and what each answer leads to.

#[cfg(test)]
mod account;
#[cfg(test)]
mod cancels;
mod catalogue;
#[cfg(test)]
mod consumers;
#[cfg(test)]
mod customers;
#[cfg(test)]
mod invoices;
#[cfg(test)]
mod net;
#[cfg(test)]
mod orders;
#[cfg(test)]
mod sales;
#[cfg(test)]
mod sandbox;
#[cfg(test)]
mod script;
#[cfg(test)]
mod shipments;
#[cfg(test)]
mod together;
#[cfg(test)]
mod webhooks;
#[cfg(test)]
mod whole;
