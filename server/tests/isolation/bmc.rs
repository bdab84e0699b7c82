//! A management controller: OpenIPMI's simulator, with a machine behind it that does as it is told, or does not.
#![allow(dead_code, reason = "each test file uses its own part of it")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::machines::{free_port, until};

/// The simulator. It ends with its owner.
#[derive(Debug)]
pub struct Bmc {
    pub port: u16,
    /// What it is run by, where it does not run in this test's own network.
    within: Vec<String>,
    dir: PathBuf,
    process: Option<Child>,
}

impl Bmc {
    pub const USER: &'static str = "tvox";
    pub const PASSWORD: &'static str = "parola-segreta";

    /// Its machine is on.
    pub fn start(root: &Path) -> Self {
        Self::start_within(Vec::new(), root)
    }

    /// In another network.
    pub fn start_within(within: Vec<String>, root: &Path) -> Self {
        let port = free_port();
        let dir = root.join(format!("bmc-{port}"));
        fs::create_dir_all(dir.join("state")).unwrap();
        let mut bmc = Self { port, within, dir, process: None };
        bmc.switch(true);
        bmc.write_chassis();
        let (user, password, chassis) = (Self::USER, Self::PASSWORD, bmc.dir.join("chassis"));
        let methods = ["callback", "user", "operator", "admin"]
            .map(|level| format!("  allowed_auths_{level} none md2 md5 straight\n"));
        let lan = format!(
            "name \"bmc\"\nset_working_mc 0x20\nstartlan 1\n  addr 127.0.0.1 {port}\n  priv_limit admin\n{}\
             guid a123456789abcdefa123456789abcdef\nendlan\nchassis_control \"{}\"\n\
             user 1 true \"\" \"\" user 10 none md2 md5 straight\n\
             user 2 true \"{user}\" \"{password}\" operator 10 none md2 md5 straight\n",
            methods.concat(),
            chassis.display(),
        );
        fs::write(bmc.dir.join("lan.conf"), lan).unwrap();
        let parts = "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr\n\
                     sel_enable 0x20 1000 0x0a\nmc_enable 0x20\n";
        fs::write(bmc.dir.join("bmc.emu"), parts).unwrap();
        bmc.speak();
        bmc
    }

    /// What stands between the controller and its machine (ipmi_lan(5), `chassis_control`).
    fn write_chassis(&self) {
        let dir = self.dir.display();
        let script = format!(
            "#!/bin/sh\n\
             op=$1; shift\n\
             [ \"$op\" = set ] && echo \"$*\" >> '{dir}/orders'\n\
             while [ $# -gt 0 ]; do\n\
             case \"$op $1\" in\n\
             'get power') echo \"power:$(cat '{dir}/power')\";;\n\
             'get '*) echo \"$1:0\";;\n\
             'set power') echo \"$2\" > '{dir}/power'; shift;;\n\
             'set shutdown') [ -e '{dir}/hung' ] || echo 0 > '{dir}/power'; shift;;\n\
             'set '*) shift;;\n\
             esac\n\
             shift\n\
             done\n"
        );
        let file = self.dir.join("chassis");
        fs::write(&file, script).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Answers again after [`Bmc::fall_silent`].
    pub fn speak(&mut self) {
        let home = std::env::var("TVOX_DR_BMC")
            .unwrap_or_else(|_| format!("{}/.cache/tvox-dr/bmc", std::env::var("HOME").unwrap()));
        let log = fs::File::options().create(true).append(true).open(self.dir.join("log")).unwrap();
        let file = |name: &str| self.dir.join(name).to_str().unwrap().to_owned();
        let child = self
            .command(Path::new(&home).join("usr/bin/ipmi_sim").to_str().unwrap())
            .args(["-c", &file("lan.conf"), "-f", &file("bmc.emu"), "-s", &file("state"), "-n"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("the simulator is there: run 'make setup'");
        self.process = Some(child);
        until("the controller answers", || {
            let port = self.port.to_string();
            let asked = self
                .command("ipmitool")
                .args(["-I", "lanplus", "-E", "-L", "OPERATOR", "-C", "3", "-N", "1", "-R", "1"])
                .args(["-H", "127.0.0.1", "-p", &port, "-U", Self::USER, "chassis", "power", "status"])
                .env("IPMI_PASSWORD", Self::PASSWORD)
                .output();
            asked.expect("ipmitool is there: run 'make setup'").status.success()
        });
    }

    fn command(&self, program: &str) -> Command {
        let words: Vec<&str> = self.within.iter().map(String::as_str).chain([program]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        command
    }

    pub fn fall_silent(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Somebody switches the machine by hand.
    pub fn switch(&self, on: bool) {
        fs::write(self.dir.join("power"), if on { "1\n" } else { "0\n" }).unwrap();
    }

    /// Its system hears no request to shut down any more.
    pub fn hang(&self) {
        fs::write(self.dir.join("hung"), "").unwrap();
    }

    /// What the controller was ordered, in order.
    pub fn orders(&self) -> Vec<String> {
        let text = fs::read_to_string(self.dir.join("orders")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// `power set` with everything that this controller needs.
    pub fn settings<'a>(port: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let mut args = vec!["power", "set", "127.0.0.1", "--ipmi", "127.0.0.1", "--port", port, "--user", Self::USER];
        args.push("--password-stdin");
        args.extend(more);
        args
    }
}

impl Drop for Bmc {
    fn drop(&mut self) {
        self.fall_silent();
    }
}
