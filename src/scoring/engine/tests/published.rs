//! Figures that others published come out.

use serde_json::json;

use super::super::catalogue::{SHIPPED, frameworks};
use super::super::framework::Framework;
use super::super::input::{Input, Observation, Unit};
use super::super::rank::movement;
use super::super::tree::Tree;
use super::super::validate::validate;
use super::{close, fixed, framework, group, input, leaf, rank_of, run, score_of, table};

macro_rules! fixture {
    ($path:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), $path))
    };
}

fn shipped(file: &str) -> Framework {
    let (_, text) = SHIPPED.iter().find(|(name, _)| *name == file).unwrap();
    serde_json::from_str(text).unwrap()
}

fn scored(framework: &Framework, text: &str, columns: &[(&str, &str)], published: &str) {
    let rows = table(text);
    let unit = |row: &std::collections::HashMap<&str, &str>| row["province"].to_owned();
    let observations = rows.iter().flat_map(|row| {
        columns
            .iter()
            .map(move |(code, column)| Observation::value(row["province"], code, fixed(row[column])))
    });
    let units = rows.iter().map(|row| Unit { code: unit(row), ..Unit::default() }).collect();
    let run = run(framework, &Input { units, observations: observations.collect(), frontier: None });
    for row in &rows {
        let score = score_of(&run, row["province"]).unwrap();
        assert!(
            close(&score, &fixed(row[published])),
            "{}: {score} against {}",
            row["province"],
            row[published]
        );
        assert_eq!(rank_of(&run, row["province"]), row["rank"].parse().ok(), "rank of {}", row["province"]);
    }
}

#[test]
fn dti_2020_of_nine_provinces() {
    let columns = [("CQS", "cqs"), ("KTS", "kts"), ("XHS", "xhs")];
    scored(&shipped("dti_2020.json"), fixture!("/tests/fixtures/dti2020_top9_pillars.csv"), &columns, "dti");
}

#[test]
fn dti_2022_of_five_provinces() {
    let columns = [
        ("NTS", "nhan_thuc_so"),
        ("TCS", "the_che_so"),
        ("HTS", "ha_tang_so"),
        ("NLS", "nhan_luc_so"),
        ("ATTTM", "attt_mang"),
        ("HDCQS", "hd_chinh_quyen_so"),
        ("HDKTS", "hd_kinh_te_so"),
        ("HDXHS", "hd_xa_hoi_so"),
    ];
    scored(
        &shipped("dti_2022.json"),
        fixture!("/tests/fixtures/dti2022_top5_components.csv"),
        &columns,
        "pdti",
    );
}

/// The same index as a sum of points: Σ max·I, on a scale of 1000.
#[test]
fn dti_2022_as_points() {
    let children = [("a", 100), ("b", 200)].map(|(code, maximum)| {
        json!({"code": code, "name": code, "max_points": maximum, "normalise": {"method": "none"}})
    });
    let root = json!({"code": "r", "name": "r", "aggregate": "sum", "max_points": 300, "children": children});
    let run = run(&framework(root), &input(&[("x", "a", "0.9"), ("x", "b", "0.8575")]));
    assert_eq!(score_of(&run, "x"), Some(fixed("261.5")));
}

#[test]
fn the_index_is_the_mean_of_its_groups() {
    let framework = framework(group(
        "ICT",
        "arithmetic",
        vec![leaf("HT", "none"), leaf("NL", "none"), leaf("UD", "none")],
    ));
    let published = [
        (["0.7925", "0.9538", "0.8500"], "0.8654"),
        (["0.7908", "0.7892", "0.9655"], "0.8485"),
        (["0.7469", "0.6018", "0.9730"], "0.7739"),
    ];
    for ([ht, nl, ud], overall) in published {
        let run = run(&framework, &input(&[("u", "HT", ht), ("u", "NL", nl), ("u", "UD", ud)]));
        assert_eq!(score_of(&run, "u").unwrap().half_up(4), fixed(overall));
    }
}

