//! Row-level security: with the filters of the service taken away, no foreign row is shown or changed.

mod forgetful;
mod roles;

use ict_index::auth::AgencyScope;
use ict_index::db::keyset::{Order, PageRequest, SortKey};
use ict_index::db::{Conn, RlsContext, durability, sql};
use ict_index::dossiers::feed_scope::FeedScope;
use ict_index::dossiers::model as dossiers;
use ict_index::http::Problem;
use ict_index::submissions::{model as submissions, stored_values};
use ict_index::tasks::model::progress;
use uuid::Uuid;

use crate::architecture::sources;
use crate::matrix::world::World;
use crate::support::TestService;

const FOREIGN: &str = "SO-TTTT";

/// A world with submissions, reports, decisions and counts of two agencies; answers a foreign submission and the RLS context of SO-YT.
async fn world() -> (World, Uuid, RlsContext) {
    let world = World::of(TestService::start().await).await;
    let mut foreign = Uuid::nil();
    for agency in ["SO-YT", FOREIGN] {
        for state in ["draft", "submitted", "returned", "accepted"] {
            foreign = world.submission(agency, state).await.parse().unwrap();
        }
    }
    let id = read(&world.service, RlsContext::default(), async |conn: &mut Conn| {
        Ok::<_, Problem>(
            sql("select id as value from agencies where code = 'SO-YT'").value::<i32>(conn).await?,
        )
    })
    .await;
    (world, foreign, RlsContext::of(Some(vec![id])))
}

async fn read<T, F>(service: &TestService, ctx: RlsContext, work: F) -> T
where
    T: Send + 'static,
    for<'c> F: AsyncFnOnce(&'c mut Conn) -> Result<T, Problem>
        + ict_index::db::Work<&'c mut Conn, Result<T, Problem>, Fut: Send>
        + Send
        + 'static,
{
    let answer = service.state.db().read_as(ctx, work).await;
    answer.map_err(|problem| format!("{problem:?}")).unwrap()
}

fn by(key: SortKey) -> ([Order; 1], PageRequest) {
    ([Order { key, descending: false }], PageRequest { limit: 1_000, after: None, count: true })
}

/// What the service's own statements answer to somebody of SO-YT when they are told that everything is in scope.
#[actix_web::test]
async fn without_the_services_filters_nothing_foreign_shows() {
    let (world, foreign, own) = world().await;
    let shown = async move |conn: &mut Conn| {
        let mut shown = Vec::new();
        let (order, window) = by(submissions::ID);
        let list = submissions::list(
            conn,
            &AgencyScope::All,
            submissions::SubmissionQuery::default(),
            &order,
            window,
        )
        .await?;
        assert_eq!(list.rows.len(), list.rows.iter().filter(|row| row.agency == "SO-YT").count());
        shown.push(format!("{list:?}"));
        shown.push(format!("{:?}", submissions::find(conn, &AgencyScope::All, foreign).await?));
        let (order, window) = by(submissions::TRANSITION);
        shown.push(format!("{:?}", submissions::transitions(conn, foreign, &order, window).await?));
        let (order, window) = by(stored_values::REVISION_KEY);
        shown.push(format!("{:?}", stored_values::revisions(conn, foreign, &order, window).await?));
        for revision in [None, Some(1)] {
            shown.push(format!("{:?}", stored_values::figures(conn, foreign, revision).await?));
        }
        let (order, window) = by(stored_values::KEY);
        let query = stored_values::AcceptedQuery::default();
        shown.push(format!(
            "{:?}",
            stored_values::accepted(conn, &AgencyScope::All, query, &order, window).await?
        ));
        let (order, window) = by(progress::UPDATED);
        shown.push(format!(
            "{:?}",
            progress::updates(conn, &AgencyScope::All, "T05".into(), None, &order, window).await?
        ));
        let (order, window) = by(progress::DECIDED);
        shown.push(format!(
            "{:?}",
            progress::transitions(conn, &AgencyScope::All, "T05".into(), &order, window).await?
        ));
        let feed_scope = FeedScope { feed: None, scope: AgencyScope::All };
        let (order, query) = (dossiers::key_order(false), dossiers::CountQuery::default());
        let (_, window) = by(dossiers::MONTH);
        let counts =
            dossiers::list(&mut &*conn, dossiers::WALLED, &query, &feed_scope, &order, window).await?;
        assert!(counts.rows.iter().all(|row| row.agency == "SO-YT") && !counts.rows.is_empty());
        Ok::<_, Problem>(shown)
    };
    let shown = read(&world.service, own, shown).await.join("\n");
    assert!(shown.contains("CANARY-SO-YT"), "what is theirs is shown, or this proves nothing: {shown}");
    assert!(!shown.contains(&format!("CANARY-{FOREIGN}")), "{shown}");
}

