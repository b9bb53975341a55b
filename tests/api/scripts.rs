//! The operator's scripts: what they are given is data, and no other user of the machine reads a password from them.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use diesel_async::{AsyncConnection, AsyncPgConnection};
use ict_index::db::durability::Schema;
use ict_index::db::{Db, DbSettings, migrations, sql};
use uuid::Uuid;

use crate::support::{TestService, admin, admin_url, url_as, url_of};

mod tools;

/// A directory of its own, deleted with the test.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("scripts-{}", Uuid::now_v7()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Programs that note how they were called and do nothing else.
    fn programs(&self, names: &[&str]) -> PathBuf {
        let directory = self.0.join("bin");
        std::fs::create_dir(&directory).unwrap();
        for name in names {
            let path = directory.join(name);
            let note = self.0.join("called");
            let text = format!(
                "#!/bin/sh\nprintf '%s PGPASSWORD=%s\\n' \"{name} $(printf %s \"$*\" | tr '\\n' ' ')\" \"$PGPASSWORD\" >>'{}'\nfor a; do case $a in --file=/dev/null) ;; --file=*) : >\"${{a#--file=}}\";; esac; done\necho 0\n",
                note.display()
            );
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        }
        directory
    }

    fn called(&self) -> String {
        std::fs::read_to_string(self.0.join("called")).unwrap_or_default()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn script(name: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new("bash")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(name))
        .args(arguments)
        .envs(environment.iter().copied())
        .output()
        .expect("bash runs")
}

fn path_with(programs: &Path) -> String {
    format!("{}:{}", programs.display(), std::env::var("PATH").unwrap())
}

#[test]
fn a_time_to_restore_to_is_a_time_and_an_archive_is_one_word() {
    let place = Place::new();
    let base = place.0.join("base");
    std::fs::create_dir(&base).unwrap();
    std::fs::write(base.join("PG_VERSION"), "15").unwrap();
    let restore = |archive: &str, data: &str, time: &str| {
        let data = place.0.join(data);
        let output = script(
            "pitr.sh",
            &["restore", base.to_str().unwrap(), archive, data.to_str().unwrap(), time],
            &[],
        );
        (output, std::fs::read_to_string(data.join("postgresql.auto.conf")))
    };
    for (n, time) in [
        "2026-03-01 (x'\narchive_command = 'touch /tmp/pwned)",
        "2026-03-01 09:41:00'",
        "tomorrow",
        "2026-03-01 09:41:00+07\nport = 1",
        "2026-13-01 09:41:00+07",
    ]
    .iter()
    .enumerate()
    {
        let (output, written) = restore("/archive", &format!("refused-{n}"), time);
        assert!(!output.status.success() && written.is_err(), "{time}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("not a time"), "{time}");
    }
    let (output, written) = restore("/a'b\\c%$(x)", "restored", "2026-03-01 09:41:00+07");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let written = written.unwrap();
    // A quote of the value is doubled, a backslash of it too, % of PostgreSQL's; the shell then has one word in single quotes.
    let expected = r#"restore_command = 'cp ''/a''\\''''b\\c%%$(x)''/"%f" "%p"'"#;
    assert_eq!(written.lines().next().unwrap(), expected);
    assert!(written.contains("\nrecovery_target_time = '2026-03-01 09:41:00+07'\n"), "{written}");
}

#[test]
fn no_program_is_started_with_a_password_among_its_arguments() {
    let place = Place::new();
    let programs = place.programs(&["pg_dump", "pg_restore", "psql"]);
    let path = path_with(&programs);
    let (secret, url) = ("ge:h%?e\\im", "postgres://u:ge%3Ah%25?e\\im@db.lan:5432/x?application_name=y");
    let directory = place.0.join("backups");
    let environment = [("PATH", path.as_str()), ("DATABASE_URL", url), ("BINARY", "/nonexistent")];
    let output = script("backup.sh", &[directory.to_str().unwrap()], &environment);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let dump = place.file("some.dump", "");
    let output = script("restore.sh", &[dump.to_str().unwrap()], &environment);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let called = place.called();
    for program in ["pg_dump ", "pg_restore ", "psql "] {
        assert!(called.contains(program), "{called}");
    }
    for line in called.lines() {
        let (arguments, password) = line.split_once(" PGPASSWORD=").unwrap();
        assert!(!arguments.contains("ge%3Ah") && !arguments.contains("e\\im"), "{arguments}");
        assert_eq!(password, secret, "{arguments}");
    }
    assert!(called.contains("postgres://u@db.lan:5432/x?application_name=y"), "{called}");
    let in_query = [("DATABASE_URL", "postgres://u@db.lan/x?password=geheim"), ("PATH", path.as_str())];
    assert!(!script("backup.sh", &[directory.to_str().unwrap()], &in_query).status.success());
    let output = script("pitr.sh", &["base", "postgres://u:geheim@db.lan/x", "/tmp"], &[]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("PGPASSFILE"));
}

#[test]
fn a_backup_deletes_the_oldest_of_its_own_files_and_nothing_else() {
    let place = Place::new();
    let path = path_with(&place.programs(&["pg_dump", "pg_restore"]));
    let directory = place.0.join("backups");
    std::fs::create_dir(&directory).unwrap();
    let outside = place.file("precious", "");
    let own = ["ict-index-20200101T000000Z.dump", "ict-index-20210101T000000Z.dump"];
    let foreign = [
        "ict-index-0\n..\nprecious\n.dump",
        "ict-index-0000 ..dump",
        "ict-index-20200101T000000Z.dump.kept",
        "ict-index-before-the-move.dump",
        "-rf",
    ];
    for name in own.iter().chain(&foreign) {
        std::fs::write(directory.join(name), "").unwrap();
    }
    let environment = [("PATH", path.as_str()), ("DATABASE_URL", "postgres://u@db.lan/x")];
    let output = script("backup.sh", &[directory.to_str().unwrap(), "2"], &environment);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!directory.join(own[0]).exists() && directory.join(own[1]).exists());
    assert!(foreign.iter().all(|name| directory.join(name).exists()) && outside.exists());
}

