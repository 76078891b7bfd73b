//! Makes a connector misbehave by rewriting its core module: what it says of itself, its settings and everything else stay
//! the real one's. Must not know which connector it is.

use anyhow::{Context as _, ensure};
use std::collections::{BTreeMap, BTreeSet};
use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, Function, FunctionSection, GlobalSection, GlobalType,
    Instruction, MemArg, MemArgTarget, Module, ValType,
};
use wasmparser::{ExternalKind, Parser, Payload, TypeRef};

/// How a build misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deed {
    /// Every batch stops it at once.
    Trap,
    /// Every batch stops it right after its first request was answered: what it did at the vendor is done.
    TrapAfterAnswer,
    /// Every batch runs for ever.
    Loop,
    /// Its test of a connection stops it.
    ProbeTraps,
    /// Every request is made twice.
    Twice,
}

/// What is done to the body of a function.
#[derive(Debug, Clone, Copy)]
enum Body {
    Trap,
    Loop,
    /// From here on the next answer stops it.
    Arm,
}

/// Functions that batches are given to.
const BATCHES: [&str; 5] = ["#pull", "#fetch", "#settle", "#push", "#confirm"];
/// Where a request says that it has an effect, and that the effect was looked up and is not there.
const HAS_EFFECT: MemArg = at(44);
const VERIFIED_ABSENT: MemArg = at(64);
/// Bytes of a page of memory.
const PAGE: i32 = 65_536;
const SEND: (&str, &str) = ("waybill:host/http@", "send");

const fn at(offset: u64) -> MemArg {
    MemArg {
        offset,
        align: 0,
        target: MemArgTarget::Memory(0),
        ordering: None,
    }
}

/// The module, misbehaving.
pub(crate) fn alter(module: &[u8], deed: Deed) -> anyhow::Result<Vec<u8>> {
    let found = Found::read(module)?;
    let on = |names: &[&str], body: Body| -> BTreeMap<u32, Body> {
        let ending = |name: &String| names.iter().any(|part| name.ends_with(part));
        let functions = found.exports.iter().filter(|(name, _)| ending(name));
        functions.map(|(_, function)| (*function, body)).collect()
    };
    let bodies = match deed {
        Deed::Trap => on(&BATCHES, Body::Trap),
        Deed::Loop => on(&BATCHES, Body::Loop),
        Deed::TrapAfterAnswer => on(&BATCHES, Body::Arm),
        Deed::ProbeTraps => on(&["#probe"], Body::Trap),
        Deed::Twice => BTreeMap::new(),
    };
    ensure!(
        deed == Deed::Twice || !bodies.is_empty(),
        "the module has none of the functions it should misbehave in"
    );
    let wraps = matches!(deed, Deed::Twice | Deed::TrapAfterAnswer);
    let mut altering = Altering {
        bodies,
        wrapper: wraps.then_some(found.functions),
        twice: deed == Deed::Twice,
        at: found.imported,
        found,
    };
    let mut altered = Module::new();
    altering
        .parse_core_module(&mut altered, Parser::new(0), module)
        .map_err(|error| anyhow::anyhow!("cannot rewrite the module: {error}"))?;
    Ok(altered.finish())
}

/// What must be known of a module before it is rewritten.
struct Found {
    exports: Vec<(String, u32)>,
    /// Imported functions, and all.
    imported: u32,
    functions: u32,
    globals: u32,
    /// Index, type and parameters of the function that sends requests.
    send: u32,
    send_type: u32,
    send_parameters: u32,
}

impl Found {
    fn read(module: &[u8]) -> anyhow::Result<Self> {
        let mut parameters: Vec<usize> = Vec::new();
        let (mut exports, mut send) = (Vec::new(), None);
        let (mut imported, mut defined, mut globals) = (0, 0, 0);
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::TypeSection(types) => {
                    for ty in types.into_iter_err_on_gc_types() {
                        parameters.push(ty?.params().len());
                    }
                }
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        let import = import?;
                        if let TypeRef::Func(ty) = import.ty {
                            if import.module.starts_with(SEND.0) && import.name == SEND.1 {
                                send = Some((imported, ty));
                            }
                            imported += 1;
                        }
                    }
                }
                Payload::FunctionSection(functions) => defined = functions.count(),
                Payload::GlobalSection(all) => globals = all.count(),
                Payload::ExportSection(all) => {
                    for export in all {
                        let export = export?;
                        if export.kind == ExternalKind::Func {
                            exports.push((export.name.to_owned(), export.index));
                        }
                    }
                }
                _ => {}
            }
        }
        let (send, send_type) = send.context("the connector sends no requests")?;
        let all = parameters.get(send_type as usize);
        Ok(Self {
            exports,
            imported,
            functions: imported + defined,
            globals,
            send,
            send_type,
            send_parameters: u32::try_from(*all.context("a function without a type")?)?,
        })
    }
}

