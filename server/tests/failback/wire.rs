//! The line between the two sites, where it can be cut.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::machines::free_port;

#[derive(Default)]
struct State {
    cut: AtomicBool,
    /// Bytes that may still pass from the DR to the Master; less than none for no limit.
    left: AtomicI64,
    open: Mutex<Vec<TcpStream>>,
}

/// Passes everything on to a port, until it is cut.
pub(crate) struct Wire {
    pub(crate) port: u16,
    state: Arc<State>,
}

impl Wire {
    pub(crate) fn to(port: u16) -> Self {
        let own = free_port();
        let listener = TcpListener::bind(("127.0.0.1", own)).unwrap();
        let state = Arc::new(State { left: AtomicI64::new(i64::MAX), ..State::default() });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for near in listener.incoming() {
                let Ok(near) = near else { continue };
                let far = TcpStream::connect(("127.0.0.1", port));
                let (Ok(far), false) = (far, shared.cut.load(Ordering::SeqCst)) else { continue };
                let mut open = shared.open.lock().unwrap();
                open.extend([near.try_clone().unwrap(), far.try_clone().unwrap()]);
                drop(open);
                carry(near.try_clone().unwrap(), far.try_clone().unwrap(), Some(Arc::clone(&shared)));
                carry(far, near, None);
            }
        });
        Self { port: own, state }
    }

    /// Cuts the line once so many bytes more have passed from the DR to the Master.
    pub(crate) fn cut_after(&self, bytes: i64) {
        self.state.left.store(bytes, Ordering::SeqCst);
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.state.cut.load(Ordering::SeqCst)
    }

    pub(crate) fn mend(&self) {
        self.state.left.store(i64::MAX, Ordering::SeqCst);
        self.state.cut.store(false, Ordering::SeqCst);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, counted: Option<Arc<State>>) {
    thread::spawn(move || {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(got @ 1..) = from.read(&mut buffer) {
            if let Some(state) = &counted
                && state.left.fetch_sub(got as i64, Ordering::SeqCst) <= got as i64
            {
                state.cut.store(true, Ordering::SeqCst);
                for stream in state.open.lock().unwrap().drain(..) {
                    let _ = stream.shutdown(Shutdown::Both);
                }
            }
            if to.write_all(&buffer[..got]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}
