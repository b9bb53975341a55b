alter table users add column external_subject text;
alter table users add constraint users_external_subject_key unique (external_subject);
alter table users add constraint users_external_subject_check check (char_length(external_subject) between 1 and 255);
comment on column users.external_subject is 'Who the user is to the identity provider (OIDC_ISSUER): the value of its OIDC_USERNAME_CLAIM. Set by an administrator.';