struct Altering {
    found: Found,
    bodies: BTreeMap<u32, Body>,
    /// Index of the function that stands between the connector and its requests.
    wrapper: Option<u32>,
    twice: bool,
    /// The function whose body comes next.
    at: u32,
}

impl Altering {
    /// Calls what sends, with the arguments it was called with; the last one says where the answer goes. `aside`: the
    /// answer goes into a page of its own, since the caller's place for it may lie over the request.
    fn send(&self, function: &mut Function, aside: bool) {
        let answer = self.found.send_parameters.saturating_sub(1);
        for parameter in 0..answer {
            function.instruction(&Instruction::LocalGet(parameter));
        }
        if aside {
            for instruction in [
                Instruction::I32Const(1),
                Instruction::MemoryGrow(0),
                Instruction::I32Const(PAGE),
                Instruction::I32Mul,
            ] {
                function.instruction(&instruction);
            }
        } else {
            function.instruction(&Instruction::LocalGet(answer));
        }
        function.instruction(&Instruction::Call(self.found.send));
    }

    fn wrapper(&self) -> Function {
        let mut function = Function::new([]);
        if self.twice {
            // What was looked up before is sent once: a second sending would rely on a look-up that is too old.
            for instruction in [
                Instruction::LocalGet(0),
                Instruction::I32Load8U(VERIFIED_ABSENT),
                Instruction::I32Eqz,
                Instruction::LocalGet(0),
                Instruction::I32Load8U(HAS_EFFECT),
                Instruction::I32Eqz,
                Instruction::I32Or,
                Instruction::If(BlockType::Empty),
            ] {
                function.instruction(&instruction);
            }
            self.send(&mut function, true);
            function.instruction(&Instruction::End);
        }
        self.send(&mut function, false);
        if !self.twice {
            for instruction in [
                Instruction::GlobalGet(self.found.globals),
                Instruction::If(BlockType::Empty),
                Instruction::Unreachable,
                Instruction::End,
            ] {
                function.instruction(&instruction);
            }
        }
        function.instruction(&Instruction::End);
        function
    }
}

impl Reencode for Altering {
    type Error = std::convert::Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, Error> {
        Ok(match self.wrapper {
            Some(wrapper) if function == self.found.send => wrapper,
            _ => function,
        })
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: wasmparser::FunctionSectionReader<'_>,
    ) -> Result<(), Error> {
        utils::parse_function_section(self, functions, section)?;
        if self.wrapper.is_some() {
            functions.function(self.found.send_type);
        }
        Ok(())
    }

    fn parse_global_section(
        &mut self,
        globals: &mut GlobalSection,
        section: wasmparser::GlobalSectionReader<'_>,
    ) -> Result<(), Error> {
        utils::parse_global_section(self, globals, section)?;
        let armed = GlobalType {
            val_type: ValType::I32,
            mutable: true,
            shared: false,
        };
        globals.global(armed, &ConstExpr::i32_const(0));
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: wasmparser::CodeSectionReader<'_>,
    ) -> Result<(), Error> {
        utils::parse_code_section(self, code, section)?;
        if self.wrapper.is_some() {
            code.function(&self.wrapper());
        }
        Ok(())
    }

    fn parse_function_body(
        &mut self,
        code: &mut CodeSection,
        body: wasmparser::FunctionBody<'_>,
    ) -> Result<(), Error> {
        let own = self.bodies.get(&self.at).copied();
        self.at += 1;
        let mut function = self.new_function_with_parsed_locals(&body)?;
        let before: &[Instruction<'_>] = match own {
            None => &[],
            Some(Body::Trap) => &[Instruction::Unreachable],
            Some(Body::Loop) => &[
                Instruction::Loop(BlockType::Empty),
                Instruction::Br(0),
                Instruction::End,
            ],
            Some(Body::Arm) => &[
                Instruction::I32Const(1),
                Instruction::GlobalSet(self.found.globals),
            ],
        };
        for instruction in before {
            function.instruction(instruction);
        }
        let mut reader = body.get_operators_reader()?;
        while !reader.eof() {
            function.instruction(&self.parse_instruction(&mut reader)?);
        }
        code.function(&function);
        Ok(())
    }
}

