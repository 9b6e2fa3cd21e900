//! The functions of CPython's C API that the imports probe calls, by name. All of them are called with the
//! GIL in hand; none of them runs Python code with the arguments given here.
//!
//! No offset of the interpreter's structures stands here: objects are addresses.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::sync::atomic::{
    AtomicPtr,
    Ordering::{Acquire, Release},
};

/// An object's address; null is none.
pub(super) type Object = *mut c_void;

macro_rules! api {
    ($($field:ident: $name:literal),* $(,)?) => {
        /// See the module's text. Null where the interpreter does not have it.
        #[repr(C)]
        pub(super) struct Api { $(pub(super) $field: AtomicPtr<()>),* }
        pub(super) static API: Api = Api { $($field: AtomicPtr::new(core::ptr::null_mut())),* };

        /// Looks everything up. Before any walk of the loader's list, without the GIL.
        pub fn resolve(find: impl Fn(&CStr) -> u64) {
            $(API.$field.store(find($name) as *mut (), Release);)*
        }
    };
}
api! {
    call: c"PyObject_Call",
    module_dict: c"PyImport_GetModuleDict",
    dict_get: c"PyDict_GetItemString",
    dict_size: c"PyDict_Size",
    get_attribute: c"PyObject_GetAttrString",
    set_attribute: c"PyObject_SetAttrString",
    new_function: c"PyCFunction_NewEx",
    function_of: c"PyCFunction_GetFunction",
    self_of: c"PyCFunction_GetSelf",
    clear_error: c"PyErr_Clear",
    forget: c"Py_DecRef",
    tuple_size: c"PyTuple_Size",
    tuple_item: c"PyTuple_GetItem",
    utf8: c"PyUnicode_AsUTF8AndSize",
    string: c"PyString_AsStringAndSize",
    globals: c"PyEval_GetGlobals",
    thread_state: c"PyThreadState_Get",
    line: c"PyCode_Addr2Line",
    this_thread_state: c"PyGILState_GetThisThreadState",
    has_gil: c"PyGILState_Check",
    current_thread_state: c"_PyThreadState_Current",
    has_threads: c"PyEval_ThreadsInitialized",
    get_allocator: c"PyMem_GetAllocator",
    set_allocator: c"PyMem_SetAllocator",
}

impl Api {
    /// False where something is missing that every interpreter has.
    pub(super) fn is_complete(&self) -> bool {
        let words = [
            &self.call,
            &self.module_dict,
            &self.dict_get,
            &self.dict_size,
            &self.get_attribute,
            &self.set_attribute,
            &self.new_function,
            &self.function_of,
            &self.self_of,
            &self.clear_error,
            &self.forget,
            &self.tuple_size,
            &self.tuple_item,
            &self.globals,
            &self.thread_state,
            &self.line,
            &self.this_thread_state,
        ];
        let text = [&self.utf8, &self.string];
        words.iter().all(|word| !word.load(Acquire).is_null())
            && text.iter().any(|word| !word.load(Acquire).is_null())
    }

    /// True on 2.7, whose importer is `__builtin__.__import__`.
    pub(super) fn is_python2(&self) -> bool {
        !self.string.load(Acquire).is_null()
    }
}

/// A function of this type at an address that was looked up.
fn function<F: Copy>(word: &AtomicPtr<()>) -> Option<F> {
    const { assert!(size_of::<F>() == size_of::<*mut ()>()) };
    let address = word.load(Acquire);
    // SAFETY: `resolve` found it under the name of a function of this type (CPython's documented C API);
    // function pointers are as wide as addresses on x86-64.
    (!address.is_null()).then(|| unsafe { core::mem::transmute_copy(&address) })
}

fn found(object: Object) -> Option<Object> {
    (!object.is_null()).then_some(object)
}

/// `sys.modules` of the running interpreter, borrowed.
pub(super) fn modules() -> Option<Object> {
    found(function::<extern "C" fn() -> Object>(&API.module_dict)?())
}

/// `dict[key]`, borrowed.
pub(super) fn item(dict: Object, key: &CStr) -> Option<Object> {
    found(function::<extern "C" fn(Object, *const c_char) -> Object>(&API.dict_get)?(
        dict,
        key.as_ptr(),
    ))
}

/// `len(dict)`.
pub(super) fn size(dict: Object) -> isize {
    function::<extern "C" fn(Object) -> isize>(&API.dict_size).map_or(-1, |size| size(dict))
}

/// `object.name`, a reference of ours. No error is left behind.
pub(super) fn attribute(object: Object, name: &CStr) -> Option<Object> {
    type Get = extern "C" fn(Object, *const c_char) -> Object;
    let value = found(function::<Get>(&API.get_attribute)?(object, name.as_ptr()));
    if value.is_none() {
        clear_error();
    }
    value
}

/// `object.name = value`. No error is left behind.
pub(super) fn set_attribute(object: Object, name: &CStr, value: Object) -> bool {
    type Set = extern "C" fn(Object, *const c_char, Object) -> c_int;
    let done = function::<Set>(&API.set_attribute)
        .is_some_and(|set| set(object, name.as_ptr(), value) == 0);
    if !done {
        clear_error();
    }
    done
}