#[test]
fn ties_of_the_ministrys_table() {
    let framework = framework(leaf("S", "none"));
    let rows = table(fixture!("/tests/fixtures/mic_it_application_2017_provinces.csv"));
    let triples: Vec<(&str, &str, &str)> =
        rows.iter().map(|row| (row["province"], "S", row["score"])).collect();
    let run = run(&framework, &input(&triples));
    for row in &rows {
        assert_eq!(rank_of(&run, row["province"]), row["rank"].parse().ok(), "rank of {}", row["province"]);
    }
    let tied = run.scores_of("S").into_iter().find(|item| item.unit == "Thanh Hóa").unwrap();
    assert_eq!(tied.tied_with, ["Bà Rịa - Vũng Tàu"]);
}

#[test]
fn rank_movements_of_lao_cai() {
    let rows = table(fixture!("/data/national_results.csv"));
    let rank = |year: &str, node: &str| {
        let row = rows.iter().find(|row| row["index_year"] == year && row["node"] == node).unwrap();
        row["rank"].parse::<usize>().unwrap()
    };
    let nodes = ["HT", "NL", "UD", "HT.XH", "HT.CQ", "NL.XH", "NL.CQ", "UD.CQ", "UD.DV"];
    let moved: Vec<i64> = nodes.iter().map(|node| movement(rank("2016", node), rank("2017", node))).collect();
    assert_eq!(moved, [5, -2, 4, 2, 6, -14, 9, -7, 16]);
}

#[test]
fn shipped_frameworks_are_sound() {
    for framework in frameworks().unwrap() {
        let report = validate(&framework, None);
        assert_eq!(report.faults, [], "{}", framework.code);
        let written = serde_json::to_string(&framework).unwrap();
        assert_eq!(serde_json::from_str::<Framework>(&written).unwrap(), framework);
    }
}

#[test]
fn the_plans_index_has_its_shape() {
    let tree = Tree::of(&shipped("ict_index.json"));
    let counts: Vec<usize> = ["HT.XH", "HT.CQ", "NL.XH", "NL.CQ", "UD.CQ", "UD.DV", "ICT"]
        .iter()
        .map(|code| tree.item(tree.index_of(code).unwrap()).unwrap().leaves.len())
        .collect();
    assert_eq!(counts, [8, 4, 4, 5, 5, 4, 30]);
}

#[test]
fn an_agency_in_points() {
    let framework = shipped("ict_index_agencies.json");
    let unit = |code: &str, attributes: &[&str]| Unit {
        code: code.to_owned(),
        attributes: attributes.iter().map(|a| (*a).to_owned()).collect(),
        ..Unit::default()
    };
    let figures = [
        ("CQ.HT.01", "0.8", "8"),
        ("CQ.HT.02", "1", "5"),
        ("CQ.HT.03", "7", "5"),
        ("CQ.NL.01", "0", "0"),
        ("CQ.NL.02", "50", "2.5"),
        ("CQ.NL.03", "75", "6"),
        ("CQ.UD.01", "100", "10"),
        ("CQ.UD.02A", "40", "6"),
        ("CQ.UD.02B", "90", "9"),
        ("CQ.UD.03", "3", "6"),
        ("CQ.KL.01", "3", "-1.5"),
    ];
    let rows = |unit: &'static str| {
        figures.iter().map(move |(code, value, _)| Observation::value(unit, code, fixed(value)))
    };
    let mut observations: Vec<Observation> = rows("plain").chain(rows("with")).collect();
    observations.push(Observation::value("with", "CQ.DV.01", fixed("30")));
    observations.push(Observation::value("with", "CQ.DV.02", fixed("50")));
    let units = vec![unit("plain", &[]), unit("with", &["has_procedures"])];
    let run = run(&framework, &Input { units, observations, frontier: None });
    // 18 + 8.5 + 25 (the signed documents earn 6, the unsigned 9) + 17.5 − 1.5
    assert_eq!(score_of(&run, "with"), Some(fixed("67.5")));
    // 51.5 of 75 points that apply, on a scale of 100; the deduction is not enlarged.
    let own = fixed("51.5").times_over(&fixed("100"), &fixed("75")).unwrap();
    assert!(close(&score_of(&run, "plain").unwrap(), &(&own - &fixed("1.5"))));
    assert_eq!(run.scores_of("CQ")[1].band.as_deref(), Some("fair"));
    let explained = run.explain("with").unwrap();
    let best = &explained.children[2].children[1];
    assert_eq!((best.alternative.as_deref(), &best.score), (Some("CQ.UD.02B"), &Some(fixed("9"))));
}