/// What docker-compose.yml mounts into a new cluster, here with other names.
#[actix_web::test]
async fn the_logins_of_the_compose_file_are_no_superusers_and_enough_to_migrate_and_to_serve() {
    // The roles of the cluster are there.
    drop(TestService::start().await);
    let place = Place::new();
    let id = Uuid::now_v7().simple().to_string();
    let (owner, login, database) = (format!("own_{id}"), format!("srv_{id}"), format!("db_{id}"));
    place.file("owner_password", "owner's \\ secret");
    let run = || {
        let mut psql = Command::new("psql");
        psql.args([
            "-Xq",
            "-f",
            "scripts/database-roles.sql",
            "-v",
            &format!("secrets={}", place.0.display()),
        ]);
        psql.args([
            "-v",
            &format!("owner={owner}"),
            "-v",
            &format!("service={login}"),
            "-v",
            &format!("database={database}"),
        ]);
        psql.arg(admin_url()).current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("psql runs")
    };
    assert!(!run().status.success(), "a password is missing");
    place.file("service_password", "service's \\ secret");
    for _ in 0..2 {
        let output = run();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let mut conn = AsyncPgConnection::establish(&admin_url()).await.unwrap();
    let may = "select count(*) as value from pg_authid where rolname = any($1) \
        and (rolsuper or rolcreaterole or rolcreatedb or rolbypassrls or rolreplication or not rolcanlogin or rolpassword not like 'SCRAM-%')";
    let both = vec![owner.clone(), login.clone()];
    assert_eq!(sql(may).bind(both).value::<i64>(&mut conn).await.unwrap(), 0);
    migrations::migrate(&url_as(&url_of(&database), &owner, "x")).await.unwrap();
    let url = url_as(&url_of(&database), &login, "x");
    let db = Db::new(&DbSettings::new(url.clone())).unwrap();
    assert_eq!(db.inspect().await.unwrap().schema, Schema::Ready);
    assert!(migrations::revert_all(&url).await.is_err(), "the service's login owns nothing");
    drop((db, conn));
    admin(&format!("drop database {database} with (force)")).await;
    admin(&format!("drop owned by {owner}, {login}; drop role {owner}, {login}")).await;
    let compose = std::fs::read_to_string("docker-compose.yml").unwrap();
    for line in [
        "DATABASE_URL: postgres://ict_index_service@postgres:5432/ict_index",
        "./scripts/database-roles.sql:/docker-entrypoint-initdb.d/10-database-roles.sql:ro",
        "POSTGRES_USER: postgres",
    ] {
        assert!(compose.contains(line), "{line}");
    }
}
