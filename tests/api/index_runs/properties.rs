//! What holds for every framework and every input, over HTTP.

use bigdecimal::{BigDecimal, Zero};
use ict_index::scoring::engine::framework::Framework;
use ict_index::scoring::engine::tree::Tree;
use ict_index::scoring::engine::validate::validate;
use serde_json::{Value, json};

use super::{add_framework, all, get, number, observe, run};
use crate::support::TestService;

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

fn node(random: &mut Random, code: &str, depth: usize) -> Value {
    let weight = [1.0, 1.0, 2.0, 0.3, 0.0][random.below(5)];
    if depth == 0 {
        let method = random.pick(&[
            "none",
            "min_max",
            "z_score",
            "goalposts",
            "ratio_to_max",
            "ratio_to_best",
            "rank",
        ]);
        let mut normalise = json!({"method": method});
        if method == "goalposts" {
            normalise = json!({"method": method, "lo": -5, "hi": 120.5});
        }
        let direction = if random.below(3) == 0 { -1 } else { 1 };
        return json!({"code": code, "name": code, "weight": weight, "direction": direction, "normalise": normalise});
    }
    let aggregate = random.pick(&["arithmetic", "arithmetic", "geometric", "harmonic", "sum"]);
    let mut children: Vec<Value> =
        (0..2 + random.below(2)).map(|n| node(random, &format!("{code}.{n}"), depth - 1)).collect();
    children[0]["weight"] = json!(1);
    let mut group =
        json!({"code": code, "name": code, "weight": weight, "aggregate": aggregate, "children": children});
    if random.below(4) == 0 {
        group["renormalise"] = json!("min_max");
    }
    group
}

fn world(seed: u64, code: &str) -> (Value, Vec<String>) {
    let mut random = Random(seed);
    let missing = random.pick(&["exclude_and_reweight", "zero", "block"]);
    let ties = random.pick(&["competition", "dense"]);
    let document = json!({"code": code, "name": code, "unit_type": "province", "status": "assumed", "missing": missing,
        "rank": {"decimals": random.below(6), "ties": ties}, "root": node(&mut random, "R", 2)});
    let framework: Framework = serde_json::from_value(document.clone()).unwrap();
    assert!(validate(&framework, None).is_sound());
    let leaves = Tree::of(&framework).leaves().map(|(_, item, _)| item.code.clone()).collect();
    (document, leaves)
}

fn figures<'a>(
    random: &mut Random,
    units: &'a [String],
    leaves: &'a [String],
) -> Vec<(&'a str, &'a str, &'static str)> {
    const VALUES: [&str; 8] = ["0", "-1", "0.000001", "1", "0.5", "100", "33.333333", "123456789012.5"];
    let mut all = Vec::new();
    for unit in units {
        for leaf in leaves {
            if random.below(6) > 0 {
                all.push((unit.as_str(), leaf.as_str(), VALUES[random.below(VALUES.len())]));
            }
        }
    }
    all
}

/// At every node the children's contributions and the residual are its own.
fn adds_up(node: &Value) {
    let children = node["children"].as_array().unwrap();
    if !children.is_empty() && !node["contribution"].is_null() {
        let parts: BigDecimal =
            children.iter().map(|child| &child["contribution"]).filter(|c| !c.is_null()).map(number).sum();
        assert_eq!(parts + number(&node["residual"]), number(&node["contribution"]), "{node}");
    }
    children.iter().for_each(adds_up);
}

#[actix_web::test]
async fn random_frameworks_keep_every_promise() {
    let service = TestService::start().await;
    let token = service.token("monitor").await;
    let units: Vec<String> = (0..5).map(|n| format!("u{n}")).collect();
    for seed in 0..12 {
        let code = format!("W{seed}");
        let (document, leaves) = world(seed, &code);
        add_framework(&service, &document).await;
        let mut random = Random(seed + 1000);
        let (first, second) = (figures(&mut random, &units, &leaves), figures(&mut random, &units, &leaves));
        observe(&service, &code, 2016, &first, &[]).await;
        observe(&service, &code, 2017, &second, &[]).await;
        let (before, after) =
            (run(&service, &code, 2016, "official").await, run(&service, &code, 2017, "official").await);
        let root = all(&service, &token, &format!("index-runs/{after}/scores?node=R")).await;
        let same =
            service.post(&format!("index-runs/{after}/simulations"), json!({})).as_(&token).send().await;
        assert_eq!(Value::from(root.clone()), same.expect(200).json()["scores"], "seed {seed}");
        for item in &root {
            let unit = item["unit"].as_str().unwrap();
            let explained =
                get(&service, &token, format!("index-runs/{after}/units/{unit}/explanation")).await;
            let explained = explained.expect(200).json();
            assert_eq!(explained["tree"]["contribution"], item["score"]);
            adds_up(&explained["tree"]);
        }
        for moved in all(&service, &token, &format!("index-runs/{after}/comparison?with={before}")).await {
            if moved["parts"].is_null() {
                continue;
            }
            let parts = ["own", "frontier", "weights", "residual"].map(|part| number(&moved["parts"][part]));
            let sum = parts.into_iter().fold(BigDecimal::zero(), |sum, part| sum + part);
            assert_eq!(sum, number(&moved["difference"]), "seed {seed}: {moved}");
        }
        let read = get(&service, &token, format!("index-runs/{after}")).await.expect(200).json();
        assert_eq!(read["verification"]["matches"], true, "seed {seed}");
    }
}

#[actix_web::test]
async fn order_changes_nothing() {
    let service = TestService::start().await;
    let token = service.token("monitor").await;
    let units: Vec<String> = (0..6).map(|n| format!("u{n}")).collect();
    let (document, leaves) = world(3, "W");
    add_framework(&service, &document).await;
    let given = figures(&mut Random(5), &units, &leaves);
    observe(&service, "W", 2016, &given, &[]).await;
    let mut turned = given.clone();
    turned.reverse();
    // Stored as it is, not in order: whoever stored it.
    let row = |(unit, indicator, value): &(&str, &str, &str)| json!({"unit": unit, "indicator": indicator, "value": serde_json::from_str::<Value>(value).unwrap(), "source": {"type": "imported"}});
    let rows = serde_json::from_value(Value::from(turned.iter().map(row).collect::<Vec<_>>())).unwrap();
    let set = ict_index::scoring::observations::rules::Set { rows, units: vec![] };
    super::store(&service, "W", 2017, set).await;
    let (one, two) =
        (run(&service, "W", 2016, "provisional").await, run(&service, "W", 2017, "provisional").await);
    let read = async |id: &str| get(&service, &token, format!("index-runs/{id}")).await.expect(200).json();
    let (first, second) = (read(&one).await, read(&two).await);
    assert_eq!(first["input_hash"], second["input_hash"]);
    let scores = async |id: &str| all(&service, &token, &format!("index-runs/{id}/scores")).await;
    assert_eq!(scores(&one).await, scores(&two).await);
}
