//! Return addresses of a stopped thread, by the `.eh_frame` tables of what it runs, and nothing else.
//!
//! This is a proof, not a guess: where a table or a rule is missing the walk fails, and no frame
//! pointer is ever followed instead. That strictness is why no ready-made unwinder is used; gimli reads
//! the tables. They come from the target's memory, not from files.

use crate::elf::Module;
use crate::maps::Maps;
use crate::memory::Memory;
use crate::ptrace::Registers;
use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameHdr, EndianSlice, EvaluationResult, LittleEndian,
    Register, RegisterRule, UnwindContext, UnwindExpression, UnwindSection, Value, X86_64,
};
use std::ops::Range;
use std::time::{Duration, Instant};

/// Tables of one image beyond this are not taken (64 MB is a machine-learning library).
const MAX_TABLES: u64 = 32 << 20;
const MAX_FRAMES: usize = 20_000;
/// The thread stands still meanwhile.
const TIME_LIMIT: Duration = Duration::from_millis(20);
const STACK_CHUNK: usize = 64 * 1024;
/// DWARF numbers 0 to 16 (System V x86-64 ABI, figure 3.36).
const N_REGISTERS: usize = 17;

type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// Why a walk did not reach the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unproven {
    /// No tables are loaded for the code at this address: add them and try another time.
    NoTables(u64),
    /// Tables that say nothing, or more than is understood, or a stack that does not fit them.
    NoRule,
    /// Too deep to look through while a thread stands still.
    TooDeep,
}

struct Tables {
    text: Vec<Range<u64>>,
    index_at: u64,
    index: Vec<u8>,
    frames_at: u64,
    frames: Vec<u8>,
}

/// Tables of the images that were asked for.
#[derive(Default)]
pub(crate) struct Unwinder {
    images: Vec<Tables>,
    without: Vec<u64>,
}

impl Unwinder {
    /// Loads the tables of the image that holds `address`, if it has any. Not to be done during a stop.
    pub(crate) fn add(&mut self, memory: &Memory, maps: &Maps, address: u64) {
        if self.tables(address).is_some() || self.without.contains(&address) {
            return;
        }
        match load(memory, maps, address) {
            Some(tables) => self.images.push(tables),
            None => self.without.push(address),
        }
    }

    fn tables(&self, address: u64) -> Option<&Tables> {
        self.images.iter().find(|image| image.text.iter().any(|range| range.contains(&address)))
    }

    /// All code addresses from `registers.rip` to the end of the stack, which must be reached.
    pub(crate) fn walk(
        &self,
        memory: &Memory,
        registers: &Registers,
    ) -> Result<Vec<u64>, Unproven> {
        let mut frame = Frame::of(registers);
        let mut stack = Stack { memory, start: 0, bytes: Vec::new() };
        let mut context = UnwindContext::new();
        let mut found = vec![registers.rip];
        let started = Instant::now();
        while found.len() < MAX_FRAMES && started.elapsed() < TIME_LIMIT {
            // A return address may lie behind the last instruction of its function.
            let address = frame.rip() - u64::from(found.len() > 1);
            let tables = self.tables(address).ok_or(Unproven::NoTables(address))?;
            match tables.step(address, &mut frame, &mut stack, &mut context) {
                Some(true) => found.push(frame.rip()),
                Some(false) => return Ok(found),
                None => return Err(Unproven::NoRule),
            }
        }
        Err(Unproven::TooDeep)
    }
}

fn load(memory: &Memory, maps: &Maps, address: u64) -> Option<Tables> {
    let part = maps.at(address)?;
    let head = maps
        .images()
        .filter(|head| head.inode == part.inode && head.device == part.device)
        .filter(|head| head.range.start <= address)
        .last()?;
    let module = Module::read(memory, head.range.start)?;
    let index_range = module.unwind_index.clone()?;
    let index_len = index_range.end - index_range.start;
    let index = memory.read(index_range.start, index_len.min(MAX_TABLES)).ok()?;
    let bases = BaseAddresses::default().set_eh_frame_hdr(index_range.start);
    let parsed = EhFrameHdr::new(&index, LittleEndian).parse(&bases, 8).ok()?;
    let gimli::Pointer::Direct(frames_at) = parsed.eh_frame_ptr() else {
        return None;
    };
    let load = module.loads.iter().find(|range| range.contains(&frames_at))?;
    let length = load.end - frames_at;
    if length > MAX_TABLES {
        return None;
    }
    let frames = memory.read_some(frames_at, length as usize);
    Some(Tables { text: module.text, index_at: index_range.start, index, frames_at, frames })
}