/// Every table under row-level security, read whole.
#[actix_web::test]
async fn the_tables_themselves_show_their_own_alone() {
    let (world, _, own) = world().await;
    let tables: Vec<String> = read(&world.service, RlsContext::default(), async |conn: &mut Conn| {
        let walled = "select relname::text as value from pg_class where relnamespace = 'public'::regnamespace and relrowsecurity order by 1";
        Ok::<_, Problem>(sql(walled).values(conn).await?)
    })
    .await;
    assert!(tables.len() >= 13, "{tables:?}");
    let rows = async |table: &str, ctx: &RlsContext| -> Vec<String> {
        let text = format!("select t::text as value from {table} t");
        read(&world.service, ctx.clone(), async move |conn: &mut Conn| {
            Ok::<_, Problem>(sql(text).values(conn).await?)
        })
        .await
    };
    let mut held = 0;
    for table in tables.iter().map(String::as_str) {
        assert_eq!(
            rows(table, &RlsContext::default()).await,
            [] as [String; 0],
            "{table} shows rows to nobody"
        );
        let (all, own) = (rows(table, &RlsContext::all()).await, rows(table, &own).await);
        let foreign = format!("CANARY-{FOREIGN}");
        held += all.iter().filter(|row| row.contains(&foreign)).count();
        assert!(!own.iter().any(|row| row.contains(&foreign)), "{table}: {own:?}");
        assert!(own.len() < all.len() || all.is_empty(), "{table} holds nothing back");
    }
    assert!(held > 5, "the canaries are there");
}

/// A connection that many share is nobody's.
#[actix_web::test]
async fn a_shared_connection_shows_nothing_of_agencies() {
    let (world, _, _) = world().await;
    let count = async |table: &str| -> i64 {
        let text = format!("select count(*) as value from {table}");
        let caller = ict_index::db::Caller::system();
        let answer =
            world.service.state.db().read_shared(&caller, async |conn: &mut ict_index::db::Reader<'_>| {
                Ok::<_, Problem>(sql(text.clone()).value(conn).await?)
            });
        answer.await.map_err(|problem| format!("{problem:?}")).unwrap()
    };
    for table in ["submissions", "submission_values", "task_updates", "dossier_counts", "audit_events"] {
        assert_eq!(count(table).await, 0, "{table}");
    }
    for view in ["reported_submissions", "reported_figures", "reported_progress", "reported_dossiers"] {
        assert!(count(view).await > 0, "{view} is what statistics count");
    }
}

