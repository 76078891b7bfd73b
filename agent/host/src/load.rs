//! Loads a component: signature before anything, names before code, compile, link, instantiate each role once, `describe`
//! without any power. What comes out is a `Generation` no connection is bound to yet; any refusal leaves nothing behind.

use crate::agreement::disagreement;
use crate::connector::CallError;
use crate::engine::HostEngine;
use crate::generation::Generation;
use crate::limits::Limits;
use crate::passport::{CONTRACT, Passport, SERVED, line, numbers};
use crate::places::memories;
use crate::state::{Access, CallState};
use crate::trust::{SignatureError, Signer, Trust};
use crate::v0_1::exports::{Exports, Stop};
use crate::v0_1::imports;
use crate::visit::{Ready, sentence};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use wasmtime::component::{Component, Linker};
use waybill_model::contract::Descriptor;
use waybill_model::ids;

/// Largest component taken.
const MAX_BYTES: u64 = 64 << 20;
/// How often `describe` is asked: a busy machine is not the connector's fault.
const ATTEMPTS: u32 = 3;

/// Why a component was not loaded. Nothing that ran before is touched by it.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("`{}` cannot be read: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is far larger than any connector.
    #[error("the component has {0} bytes; at most {MAX_BYTES} are loaded")]
    TooLarge(u64),
    /// A core module, or no WebAssembly at all.
    #[error("the file is {0}, not a component")]
    NotAComponent(&'static str),
    /// Nobody trusted answers for these bytes.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The bytes are damaged, or use what this agent does not run.
    #[error("the component does not compile: {0}")]
    Compile(String),
    /// Built for another contract.
    #[error(
        "the component is built for `{package}` {found}, so it needs an agent that serves {line}.x from {found} on; this agent serves {SERVED}.x up to {CONTRACT}",
        line = line(found)
    )]
    Version {
        /// Which package.
        package: String,
        /// The component's version.
        found: String,
    },
    /// Built for a later version of the same contract, and uses what came with it.
    #[error(
        "the component is built for `{package}` {found}, and uses what this agent, which serves {SERVED}.x up to {CONTRACT}, does not have: {why}"
    )]
    Newer {
        /// Which package.
        package: String,
        /// The component's version.
        found: String,
        /// What is missing.
        why: String,
    },
    /// It wants an operating system.
    #[error("the component imports {}; this agent gives connectors no WASI", listed(.0))]
    Wasi(Vec<String>),
    /// It wants something that no contract names.
    #[error("the component imports `{0}`, which is no capability of this agent")]
    UnknownImport(String),
    /// It offers a role that no contract names.
    #[error("the component exports `{0}`, which is no role this agent knows")]
    UnknownExport(String),
    /// It is some other program.
    #[error("the component does not export `waybill:connector/base`, so it is no connector")]
    NoConnector,
    /// Names fit, types do not.
    #[error("the component does not fit contract {SERVED}: {0}")]
    Shape(String),
    /// `describe` gave no descriptor.
    #[error("the connector could not describe itself: {0}")]
    Describe(String),
    /// The descriptor contradicts the exports or itself.
    #[error("the connector `{id}` contradicts itself: {why}")]
    Disagrees {
        /// The descriptor's id.
        id: String,
        /// How.
        why: String,
    },
    /// The agent is stopping.
    #[error("loading was interrupted")]
    Interrupted,
}

fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => format!("`{one}`"),
        [first, rest @ ..] => format!("`{first}` and {} more", rest.len()),
    }
}

impl LoadError {
    /// What the connector's author or the merchant can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Version { package, found } => Some(if numbers(found) > numbers(CONTRACT) {
                format!("upgrade the agent to one that serves `{package}` {}, or take a build of the connector for {SERVED}", line(found))
            } else {
                format!("take a build of the connector for {SERVED}, or build it against `{package}` {CONTRACT}")
            }),
            Self::Newer { package, found, .. } => Some(format!(
                "upgrade the agent to one that has `{package}` {found}, or take a build of the connector for {CONTRACT}"
            )),
            Self::Wasi(_) => Some(
                "build it for `wasm32-unknown-unknown`, or without the parts of its standard library that need a system"
                    .to_owned(),
            ),
            Self::NotAComponent(_) => {
                Some("wrap the module into a component, as `cargo pack` does".to_owned())
            }
            Self::Describe(_) => Some(
                "`describe` must answer by itself within 100 ms: no host call but `log` is answered"
                    .to_owned(),
            ),
            Self::Shape(_) => {
                Some(format!("build it again with the bindings of contract {SERVED}"))
            }
            Self::Signature(error) => Some(error.hint()),
            Self::Compile(_) => Some("copy the file again; it may be cut short".to_owned()),
            _ => None,
        }
    }
}

/// What is known of a component before any of it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// SHA-256 of the file, in hexadecimal digits.
    pub hash: String,
    /// Who answers for it; `None`: nobody, and that is allowed.
    pub signer: Option<Signer>,
    /// Its roles, permissions and versions.
    pub passport: Passport,
}

struct Compiled {
    component: Component,
    look: Look,
}

/// A component's file, if it has the size of one.
pub fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    let failed = |source| LoadError::File {
        path: path.to_owned(),
        source,
    };
    let len = std::fs::metadata(path).map_err(failed)?.len();
    if len > MAX_BYTES {
        return Err(LoadError::TooLarge(len));
    }
    std::fs::read(path).map_err(failed)
}

/// Loads components into one engine.
#[derive(Clone)]
pub struct Loader {
    engine: HostEngine,
    limits: Limits,
    trust: Arc<Trust>,
}

