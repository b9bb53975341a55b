//! A sound framework, flattened: every item after its parent, so that a walk backwards meets children first.

use super::aggregate::combine;
use super::fixed::Fixed;
use super::framework::{Aggregate, Framework, Node, Renormalise};
use super::framework_leaf::{Direction, Method, Normalise, Points, PointsKind, Truncate};
use super::validate::weight_under;

#[derive(Clone, Debug)]
pub struct Tree {
    items: Vec<Item>,
}

#[derive(Clone, Debug)]
pub struct Item {
    pub code: String,
    pub name: String,
    pub parent: Option<usize>,
    /// Under its parent, before any reweighting.
    pub weight: Fixed,
    /// The score of one who has everything, in the unit it counts in under its parent.
    pub maximum: Fixed,
    /// The leaves at or below it.
    pub leaves: Vec<usize>,
    pub content: Content,
}

#[derive(Clone, Debug)]
pub enum Content {
    Group(Group),
    Leaf(Box<Leaf>),
}

#[derive(Clone, Debug)]
pub struct Group {
    pub aggregate: Aggregate,
    pub renormalise: Option<Renormalise>,
    pub children: Vec<usize>,
}

#[derive(Clone, Debug)]
pub struct Leaf {
    pub rule: Rule,
    pub direction: Direction,
    /// What a full score counts: `max_points` under a sum, else 1.
    pub multiplier: Fixed,
    pub max_points: Fixed,
    pub per: Fixed,
    pub truncate: Truncate,
    pub applies_to: Option<Vec<String>>,
}

#[derive(Clone, Debug)]
pub enum Rule {
    Normalise(Normaliser),
    Points(Points),
}

#[derive(Clone, Debug)]
pub struct Normaliser {
    pub method: Method,
    pub goalposts: Option<(Fixed, Fixed)>,
    pub scale: [Fixed; 2],
    pub clamp: bool,
    /// Whether the scale's ends are also the ends of what can be reached.
    pub bounded: bool,
}

impl Tree {
    pub fn of(framework: &Framework) -> Self {
        let mut tree = Self { items: Vec::new() };
        tree.add(&framework.root, None, None);
        tree.set_maxima();
        tree
    }

    pub fn items(&self) -> impl DoubleEndedIterator<Item = (usize, &Item)> + ExactSizeIterator {
        self.items.iter().enumerate()
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub fn item(&self, index: usize) -> Option<&Item> {
        self.items.get(index)
    }

    pub fn index_of(&self, code: &str) -> Option<usize> {
        self.items.iter().position(|item| item.code == code)
    }

    pub fn leaves(&self) -> impl Iterator<Item = (usize, &Item, &Leaf)> {
        self.items().filter_map(|(index, item)| item.leaf().map(|leaf| (index, item, leaf)))
    }

    pub fn parent(&self, index: usize) -> Option<(usize, &Item, &Group)> {
        let parent = self.item(index)?.parent?;
        let item = self.item(parent)?;
        Some((parent, item, item.group()?))
    }

    /// From the parent up to the root.
    pub fn ancestors(&self, index: usize) -> impl Iterator<Item = (usize, &Item, &Group)> {
        std::iter::successors(self.parent(index), |(above, _, _)| self.parent(*above))
    }

    fn add(&mut self, node: &Node, parent: Option<usize>, above: Option<Aggregate>) -> usize {
        let index = self.items.len();
        let content = match (&node.children, node.aggregate) {
            (Some(_), Some(aggregate)) => {
                Content::Group(Group { aggregate, renormalise: node.renormalise, children: Vec::new() })
            }
            _ => Content::Leaf(Box::new(Leaf::of(node, above))),
        };
        self.items.push(Item {
            code: node.code.clone(),
            name: node.name.clone(),
            parent,
            weight: weight_under(node, above),
            maximum: Fixed::zero(),
            leaves: if node.children.is_none() { vec![index] } else { Vec::new() },
            content,
        });
        let below = node.children.as_deref().unwrap_or_default();
        let children: Vec<usize> =
            below.iter().map(|child| self.add(child, Some(index), node.aggregate)).collect();
        let leaves: Vec<usize> = children
            .iter()
            .filter_map(|child| self.item(*child))
            .flat_map(|child| child.leaves.clone())
            .collect();
        if let Some(item) = self.items.get_mut(index) {
            item.leaves.extend(leaves);
            if let Content::Group(group) = &mut item.content {
                group.children = children;
            }
        }
        index
    }

    fn set_maxima(&mut self) {
        for index in (0..self.items.len()).rev() {
            let maximum = self.item(index).map(|item| self.maximum_of(item)).unwrap_or_default();
            if let Some(item) = self.items.get_mut(index) {
                item.maximum = maximum;
            }
        }
    }

    fn maximum_of(&self, item: &Item) -> Fixed {
        match &item.content {
            Content::Leaf(leaf) => leaf.maximum(),
            Content::Group(group) if group.renormalise.is_some() => Fixed::one(),
            Content::Group(group) => {
                let children = group.children.iter().filter_map(|child| self.item(*child));
                let counted: Vec<(&Fixed, &Fixed)> = children
                    .filter(|child| !child.is_information())
                    .map(|child| (&child.weight, &child.maximum))
                    .collect();
                combine(group.aggregate, &counted).unwrap_or_default()
            }
        }
    }
}

impl Item {
    pub fn leaf(&self) -> Option<&Leaf> {
        match &self.content {
            Content::Leaf(leaf) => Some(leaf),
            Content::Group(_) => None,
        }
    }