/// A built-in function of `method`, bound to `object`; a reference of ours.
pub(super) fn new_function(method: *const c_void, object: Object) -> Option<Object> {
    type New = extern "C" fn(*const c_void, Object, Object) -> Object;
    let made = found(function::<New>(&API.new_function)?(method, object, core::ptr::null_mut()));
    if made.is_none() {
        clear_error();
    }
    made
}

/// The C function behind a built-in function, 0 for any other object.
pub(super) fn function_of(object: Object) -> usize {
    let address =
        function::<extern "C" fn(Object) -> usize>(&API.function_of).map_or(0, |of| of(object));
    if address == 0 {
        clear_error(); // SystemError: not a built-in function
    }
    address
}

/// What a built-in function is bound to, borrowed.
pub(super) fn self_of(object: Object) -> Option<Object> {
    found(function::<extern "C" fn(Object) -> Object>(&API.self_of)?(object))
}

/// Gives a reference back.
pub(super) fn forget(object: Object) {
    if let Some(forget) = function::<extern "C" fn(Object)>(&API.forget) {
        forget(object);
    }
}

fn clear_error() {
    if let Some(clear) = function::<extern "C" fn()>(&API.clear_error) {
        clear();
    }
}

/// The first of a call's arguments, borrowed.
pub(super) fn first(tuple: Object) -> Option<Object> {
    let size = function::<extern "C" fn(Object) -> isize>(&API.tuple_size)?(tuple);
    let item = function::<extern "C" fn(Object, isize) -> Object>(&API.tuple_item)?;
    if size > 0 { found(item(tuple, 0)) } else { None }
}

/// The bytes of a string, UTF-8; they live as long as the object. No error is left behind.
pub(super) fn text<'a>(object: Object) -> Option<&'a [u8]> {
    let (mut bytes, mut length) = (core::ptr::null::<u8>(), 0isize);
    if let Some(string) =
        function::<extern "C" fn(Object, *mut *const u8, *mut isize) -> c_int>(&API.string)
    {
        // 2.7: fails for what is neither `str` nor `unicode`.
        if string(object, &mut bytes, &mut length) != 0 {
            bytes = core::ptr::null();
        }
    } else {
        bytes = function::<extern "C" fn(Object, *mut isize) -> *const u8>(&API.utf8)?(
            object,
            &mut length,
        );
    }
    if bytes.is_null() || length < 0 {
        clear_error();
        return None;
    }
    // SAFETY: both functions give the object's own bytes and their number; the caller holds a
    // reference to the object and keeps the bytes no longer.
    Some(unsafe { core::slice::from_raw_parts(bytes, length as usize) })
}

/// `globals()` of the innermost Python frame, borrowed.
pub(super) fn globals() -> Option<Object> {
    found(function::<extern "C" fn() -> Object>(&API.globals)?())
}

/// This thread's state, which holds the GIL.
pub(super) fn thread_state() -> u64 {
    function::<extern "C" fn() -> u64>(&API.thread_state).map_or(0, |state| state())
}

/// Line of an instruction of a living code object, 0 if it has none.
pub(super) fn line(code: u64, instruction: u32) -> u32 {
    let line = function::<extern "C" fn(u64, c_int) -> c_int>(&API.line)
        .map_or(0, |line| line(code, instruction as c_int));
    u32::try_from(line).unwrap_or(0)
}

/// Whether this thread has a thread state and holds the GIL with it (or there is none yet).
pub(super) fn holds_gil() -> bool {
    let state = function::<extern "C" fn() -> u64>(&API.this_thread_state).map_or(0, |ask| ask());
    if let Some(check) = function::<extern "C" fn() -> c_int>(&API.has_gil) {
        return state != 0 && check() == 1;
    }
    let current = API.current_thread_state.load(Acquire).cast::<u64>();
    // SAFETY: 2.7 exports the variable `PyThreadState *_PyThreadState_Current`.
    let current = if current.is_null() { 0 } else { unsafe { current.read_volatile() } };
    // 2.7 asks about signals before it remembers which state is which thread's: there are no threads then.
    let alone =
        function::<extern "C" fn() -> c_int>(&API.has_threads).is_some_and(|ask| ask() == 0);
    current != 0 && (current == state || (state == 0 && alone))
}

/// `PyMemAllocatorEx`.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub(super) struct Allocator {
    pub(super) context: usize,
    pub(super) malloc: usize,
    pub(super) calloc: usize,
    pub(super) realloc: usize,
    pub(super) free: usize,
}

/// The allocator of a domain (0 raw, 1 mem, 2 object); none where it cannot be asked for.
pub(super) fn allocator(domain: usize) -> Option<Allocator> {
    let mut found = Allocator::default();
    let get = function::<extern "C" fn(c_int, *mut Allocator)>(&API.get_allocator)?;
    get(domain as c_int, &mut found);
    (found.malloc != 0).then_some(found)
}

/// Sets it.
pub(super) fn set_allocator(domain: usize, mut to: Allocator) {
    if let Some(set) = function::<extern "C" fn(c_int, *mut Allocator)>(&API.set_allocator) {
        set(domain as c_int, &mut to);
    }
}
