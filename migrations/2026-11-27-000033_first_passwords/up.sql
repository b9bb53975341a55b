alter table users add column must_change_password boolean not null default false;
comment on column users.must_change_password is 'The password was given out by an administrator: until it is changed, nothing else can be done.';
