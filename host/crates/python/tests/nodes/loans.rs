//! Arrays that packets read in place: whose memory it is during a call, after it, and on other threads.

use std::ffi::CString;
use std::path::Path;

use pyo3::prelude::*;
use remotemedia_core::{Packet, Payload};
use remotemedia_python::marshal::{self, Loans};

/// Attaches, with numpy, to a namespace in which `source` was executed.
fn with_module<T>(source: &str, body: impl FnOnce(Python<'_>, &Bound<'_, PyModule>) -> T) -> T {
    crate::project::runtime().info(Path::new("/")).unwrap();
    Python::attach(|py| {
        let source = CString::new(format!("import numpy as np\n{source}")).unwrap();
        let module = PyModule::from_code(py, &source, c"loans.py", c"loans").unwrap();
        body(py, &module)
    })
}

fn bytes(payload: &Payload) -> &[u8] {
    match payload {
        Payload::Audio(audio) => audio.as_bytes(),
        Payload::Tensor(tensor) => tensor.data(),
        other => panic!("{other:?} has no elements"),
    }
}

fn address(array: &Bound<'_, PyAny>) -> usize {
    array.getattr("ctypes").unwrap().getattr("data").unwrap().extract().unwrap()
}

const BOTH: &str = "
array = np.arange(4, dtype=np.float32)
tensor, audio = array, (array, 8000)
def overwrite(): array[:] = 99
";

fn zero_to_three() -> Vec<u8> {
    [0f32, 1.0, 2.0, 3.0].iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

#[test]
fn a_fed_array_is_read_in_place_while_the_call_lasts_and_is_a_copy_afterwards() {
    for name in ["tensor", "audio"] {
        with_module(BOTH, |py, module| {
            let value = module.getattr(name).unwrap();
            let loans = Loans::open(py);
            let payload = marshal::python_to_payload(&value).unwrap();
            let kept = payload.clone();
            assert_eq!(bytes(&payload).as_ptr().addr(), address(&module.getattr("array").unwrap()), "{name}");
            drop(payload);
            drop(loans);
            module.call_method0("overwrite").unwrap();
            assert_eq!(bytes(&kept), zero_to_three(), "{name}");
            let back = marshal::payload_to_python(py, kept).unwrap().to_string().replace(',', "");
            assert!(back.contains("0. 1. 2. 3."), "{back}");
        });
    }
}

#[test]
fn without_loans_and_for_another_thread_an_array_is_copied() {
    for name in ["tensor", "audio"] {
        with_module(BOTH, |py, module| {
            let value = module.getattr(name).unwrap();
            let copied = marshal::python_to_payload(&value).unwrap();
            let loans = Loans::open(py);
            let lent = Packet::new(0, marshal::python_to_payload(&value).unwrap());
            let sent = lent.clone().into_own();
            module.call_method0("overwrite").unwrap();
            assert_eq!(bytes(&copied), zero_to_three(), "{name}");
            assert_eq!(bytes(&sent.payload), zero_to_three(), "{name}");
            assert_ne!(bytes(&lent.payload), zero_to_three(), "{name} is not in place");
            drop(loans);
        });
    }
}

#[test]
fn loans_of_a_call_within_a_call_end_with_it() {
    with_module(BOTH, |py, module| {
        let value = module.getattr("audio").unwrap();
        let outer = Loans::open(py);
        let first = marshal::python_to_payload(&value).unwrap();
        let inner = Loans::open(py);
        let second = marshal::python_to_payload(&value).unwrap();
        drop(inner);
        module.call_method0("overwrite").unwrap();
        assert_eq!(bytes(&second), zero_to_three());
        assert_ne!(bytes(&first), zero_to_three());
        drop(outer);
        assert_ne!(bytes(&first), zero_to_three());
    });
}

#[test]
fn an_array_that_was_given_away_belongs_to_the_packet_and_may_die_on_any_thread() {
    let source = "
import weakref
def make(kind):
    array = np.arange(4, dtype=np.float32)
    return (array, 8000) if kind == 'audio' else array
";
    let threads: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(move || {
                for kind in ["tensor", "audio"].repeat(50) {
                    let payload = with_module(source, |_, module| {
                        marshal::given_to_payload(module.call_method1("make", (kind,)).unwrap()).unwrap()
                    });
                    // Not attached here: neither reading nor dropping needs the interpreter.
                    assert_eq!(bytes(&payload), zero_to_three());
                    let foreign = match &payload {
                        Payload::Audio(audio) => audio.foreign().is_some(),
                        Payload::Tensor(tensor) => tensor.foreign().is_some(),
                        _ => false,
                    };
                    assert!(foreign, "{kind} was copied");
                    std::thread::spawn(move || drop(payload)).join().unwrap();
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn only_an_array_that_nobody_else_reaches_is_taken() {
    let source = "
import weakref
array = np.arange(4, dtype=np.float32)
held, view, pair = array.copy(), array[:], (array.copy(), 8000)
watched = []
def watch():
    new = np.arange(4, dtype=np.float32)
    watched.append(weakref.ref(new))
    return new
def shared(): return array[:]
def view_of_new(): return np.arange(8, dtype=np.float32)[:4]
def of_bytes(): return np.frombuffer(bytes(16), np.float32)
";
    with_module(source, |_, module| {
        let taken = |value: Bound<'_, PyAny>| match marshal::given_to_payload(value).unwrap() {
            Payload::Audio(audio) => audio.foreign().is_some(),
            Payload::Tensor(tensor) => tensor.foreign().is_some(),
            other => panic!("{other:?}"),
        };
        for held in ["held", "view", "pair"] {
            assert!(!taken(module.getattr(held).unwrap()), "{held}");
        }
        for copied in ["watch", "shared", "of_bytes"] {
            assert!(!taken(module.call_method0(copied).unwrap()), "{copied}");
        }
        assert!(taken(module.call_method0("view_of_new").unwrap()));
    });
}

#[test]
fn a_taken_array_is_written_in_place_and_reaches_python_again_writable() {
    let source = "
def make(): return (np.arange(4, dtype=np.float32), 8000)
def frozen():
    array = np.arange(4, dtype=np.float32)
    array.flags.writeable = False
    return (array, 8000)
def look(data): return data[0].ctypes.data, data[0].flags.writeable, data[0].tolist()
";
    with_module(source, |py, module| {
        for (function, writable) in [("make", true), ("frozen", false)] {
            let payload = marshal::given_to_payload(module.call_method0(function).unwrap()).unwrap();
            let Payload::Audio(mut audio) = payload else { panic!("not audio") };
            let before = audio.as_bytes().as_ptr().addr();
            audio.as_f32_mut().unwrap()[0] = 7.0;
            assert_eq!(audio.as_bytes().as_ptr().addr() == before, writable, "{function}");
            let address = audio.as_bytes().as_ptr().addr();
            let data = marshal::payload_to_python(py, Payload::Audio(audio)).unwrap();
            let seen: (usize, bool, Vec<Vec<f32>>) =
                module.call_method1("look", (data,)).unwrap().extract().unwrap();
            assert_eq!(seen, (address, true, vec![vec![7.0, 1.0, 2.0, 3.0]]), "{function}");
        }
    });
}
