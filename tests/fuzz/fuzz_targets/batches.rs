//! Hands libFuzzer's inputs to the entry of the same name.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gilscope::fuzz::batches(data));