impl Tables {
    /// Goes to the caller's frame. `Some(false)` at the outermost one, `None` where the tables fail.
    fn step(
        &self,
        address: u64,
        frame: &mut Frame,
        stack: &mut Stack<'_>,
        context: &mut UnwindContext<usize>,
    ) -> Option<bool> {
        let bases =
            BaseAddresses::default().set_eh_frame_hdr(self.index_at).set_eh_frame(self.frames_at);
        let section = EhFrame::new(&self.frames, LittleEndian);
        let index = EhFrameHdr::new(&self.index, LittleEndian).parse(&bases, 8).ok()?;
        let fde = index
            .table()?
            .fde_for_address(&section, &bases, address, EhFrame::cie_from_offset)
            .ok()?;
        let row = fde.unwind_info_for_address(&section, &bases, context, address).ok()?;
        let place = Place { section, encoding: fde.cie().encoding() };
        let cfa = match row.cfa() {
            CfaRule::RegisterAndOffset { register, offset } => {
                frame.get(*register)?.checked_add_signed(*offset)?
            }
            CfaRule::Expression(expression) => place.evaluate(expression, None, frame, stack)?,
        };
        let mut caller = *frame;
        caller.set(X86_64::RSP, Some(cfa));
        caller.set(X86_64::RA, None);
        let mut outermost = false;
        for (register, rule) in row.registers() {
            let value = match rule {
                RegisterRule::Undefined => {
                    outermost |= *register == X86_64::RA;
                    None
                }
                RegisterRule::SameValue => frame.get(*register),
                RegisterRule::Offset(offset) => Some(stack.word(cfa.checked_add_signed(*offset)?)?),
                RegisterRule::ValOffset(offset) => cfa.checked_add_signed(*offset),
                RegisterRule::Register(other) => frame.get(*other),
                RegisterRule::Expression(expression) => {
                    let at = place.evaluate(expression, Some(cfa), frame, stack)?;
                    Some(stack.word(at)?)
                }
                RegisterRule::ValExpression(expression) => {
                    Some(place.evaluate(expression, Some(cfa), frame, stack)?)
                }
                _ => return None,
            };
            caller.set(*register, value);
        }
        if outermost {
            return Some(false);
        }
        let advanced = cfa > frame.get(X86_64::RSP)?;
        *frame = caller;
        match frame.get(X86_64::RA)? {
            0 => Some(false),
            _ => advanced.then_some(true),
        }
    }
}

/// What an expression is evaluated against.
struct Place<'a> {
    section: EhFrame<Slice<'a>>,
    encoding: gimli::Encoding,
}

impl Place<'_> {
    fn evaluate(
        &self,
        expression: &UnwindExpression<usize>,
        initial: Option<u64>,
        frame: &Frame,
        stack: &mut Stack<'_>,
    ) -> Option<u64> {
        let mut evaluation = expression.get(&self.section).ok()?.evaluation(self.encoding);
        evaluation.set_max_iterations(1000);
        if let Some(value) = initial {
            evaluation.set_initial_value(value);
        }
        let mut result = evaluation.evaluate().ok()?;
        loop {
            result = match result {
                EvaluationResult::Complete => break,
                EvaluationResult::RequiresRegister { register, .. } => {
                    evaluation.resume_with_register(Value::Generic(frame.get(register)?)).ok()?
                }
                EvaluationResult::RequiresMemory { address, size: 8, .. } => {
                    evaluation.resume_with_memory(Value::Generic(stack.word(address)?)).ok()?
                }
                _ => return None,
            };
        }
        match evaluation.result().first()?.location {
            gimli::Location::Address { address } => Some(address),
            _ => None,
        }
    }
}

/// Registers of one frame, as far as they are known.
#[derive(Clone, Copy)]
struct Frame([Option<u64>; N_REGISTERS]);

impl Frame {
    fn of(r: &Registers) -> Self {
        let order = [
            r.rax, r.rdx, r.rcx, r.rbx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8, r.r9, r.r10, r.r11,
            r.r12, r.r13, r.r14, r.r15, r.rip,
        ];
        Self(order.map(Some))
    }

    fn rip(&self) -> u64 {
        self.0[X86_64::RA.0 as usize].unwrap_or(0)
    }

    fn get(&self, register: Register) -> Option<u64> {
        *self.0.get(usize::from(register.0))?
    }

    fn set(&mut self, register: Register, value: Option<u64>) {
        if let Some(place) = self.0.get_mut(usize::from(register.0)) {
            *place = value;
        }
    }
}

/// Words of the stack, fetched in large pieces.
struct Stack<'a> {
    memory: &'a Memory,
    start: u64,
    bytes: Vec<u8>,
}

impl Stack<'_> {
    fn word(&mut self, address: u64) -> Option<u64> {
        let held = |stack: &Self| {
            let at = usize::try_from(address.checked_sub(stack.start)?).ok()?;
            Some(u64::from_le_bytes(stack.bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
        };
        held(self).or_else(|| {
            self.start = address;
            self.bytes = self.memory.read_some(address, STACK_CHUNK);
            held(self)
        })
    }
}
