drop table login_failures;
drop table client_secrets;
drop table clients;
drop table refresh_tokens;
drop table sessions;
drop table users;
