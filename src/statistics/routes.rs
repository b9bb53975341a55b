//! Routes of this room.

use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig<'_>) {
    config.service(super::rates::dossier_rates);
}
