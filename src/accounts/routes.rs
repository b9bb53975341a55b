//! The routes of this room; each file beside this one holds the handlers of its things.

use utoipa_actix_web::service_config::ServiceConfig;

use super::{clients, oauth, own_password, own_sessions, refresh, sessions, users};

pub fn configure(config: &mut ServiceConfig<'_>) {
    config
        .service(sessions::login)
        .service(refresh::refresh_tokens)
        .service(sessions::logout)
        .service(sessions::me)
        .service(own_password::change_password)
        .service(own_sessions::list_own_sessions)
        .service(own_sessions::end_own_session)
        .service(oauth::token)
        .service(users::list_users)
        .service(users::create_user)
        .service(users::get_user)
        .service(users::update_user)
        .service(clients::list_clients)
        .service(clients::create_client)
        .service(clients::get_client)
        .service(clients::update_client)
        .service(clients::delete_client)
        .service(clients::rotate_secret);
}