impl Loader {
    /// A loader whose generations run under these limits, and that loads only what is trusted.
    pub fn new(engine: HostEngine, limits: Limits, trust: Trust) -> Self {
        Self {
            engine,
            limits,
            trust: Arc::new(trust),
        }
    }

    /// Loads a file.
    pub async fn load_file(
        &self,
        path: &Path,
        generation: ids::Generation,
    ) -> Result<Arc<Generation>, LoadError> {
        let path = path.to_owned();
        let bytes = tokio::task::spawn_blocking(move || read(&path))
            .await
            .map_err(|_| LoadError::Interrupted)??;
        self.load(bytes, generation).await
    }

    /// Says who signed a component and what it may do. It is compiled, since its names are read that way, and not run.
    pub async fn look(&self, bytes: Vec<u8>) -> Result<Look, LoadError> {
        Ok(self.compile(bytes).await?.look)
    }

    /// Loads a component's bytes.
    pub async fn load(
        &self,
        bytes: Vec<u8>,
        generation: ids::Generation,
    ) -> Result<Arc<Generation>, LoadError> {
        let Compiled { component, look } = self.compile(bytes).await?;
        let Look {
            hash,
            signer,
            passport,
        } = look;
        let ready = self.link(&component, &passport)?;
        let descriptor = self.describe(&ready).await?;
        if let Some(why) = disagreement(&descriptor, &passport.roles) {
            return Err(LoadError::Disagrees {
                id: descriptor.id,
                why,
            });
        }
        Ok(Arc::new(Generation {
            id: generation,
            hash,
            signer,
            descriptor: Arc::new(descriptor),
            passport,
            limits: self.limits.clone(),
            ready,
        }))
    }

    async fn compile(&self, bytes: Vec<u8>) -> Result<Compiled, LoadError> {
        is_component(&bytes)?;
        let engine = self.engine.wasm().clone();
        let trust = Arc::clone(&self.trust);
        let compile = move || {
            let checked = trust.check(&bytes)?;
            // The signature is left out, so that signing anew compiles nothing anew.
            let component = Component::from_binary(&engine, checked.component)
                .map_err(|e| LoadError::Compile(sentence(&e)))?;
            Ok::<_, LoadError>((component, checked.signer, hash(&bytes)))
        };
        let (component, signer, hash) = tokio::task::spawn_blocking(compile)
            .await
            .map_err(|_| LoadError::Interrupted)??;
        let passport = passport(&component)?;
        Ok(Compiled {
            component,
            look: Look {
                hash,
                signer,
                passport,
            },
        })
    }

    fn link(&self, component: &Component, passport: &Passport) -> Result<Ready, LoadError> {
        let shape = |e: wasmtime::Error| {
            let why = format!("{e:#}");
            match passport.newer() {
                Some((package, found)) => LoadError::Newer {
                    package: package.to_owned(),
                    found: found.to_owned(),
                    why,
                },
                None => LoadError::Shape(why),
            }
        };
        let mut linker = Linker::new(self.engine.wasm());
        imports::link(&mut linker, &passport.permissions).map_err(shape)?;
        let pre = linker.instantiate_pre(component).map_err(shape)?;
        let exports = Exports::find(&pre, &passport.roles).map_err(shape)?;
        Ok(Ready {
            engine: self.engine.clone(),
            pre,
            exports,
            memories: memories(component),
            left: Arc::default(),
        })
    }

    /// Instantiates, checks the types of every role, and asks who it is; with nothing but `log` to call.
    async fn describe(&self, ready: &Ready) -> Result<Descriptor, LoadError> {
        let mut described = Err(CallError::TimedOut);
        for _ in 0..ATTEMPTS {
            let deadline = Instant::now() + Duration::from_millis(self.limits.describe_ms);
            let state = CallState::new(Access::Nothing, None, &self.limits, deadline);
            (described, _) = ready
                .visit(state, |exports, live| {
                    Box::pin(async move {
                        exports
                            .prove(live)
                            .map_err(|e| Stop::Contract(format!("{e:#}")))?;
                        exports.describe(live).await
                    })
                })
                .await;
            if !matches!(described, Err(CallError::TimedOut)) {
                break;
            }
        }
        described.map_err(|error| match error {
            CallError::Contract(why) => LoadError::Shape(why),
            CallError::Trapped(why) | CallError::Host(why) => LoadError::Describe(why),
            CallError::TimedOut => {
                let ms = self.limits.describe_ms;
                LoadError::Describe(format!("stopped after {ms} ms, {ATTEMPTS} times"))
            }
            CallError::OutOfMemory => LoadError::Describe(format!(
                "it wanted more than {} bytes of memory",
                self.limits.memory
            )),
            CallError::Failure(_) => LoadError::Describe("it failed".to_owned()),
        })
    }
}

fn passport(component: &Component) -> Result<Passport, LoadError> {
    let ty = component.component_type();
    let engine = component.engine();
    Passport::read(
        ty.imports(engine).map(|(name, _)| name),
        ty.exports(engine).map(|(name, _)| name),
    )
}

/// Looks at the first eight bytes, so that the common mistake gets its own sentence.
pub(crate) fn is_component(bytes: &[u8]) -> Result<(), LoadError> {
    match bytes {
        [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => Ok(()),
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => {
            Err(LoadError::NotAComponent("a core WebAssembly module"))
        }
        [0, b'a', b's', b'm', ..] => {
            Err(LoadError::NotAComponent("WebAssembly of an unknown kind"))
        }
        _ => Err(LoadError::NotAComponent("no WebAssembly")),
    }
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}
