//! What every test needs: ports in memory, a site to call, the component, and short ways to make a call.

pub(crate) mod contract;
pub(crate) mod guest;
pub(crate) mod memory;
pub(crate) mod openssh;
pub(crate) mod password;
pub(crate) mod site;
