//! A real SSH server on loopback, for one user and one key.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::stage::pause;

/// The server and the keys of both sides; dropped, it ends.
pub(crate) struct SshServer {
    folder: tempfile::TempDir,
    port: u16,
    child: Child,
}

impl SshServer {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["host", "client", "stranger"] {
            make_key(&at(name));
        }
        fs::copy(at("client.pub"), at("authorized")).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let configuration = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             PermitRootLogin prohibit-password\nLogLevel ERROR\n",
            at("host").display(),
            at("authorized").display()
        );
        fs::write(at("sshd_config"), configuration).unwrap();
        // Where the server's unprivileged part lives.
        let _made = fs::create_dir_all("/run/sshd");
        let child = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(at("sshd_config"))
            .stdin(Stdio::null())
            .stderr(fs::File::create(at("log")).unwrap())
            .spawn()
            .expect("openssh-server is installed");
        let server = Self { port, child, folder };
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return server;
            }
            pause(Duration::from_millis(50));
        }
        panic!("sshd does not listen: {}", fs::read_to_string(server.path("log")).unwrap());
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Address of a repository of this machine.
    pub(crate) fn url(&self, repository: &Path) -> String {
        let user = rustix::process::getuid();
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        let of_user = |line: &&str| line.split(':').nth(2) == Some(&user.as_raw().to_string());
        let name = passwd.lines().find(of_user).and_then(|line| line.split(':').next()).unwrap();
        format!("ssh://{name}@127.0.0.1:{}{}", self.port, repository.display())
    }

    /// Writes a `known_hosts` that has the public key of `key` for this server.
    pub(crate) fn pin(&self, key: &str, file: &Path) {
        let public = fs::read_to_string(self.path(&format!("{key}.pub"))).unwrap();
        fs::write(file, format!("[127.0.0.1]:{} {public}", self.port)).unwrap();
    }
}

fn make_key(path: &Path) {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(path)
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success());
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

impl Drop for SshServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
