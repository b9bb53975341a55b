//! The routes of this room; each file beside this one holds the handlers of its things.

use utoipa_actix_web::service_config::ServiceConfig;

use super::second_factor::{enrolment, reset, routes as second_factor};
use super::{clients, me, oauth, refresh, sessions, sso, users};

pub fn configure(config: &mut ServiceConfig<'_>) {
    config
        .service(sessions::login)
        .service(refresh::refresh_tokens)
        .service(sso::start_sso)
        .service(sso::finish_sso)
        .service(sessions::logout)
        .service(sessions::me)
        .service(me::password::change_password)
        .service(me::sessions::list_own_sessions)
        .service(me::sessions::end_own_session)
        .service(second_factor::second_factor)
        .service(enrolment::start_enrolment)
        .service(enrolment::confirm_enrolment)
        .service(second_factor::remove_second_factor)
        .service(second_factor::renew_recovery_codes)
        .service(oauth::token)
        .service(users::list_users)
        .service(users::create_user)
        .service(users::get_user)
        .service(users::update_user)
        .service(reset::reset_second_factor)
        .service(clients::list_clients)
        .service(clients::create_client)
        .service(clients::get_client)
        .service(clients::update_client)
        .service(clients::delete_client)
        .service(clients::rotate_secret);
}