    pub fn group(&self) -> Option<&Group> {
        match &self.content {
            Content::Group(group) => Some(group),
            Content::Leaf(_) => None,
        }
    }

    pub fn is_information(&self) -> bool {
        self.leaf().is_some_and(|leaf| leaf.is(PointsKind::Information))
    }
}

impl Leaf {
    fn of(node: &Node, above: Option<Aggregate>) -> Self {
        let max_points = node.max_points.clone().unwrap_or_else(Fixed::one);
        Self {
            rule: match (&node.points, &node.normalise) {
                (Some(points), _) => Rule::Points(points.clone()),
                (None, normalise) => Rule::Normalise(Normaliser::of(normalise.as_ref())),
            },
            direction: node.direction.unwrap_or_default(),
            multiplier: if above == Some(Aggregate::Sum) { max_points.clone() } else { Fixed::one() },
            max_points,
            per: node.per.clone().unwrap_or_else(Fixed::one),
            truncate: node.truncate.clone().unwrap_or(Truncate { lo: None, hi: None }),
            applies_to: node.applies_to.clone(),
        }
    }

    pub fn is(&self, kind: PointsKind) -> bool {
        matches!(&self.rule, Rule::Points(points) if points.kind == kind)
    }

    pub fn method(&self) -> Option<Method> {
        match &self.rule {
            Rule::Normalise(normaliser) => Some(normaliser.method),
            Rule::Points(_) => None,
        }
    }

    pub fn points_kind(&self) -> Option<PointsKind> {
        match &self.rule {
            Rule::Points(points) => Some(points.kind),
            Rule::Normalise(_) => None,
        }
    }

    /// Which way is better.
    pub fn sense(&self) -> Direction {
        if self.is_downward() { Direction::Down } else { Direction::Up }
    }

    /// Its figures are whole ones: a count, yes or no.
    pub fn counts_whole(&self) -> bool {
        [PointsKind::YesNo, PointsKind::CappedCount, PointsKind::Deduction].iter().any(|kind| self.is(*kind))
    }

    /// Less of the figure is better: by direction, or because it is a deduction.
    pub fn is_downward(&self) -> bool {
        self.direction == Direction::Down || self.is(PointsKind::Deduction)
    }

    fn maximum(&self) -> Fixed {
        match &self.rule {
            Rule::Normalise(Normaliser { scale: [_, hi], .. }) => hi.times(&self.multiplier),
            Rule::Points(Points { kind: PointsKind::Deduction | PointsKind::Information, .. }) => {
                Fixed::zero()
            }
            Rule::Points(_) => self.multiplier.clone(),
        }
    }

    pub fn truncated(&self, value: Fixed) -> Fixed {
        let lowest = self.truncate.lo.clone().map_or(value.clone(), |lo| value.max(lo));
        self.truncate.hi.clone().map_or(lowest.clone(), |hi| lowest.min(hi))
    }
}

impl Normaliser {
    fn of(normalise: Option<&Normalise>) -> Self {
        let method = normalise.map_or(Method::None, |normalise| normalise.method);
        let stated = normalise.and_then(|normalise| normalise.scale.clone());
        let bounded = match method {
            Method::ZScore => false,
            Method::None => stated.is_some(),
            _ => true,
        };
        Self {
            method,
            goalposts: normalise.and_then(|normalise| normalise.lo.clone().zip(normalise.hi.clone())),
            scale: stated.unwrap_or_else(|| [Fixed::zero(), Fixed::one()]),
            clamp: normalise.and_then(|normalise| normalise.clamp).unwrap_or(bounded),
            bounded,
        }
    }
}
