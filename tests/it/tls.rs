//! TLS before a plain server, with a certificate that its own maker vouches for.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

const PROXY: &str = "
import socket, ssl, sys, threading

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
listener = socket.create_server(('127.0.0.1', 0))
print(listener.getsockname()[1], flush=True)

def pump(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass

def serve(raw):
    try:
        client = context.wrap_socket(raw, server_side=True)
        server = socket.create_connection(('127.0.0.1', int(sys.argv[3])))
        threading.Thread(target=pump, args=(client, server), daemon=True).start()
        pump(server, client)
        client.unwrap()
    except OSError:
        pass

while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
";

/// The proxy; dropped, it ends.
pub(crate) struct Tls {
    child: Child,
    port: u16,
    certificate: PathBuf,
}

impl Tls {
    /// Passes on to `server`; its key and certificate stand in `folder`.
    pub(crate) fn before(server: SocketAddr, folder: &Path) -> Self {
        let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"])
            .args([
                "-addext",
                "subjectAltName=IP:127.0.0.1",
                "-addext",
                "basicConstraints=critical,CA:FALSE",
                "-keyout",
            ])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .expect("openssl is installed");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut child = Command::new("python3")
            .args(["-c", PROXY])
            .args([&certificate, &key])
            .arg(server.port().to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        Self { child, port: line.trim().parse().unwrap(), certificate }
    }

    pub(crate) fn url(&self, name: &str) -> String {
        format!("https://127.0.0.1:{}/{name}", self.port)
    }

    pub(crate) fn certificate(&self) -> &Path {
        &self.certificate
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
