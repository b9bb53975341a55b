//! Generated frameworks and inputs, hostile but sound.

use serde_json::{Value, json};

use super::super::framework::Framework;
use super::super::input::{Input, Observation, Unit};
use super::{fixed, framework_with};

pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit.max(1)
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

const METHODS: &[&str] =
    &["none", "min_max", "z_score", "goalposts", "ratio_to_max", "ratio_to_best", "rank"];
const VALUES: &[&str] = &[
    "0",
    "-1",
    "0.000001",
    "1",
    "0.5",
    "100",
    "99.999999",
    "123456789012.5",
    "-98765432109.25",
    "57",
    "33.333333",
    "2",
];

#[derive(Debug)]
pub struct World {
    pub framework: Framework,
    pub input: Input,
}

pub fn world(seed: u64, units: usize, leaves: usize, depth: usize) -> World {
    let mut random = Random(seed);
    let mut codes = Vec::new();
    let root = node(&mut random, "R", depth, leaves, "", &mut codes);
    let missing = random.pick(&["exclude_and_reweight", "exclude_and_reweight", "zero", "block"]);
    let ties = random.pick(&["competition", "dense"]);
    let extra = json!({
        "missing": missing,
        "rank": {"decimals": random.below(6), "ties": ties},
        "peers": {"frontier": random.pick(&["all", "all", "peer_group"]), "rank": random.pick(&["all", "peer_group"])},
        "differing_maxima": random.pick(&["rescale", "own_maximum"]),
    });
    let framework = framework_with(extra, root);
    let units: Vec<Unit> = (0..units).map(|n| unit(&mut random, n, &codes)).collect();
    let mut observations = Vec::new();
    for unit in &units {
        for code in &codes {
            observations.extend(observation(&mut random, &unit.code, code));
        }
    }
    World { framework, input: Input { units, observations, frontier: None } }
}

fn unit(random: &mut Random, n: usize, codes: &[String]) -> Unit {
    let group = random.pick(&["", "north", "south"]);
    let mut unit = Unit { code: format!("u{n}"), ..Unit::default() };
    unit.peer_group = (!group.is_empty()).then(|| group.to_owned());
    if random.below(4) == 0 {
        unit.not_applicable.insert(codes[random.below(codes.len())].clone());
    }
    unit
}

fn observation(random: &mut Random, unit: &str, code: &str) -> Option<Observation> {
    let value = fixed(random.pick(VALUES));
    match random.below(10) {
        0 | 1 => None,
        2 => Some(Observation {
            unit: unit.to_owned(),
            indicator: code.to_owned(),
            value: None,
            numerator: Some(value),
            denominator: Some(fixed(random.pick(&["0", "3", "7", "100"]))),
        }),
        _ => Some(Observation::value(unit, code, value)),
    }
}

fn node(
    random: &mut Random,
    code: &str,
    depth: usize,
    leaves: usize,
    above: &str,
    codes: &mut Vec<String>,
) -> Value {
    let weight = fixed(random.pick(&["1", "1", "2", "0.3", "0.333333", "0"]));
    if depth == 0 || leaves <= 1 {
        codes.push(code.to_owned());
        return leaf(random, code, &weight.to_string(), above);
    }
    let aggregate = random.pick(&["arithmetic", "arithmetic", "geometric", "harmonic", "sum"]);
    let count = if depth == 1 { leaves } else { (2 + random.below(3)).min(leaves) };
    let mut children: Vec<Value> = (0..count)
        .map(|n| {
            let share = leaves / count + usize::from(n < leaves % count);
            node(random, &format!("{code}.{n}"), depth - 1, share, aggregate, codes)
        })
        .collect();
    children[0]["weight"] = json!(1);
    let mut value =
        json!({"code": code, "name": code, "weight": weight, "aggregate": aggregate, "children": children});
    if random.below(4) == 0 {
        value["renormalise"] = json!("min_max");
    }
    value
}

fn leaf(random: &mut Random, code: &str, weight: &str, above: &str) -> Value {
    let mut value = json!({"code": code, "name": code, "weight": weight});
    if above == "sum" && random.below(2) == 0 {
        value["max_points"] = json!(10);
        value["points"] = match random.below(7) {
            0 => json!({"kind": "ratio", "full": 100}),
            1 => json!({"kind": "capped_count", "each": "0.5"}),
            2 => json!({"kind": "yes_no"}),
            3 => json!({"kind": "steps", "steps": [{"from": 0, "points": 1}, {"from": 50, "points": "9.5"}]}),
            4 => json!({"kind": "deduction", "each": 2}),
            5 => json!({"kind": "awarded"}),
            _ => json!({"kind": "information"}),
        };
        return value;
    }
    let method = random.pick(METHODS);
    value["direction"] = json!(if random.below(3) == 0 { -1 } else { 1 });
    value["normalise"] = json!({"method": method});
    if method == "goalposts" {
        value["normalise"] = json!({"method": method, "lo": -5, "hi": "120.5"});
    }
    if random.below(3) == 0 {
        value["normalise"]["scale"] = json!([1, 100]);
    }
    if random.below(6) == 0 {
        value["normalise"]["clamp"] = json!(false);
    }
    if random.below(4) == 0 {
        value["truncate"] = json!({"lo": -10, "hi": 1000});
    }
    value
}
