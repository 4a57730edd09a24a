//! The daemon itself at rest, on the store that the rest of the bench has filled.

use std::{
    fs,
    net::{TcpListener, UdpSocket},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{
    machine, met,
    repository::git,
    world::{CAMPAIGNS, World},
};

/// Runs the daemon on the store until it has everything in force, and weighs it.
pub(crate) fn at_rest(world: &World) {
    let folder = world.folder();
    git(&world.repository(), ["init", "-q", "-b", "main", "."], b"");
    git(&world.repository(), ["add", "-A"], b"");
    git(&world.repository(), ["commit", "-qm", "all campaigns"], b"");
    fs::write(folder.join("dialops.toml"), settings()).unwrap();
    forget_legs(&world.database());
    let log = fs::File::create(folder.join("log")).unwrap();
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_dialops"))
        .args(["run", "--config"])
        .arg(folder.join("dialops.toml"))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while running(folder) < CAMPAIGNS as usize {
        let log = || fs::read_to_string(folder.join("log")).unwrap_or_default();
        assert!(begun.elapsed() < Duration::from_secs(60), "not all campaigns run within 60 s\n{}", log());
        // What is in force there is no commit of this repository.
        dialops(folder, &["reconcile", "--allow-rewrite"]);
        std::thread::sleep(Duration::from_millis(500));
    }
    let ready = begun.elapsed().as_secs_f64();
    std::thread::sleep(Duration::from_secs(20));
    let resident = machine::resident_mb_of(daemon.id());
    stop(&mut daemon);
    println!(
        "the daemon at rest, {} contacts, {CAMPAIGNS} running campaigns, {ready:.1} s after its start: {resident:.0} MB",
        world.all_contacts()
    );
    println!("  wanted: at most 150 MB: {}", met(resident <= 150.0));
}

/// The calls of this bench were never on a wire, so nobody has noted that their legs ended: the daemon would take each
/// down, and hold it in memory until then.
fn forget_legs(database: &Path) {
    let deleted = Command::new("sqlite3").arg(database).arg("DELETE FROM leg").status().unwrap();
    assert!(deleted.success());
}

/// How many campaigns are running by the daemon's status.
fn running(folder: &Path) -> usize {
    dialops(folder, &["status", "--format", "json"]).matches("\"phase\":\"running\"").count()
}

/// What a command says of the daemon; nothing until it listens.
fn dialops(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dialops"));
    let output = command.arg("--socket").arg(folder.join("d.sock")).args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn stop(daemon: &mut Child) {
    Command::new("kill").arg(daemon.id().to_string()).status().unwrap();
    daemon.wait().unwrap();
}

fn settings() -> String {
    let port = |socket: std::io::Result<std::net::SocketAddr>| socket.unwrap().port();
    let http = port(TcpListener::bind("127.0.0.1:0").unwrap().local_addr());
    let sip = port(UdpSocket::bind("127.0.0.1:0").unwrap().local_addr());
    format!(
        "[source]\nrepository = \"repo\"\n[store]\npath = \"dialops.db\"\n[http]\nlisten = \"127.0.0.1:{http}\"\n\
         socket = \"d.sock\"\n[sip]\nlisten = \"127.0.0.1:{sip}\"\n[[trunks]]\nid = \"carrier\"\n\
         address = \"127.0.0.1:5070\"\nmax_concurrent_calls = 1000\nmax_calls_per_second = 1000\n[ceilings]\n\
         owned_caller_numbers = [\"+862880000001\"]\nactive_campaigns = 200\nmax_concurrent_calls = 1000\n\
         max_calls_per_second = 1000\n[safety]\ndial = \"all\"\n[log]\nlevel = \"warn\"\n"
    )
}
