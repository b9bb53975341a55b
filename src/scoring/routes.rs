//! The routes of the room.

use utoipa_actix_web::service_config::ServiceConfig;

use super::{frameworks, observations, runs};

pub fn configure(config: &mut ServiceConfig<'_>) {
    config
        .configure(frameworks::routes::configure)
        .configure(observations::routes::configure)
        .configure(runs::routes::configure);
}