#[actix_web::test]
async fn nothing_foreign_is_written() {
    let (world, foreign, own) = world().await;
    let run = async |text: &str| -> Result<usize, String> {
        let (text, ctx) = (text.replace("$id", &foreign.to_string()), own.clone());
        let work = async move |conn: &mut Conn| Ok::<_, Problem>(sql(text).run(conn).await?);
        world.service.state.db().transaction_as(ctx, work).await.map_err(|p| format!("{p:?}"))
    };
    for text in [
        "update submissions set decision_reason = 'x' where id = '$id'",
        "delete from submission_values where submission_id = '$id'",
        "update submission_revisions set reason = 'x' where submission_id = '$id'",
        "update task_progress set percent = 1 where agency_id in (select id from agencies where code = 'SO-TTTT')",
        "delete from dossier_counts where agency_id in (select id from agencies where code = 'SO-TTTT')",
    ] {
        assert_eq!(run(text).await, Ok(0), "{text}");
    }
    for text in [
        "insert into submissions (id, agency_id, month, state, created_by, created_at, updated_at) \
         select '01890000-0000-7000-8000-000000000009', id, '2017-01-01', 'draft', 'x', now(), now() from agencies where code = 'SO-TTTT'",
        "insert into submission_values (submission_id, indicator_code, position, value) values ('$id', 'HT.CQ.02', 1, 1)",
        "insert into task_updates (id, task_code, agency_id, percent, narrative, evidence, actor, at) \
         select '01890000-0000-7000-8000-000000000009', 'T05', id, 1, '', '{}', 'x', now() from agencies where code = 'SO-TTTT'",
        "update submissions set agency_id = (select id from agencies where code = 'SO-TTTT') where agency_id <> 0",
        "update audit_events set actor = 'x'",
        "delete from task_updates",
        "select 1 from dossier_counts_2018",
        "alter table submissions disable row level security",
    ] {
        let refused = run(text).await.expect_err(text);
        assert!(
            ["row-level security", "permission denied", "must be owner"]
                .iter()
                .any(|why| refused.contains(why)),
            "{text}: {refused}"
        );
    }
}

#[actix_web::test]
async fn what_was_said_for_one_is_not_left_for_the_next() {
    let (world, _, own) = world().await;
    let seen = async |ctx: RlsContext| -> i64 {
        read(&world.service, ctx, async |conn: &mut Conn| {
            Ok::<_, Problem>(sql("select count(*) as value from submissions").value(conn).await?)
        })
        .await
    };
    let (all, few) = (seen(RlsContext::all()).await, seen(own.clone()).await);
    assert!(all > few && few > 0);
    // In turns over the few connections of the pool, transactions that fail in between.
    for _ in 0..8 {
        assert_eq!(
            (seen(RlsContext::default()).await, seen(own.clone()).await, seen(RlsContext::all()).await),
            (0, few, all)
        );
        let failing = async |conn: &mut Conn| Ok::<_, Problem>(sql("select 1 / 0").run(conn).await?);
        let failed = world.service.state.db().transaction_as(RlsContext::all(), failing);
        assert!(failed.await.is_err());
        let within = async |conn: &mut Conn| {
            Ok::<_, Problem>(sql("select count(*) as value from submissions").value::<i64>(conn).await?)
        };
        let within = world.service.state.db().transaction_as(own.clone(), within);
        assert_eq!(within.await.map_err(|p| format!("{p:?}")), Ok(few));
    }
}

#[actix_web::test]
async fn the_service_knows_whether_the_wall_holds_for_it() {
    let walled = async |service: &TestService| {
        read(service, RlsContext::default(), async |conn: &mut Conn| Ok(durability::is_walled(conn).await?))
            .await
    };
    assert!(walled(&TestService::start().await).await);
    assert!(!walled(&TestService::start_without_wall().await).await);
}

/// What holds for every handler: work that bypasses row-level security is named here, with its reason there.
#[test]
fn few_bypass_row_level_security() {
    const WAYS: [&str; 3] = ["bypass_rls()", "RlsContext::all()", "RlsContext::system()"];
    let count = |text: &str| WAYS.iter().map(|way| text.matches(way).count()).sum::<usize>();
    let all = sources().into_iter().map(|(path, text)| (path.display().to_string(), count(&text)));
    let mut found: Vec<(String, usize)> = all.filter(|(_, ways)| *ways > 0).collect();
    found.sort();
    let known = [
        ("src/auth/access.rs", 1),
        ("src/cli/serve.rs", 1),
        ("src/db/rls.rs", 1),
        ("src/dossiers/routes.rs", 1),
        ("src/seed/mod.rs", 4),
    ];
    assert_eq!(found, known.map(|(path, ways)| (path.to_owned(), ways)));
}