/// The bytes with every `from` replaced by a text of the same length; how often there was one.
pub(crate) fn replaced(bytes: &[u8], from: &str, to: &str) -> anyhow::Result<Vec<u8>> {
    ensure!(from.len() == to.len(), "`{to}` is not as long as `{from}`");
    let mut changed = bytes.to_vec();
    let mut places = BTreeSet::new();
    for at in 0..bytes.len().saturating_sub(from.len()) {
        if bytes[at..].starts_with(from.as_bytes()) {
            changed[at..at + to.len()].copy_from_slice(to.as_bytes());
            places.insert(at);
        }
    }
    ensure!(!places.is_empty(), "`{from}` is not in the connector");
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_encoder::{
        EntityType, ExportKind, ExportSection, ImportSection, MemorySection, MemoryType,
        TypeSection,
    };

    /// A module with one request and one batch function that makes it.
    fn module() -> Vec<u8> {
        let mut module = Module::new();
        let mut memories = MemorySection::new();
        memories.memory(MemoryType {
            minimum: 1,
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        let mut types = TypeSection::new();
        types.ty().function([ValType::I32, ValType::I32], []);
        types.ty().function([], []);
        let mut imports = ImportSection::new();
        imports.import("waybill:host/http@0.1.0", "send", EntityType::Function(0));
        let mut functions = FunctionSection::new();
        functions.function(1);
        let mut globals = GlobalSection::new();
        let ty = GlobalType {
            val_type: ValType::I32,
            mutable: true,
            shared: false,
        };
        globals.global(ty, &ConstExpr::i32_const(7));
        let mut exports = ExportSection::new();
        exports.export("waybill:connector/sink@0.1.0#push", ExportKind::Func, 1);
        exports.export("waybill:connector/base@0.1.0#probe", ExportKind::Func, 1);
        let mut code = CodeSection::new();
        let mut push = Function::new([]);
        for instruction in [
            Instruction::I32Const(1),
            Instruction::I32Const(2),
            Instruction::Call(0),
            Instruction::End,
        ] {
            push.instruction(&instruction);
        }
        code.function(&push);
        module
            .section(&types)
            .section(&imports)
            .section(&functions)
            .section(&memories)
            .section(&globals)
            .section(&exports)
            .section(&code);
        module.finish()
    }

    #[test]
    fn every_deed_gives_a_module_that_holds_together() {
        let good = module();
        let mut seen = BTreeSet::from([good.clone()]);
        for deed in [
            Deed::Trap,
            Deed::TrapAfterAnswer,
            Deed::Loop,
            Deed::ProbeTraps,
            Deed::Twice,
        ] {
            let bad = alter(&good, deed).unwrap();
            wasmparser::validate(&bad).unwrap();
            // Traps of both functions are the same here: they share a body.
            assert!(seen.insert(bad) || deed == Deed::ProbeTraps, "{deed:?}");
        }
    }

    #[test]
    fn every_request_goes_by_the_function_between() {
        let found = Found::read(&alter(&module(), Deed::Twice).unwrap()).unwrap();
        assert_eq!((found.send, found.imported, found.functions), (0, 1, 3));
        let bad = alter(&module(), Deed::Twice).unwrap();
        let mut calls = Vec::new();
        for payload in Parser::new(0).parse_all(&bad) {
            if let Payload::CodeSectionEntry(body) = payload.unwrap() {
                for operator in body.get_operators_reader().unwrap() {
                    if let wasmparser::Operator::Call { function_index } = operator.unwrap() {
                        calls.push(function_index);
                    }
                }
            }
        }
        assert_eq!(calls, [2, 0, 0]);
    }

    #[test]
    fn texts_are_replaced_by_ones_of_their_length() {
        assert_eq!(replaced(b"a-b-a!", "a", "c").unwrap(), b"c-b-c!");
        assert!(replaced(b"a-b-a!", "a", "cc").is_err());
        assert!(replaced(b"a-b-a!", "z", "c").is_err());
    }
}
