//! Routes of this room.

use utoipa_actix_web::service_config::ServiceConfig;

use super::{levels, progress, rates};

pub fn configure(config: &mut ServiceConfig<'_>) {
    config.service(levels::service_levels);
    rates::configure(config);
    config.service(progress::routes::progress);
}
