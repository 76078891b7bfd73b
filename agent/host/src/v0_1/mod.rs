//! Contract 0.1: bindings made from `wit/`, the two directions of calls, and the conversion to `waybill_model`. The only
//! folder that knows a WIT type; a later contract gets a folder of its own beside this one.

mod bindings;
mod convert;
pub(crate) mod exports;
pub(crate) mod imports;
