//! Routes of this room.

use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig<'_>) {
    super::dossiers::routes::configure(config);
}
