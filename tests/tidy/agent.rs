//! What the built agent asks of its host: these functions of libc, and nothing else.

use crate::{none, output_of};
use std::collections::BTreeSet;

/// The agent as it is embedded in the daemon.
const AGENT: &str = concat!(env!("OUT_DIR"), "/agent.so");

/// Functions that the agent links to. Everything else it looks up by name when it starts, and none
/// of them allocates in steady state: hooks call nothing but what they stand for.
const MAY_LINK: &[&str] = &[
    "__errno_location",
    "bcmp",
    "close",
    "dl_iterate_phdr",
    "dladdr",
    "dlsym",
    "dlvsym",
    "environ",
    "fcntl",
    "getpid",
    "madvise",
    "memcpy",
    "memmove",
    "memset",
    "mmap",
    "mprotect",
    "munmap",
    "pthread_attr_destroy",
    "pthread_attr_init",
    "pthread_attr_setdetachstate",
    "pthread_attr_setstacksize",
    "pthread_create",
    "pthread_detach",
    "pthread_mutex_lock",
    "pthread_mutex_unlock",
    "pthread_sigmask",
    "setenv",
    "strlen",
    "syscall",
    "unsetenv",
];

#[test]
fn the_agent_links_only_to_functions_on_the_list() {
    let undefined = output_of("nm", &["-D", "--undefined-only", "--format=posix", AGENT]);
    let names: BTreeSet<&str> =
        undefined.lines().filter_map(|line| line.split(['@', ' ']).next()).collect();
    assert!(!names.is_empty(), "an agent that links to nothing cannot be read right");
    let wrong: Vec<_> =
        names.iter().filter(|name| !MAY_LINK.contains(name)).map(|n| (*n).to_owned()).collect();
    none("the agent must not link to:", &wrong);
}

#[test]
fn the_agent_needs_no_library_no_thread_local_storage_and_no_executable_data() {
    let headers = output_of("readelf", &["-lW", AGENT]);
    assert!(!headers.contains("  TLS "), "thread-local storage is scarce in a host: {headers}");
    assert!(
        !headers.contains(" RWE "),
        "no page of the agent is writable and executable: {headers}"
    );
    let dynamic = output_of("readelf", &["-dW", AGENT]);
    assert!(!dynamic.contains("(NEEDED)"), "the agent must not pull in libraries: {dynamic}");
    assert!(
        dynamic.contains("BIND_NOW"),
        "a hook must not enter the loader to bind a symbol: {dynamic}"
    );
    assert!(dynamic.contains("NODELETE"), "a thread may still be in the agent's text: {dynamic}");
}

#[test]
fn the_agent_exports_only_its_entry_points() {
    let defined = output_of("nm", &["-D", "--defined-only", "--format=posix", AGENT]);
    let names: Vec<&str> =
        defined.lines().filter_map(|line| line.split(['@', ' ']).next()).collect();
    let ours = |name: &&&str| {
        name.to_lowercase().starts_with("gilscope_") || **name == "rust_eh_personality"
    };
    let wrong: Vec<_> = names.iter().filter(|name| !ours(name)).map(|n| (*n).to_owned()).collect();
    none("a name that the agent exports may hide one of the host's:", &wrong);
}
