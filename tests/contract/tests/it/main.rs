//! The contract test on connectors that keep their promises, and on those that each break one.

#[cfg(test)]
mod broken;
#[cfg(test)]
mod guest;
#[cfg(test)]
mod kept;
